"""An application whose answers break: in the middle of a stream, and before their first byte."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from common.http.crew import Place, serve
from common.http.limits import Limits

PROMISED = 10 * 2**20


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    """Half of what it promises at /half, nothing at all elsewhere."""
    if environ["PATH_INFO"] != "/half":
        raise RuntimeError("as the test wants it")
    start_response("200 OK", [("Content-Length", str(PROMISED)), ("Content-Type", "application/pdf")])
    return _half()


def _half() -> Iterator[bytes]:
    yield bytes(PROMISED // 2)
    raise RuntimeError("as the test wants it")


if __name__ == "__main__":
    place = Place("127.0.0.1", int(sys.argv[1]))
    serve(lambda: wsgi, [place], workers=1, limits=Limits(2, idle=2, total=30), stop_seconds=5)
