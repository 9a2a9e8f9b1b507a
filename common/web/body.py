"""A request's body as chunks, bounded in size and time, unpacked where it came compressed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol

from common.http.connection import Silence
from common.soap import faults
from common.soap.faults import SoapFault
from common.soap.inflate import Inflater

CHUNK: Final = 256 * 1024


class Readable(Protocol):
    """What WSGI gives for the body (PEP 3333)."""

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes; none at the end."""
        ...


class TooLarge(SoapFault):
    """The message is over a limit: what is left of it is not read, and the connection is closed."""


class TooSlow(SoapFault):
    """The message took too long to arrive."""


def read_body(environ: dict[str, Any], *, limit: int, seconds: float, max_ratio: int) -> Iterator[bytes]:
    """The chunks of a request's body; SoapFault when it is too large, too slow, cut short or badly packed."""
    encoding = environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    chunks = _raw(environ, limit, seconds)
    if encoding in ("", "identity"):
        return chunks
    if encoding not in ("gzip", "x-gzip"):
        raise SoapFault(faults.SENDER, f"Content-Encoding {encoding[:40]!r} is not understood; gzip is.")
    return _unpacked(chunks, Inflater(limit, max_ratio))


def _raw(environ: dict[str, Any], limit: int, seconds: float) -> Iterator[bytes]:
    stream: Readable = environ["wsgi.input"]
    told = environ.get("CONTENT_LENGTH") or ""
    expected = int(told) if told.isascii() and told.isdigit() else None
    if expected is not None and expected > limit:
        raise TooLarge(faults.SENDER, f"The message has {expected} bytes; at most {limit} are taken.")
    if expected is None and not environ.get("wsgi.input_terminated"):
        return
    until, total = time.monotonic() + seconds, 0
    while expected is None or total < expected:
        try:
            chunk = stream.read(CHUNK if expected is None else min(CHUNK, expected - total))
        except Silence:
            raise TooSlow(faults.SENDER, "The message stopped coming, or took too long to arrive.") from None
        if not chunk:
            break
        total += len(chunk)
        if total > limit:
            raise TooLarge(faults.SENDER, f"The message has more than {limit} bytes.")
        yield chunk
        if time.monotonic() > until:
            raise TooSlow(faults.SENDER, f"The message took longer than {seconds:g} seconds to arrive.")
    if expected is not None and total < expected:
        raise SoapFault(faults.SENDER, f"The message ended after {total} of {expected} bytes.")


def _unpacked(chunks: Iterable[bytes], inflater: Inflater) -> Iterator[bytes]:
    for chunk in chunks:
        yield from inflater.feed(chunk)
    inflater.close()


def whole(chunks: Iterable[bytes], limit: int) -> bytes:
    """All of a body that is known to be small."""
    parts: list[bytes] = []
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > limit:
            raise TooLarge(faults.SENDER, f"The message has more than {limit} bytes.")
        parts.append(chunk)
    return parts[0] if len(parts) == 1 else b"".join(parts)
