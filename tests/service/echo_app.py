"""A small application for the server of HTTP: ``python -m tests.service.echo_app PORT [FILE OF TLS]…``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from common.http.crew import Place, serve
from common.http.limits import Limits
from common.tls import PEER, Files, of_server

LARGE = 12 * 2**20
"""More than the buffers of a connection hold."""


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """What was sent, the process, something large, or something late."""
    body, read = b"", environ["wsgi.input"].read
    while piece := read(1000):
        body += piece
    if environ["PATH_INFO"] == "/late":
        time.sleep(1)
    if environ["PATH_INFO"] == "/peer":
        body = f"{environ['wsgi.url_scheme']} {environ.get(PEER)}".encode()
    told = {"/pid": str(os.getpid()).encode(), "/large": bytes(LARGE)}.get(environ["PATH_INFO"], body)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(told)))])
    return [told]


if __name__ == "__main__":
    limits = Limits(2, idle=5, total=30, waiting=16, shake=2, whole=2 * LARGE)
    place = Place("127.0.0.1", int(sys.argv[1]), of_server(Files(*sys.argv[2:])))
    serve(lambda: wsgi, [place], workers=2, limits=limits, stop_seconds=10)
