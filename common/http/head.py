"""Heads of HTTP/1.1 messages (RFC 9112): read strictly, since whatever two parties read differently can be abused."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote_to_bytes

MOST_HEAD: Final = 32 * 1024
"""Bytes of a head."""
MOST_FIELDS: Final = 100

_LINE: Final = re.compile(rb"([A-Z]{1,20}) ([!-~]{1,8192}) HTTP/1\.([01])")
_FIELD: Final = re.compile(rb"\r\n([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_ABSOLUTE: Final = re.compile(r"https?://[^/?]*", re.IGNORECASE)
_ONCE: Final = frozenset({"content-length", "content-type", "host", "transfer-encoding"})
_NO_BODY: Final = frozenset({204, 304})


class BadHead(Exception):  # noqa: N818
    """A head that is not taken; the status says why."""

    def __init__(self, status: int, told: str) -> None:
        super().__init__(told)
        self.status, self.told = status, told


@dataclass(slots=True)
class Head:
    """What a request's head says. ``length`` is ``None`` where the body comes in chunks."""

    method: str
    path: str
    query: str
    version: str
    fields: dict[str, str]
    length: int | None
    keep_alive: bool
    expects_continue: bool


def read_head(data: bytes) -> Head:
    """The head in these bytes, without the empty line that ends it; BadHead."""
    line, _, _ = data.partition(b"\r\n")
    first = _LINE.fullmatch(line)
    if first is None:
        raise BadHead(400, "the request line is malformed")
    fields = read_fields(data, len(line))
    method, target, minor = first[1].decode(), first[2].decode(), first[3]
    if minor == b"1" and "host" not in fields:
        raise BadHead(400, "the Host field is missing")
    path, query = _target(target)
    keep_alive = minor == b"1" and "close" not in fields.get("connection", "").lower()
    expects = fields.get("expect", "").lower() == "100-continue" and minor == b"1"
    return Head(
        method, path, query, f"HTTP/1.{minor.decode()}", fields, read_length(fields, minor), keep_alive, expects
    )


def read_fields(data: bytes, start: int) -> dict[str, str]:
    """The fields in a head from a place on, their names in lower case; BadHead."""
    fields: dict[str, str] = {}
    at, count = start, 0
    while at < len(data):
        found = _FIELD.match(data, at)
        if found is None:
            raise BadHead(400, "a field of the head is malformed")
        at, count = found.end(), count + 1
        name = found[1].decode().lower()
        value = found[2].decode("latin-1").rstrip(" \t")
        if name in fields:
            if name in _ONCE:
                raise BadHead(400, f"the field {name} stands more than once")
            value = f"{fields[name]},{value}"
        fields[name] = value
    if count > MOST_FIELDS:
        raise BadHead(431, "the head has too many fields")
    return fields


def _target(target: str) -> tuple[str, str]:
    """Path, decoded as PEP 3333 has it, and query."""
    if not target.startswith("/"):
        found = _ABSOLUTE.match(target)
        if found is None and target != "*":
            raise BadHead(400, "the request's target is malformed")
        target = (target[found.end() :] or "/") if found else target
    path, _, query = target.partition("?")
    return (unquote_to_bytes(path).decode("latin-1") if "%" in path else path), query


def read_length(fields: dict[str, str], minor: bytes) -> int | None:
    """How long the body is; both ways to say it at once are refused (RFC 9112 section 6.3)."""
    told, coding = fields.get("content-length"), fields.get("transfer-encoding")
    if coding is not None:
        if told is not None or minor == b"0":
            raise BadHead(400, "Transfer-Encoding stands where it must not")
        if coding.strip().lower() != "chunked":
            raise BadHead(501, "no Transfer-Encoding but chunked is understood")
        return None
    if told is None:
        return 0
    if not (told.isascii() and told.isdigit() and len(told) <= 18):
        raise BadHead(400, "Content-Length is not a number")
    return int(told)


@lru_cache(maxsize=64)
def _status_line(status: int) -> str:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n"


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return time.strftime("Date: %a, %d %b %Y %H:%M:%S GMT\r\n", time.gmtime(second))


# What goes with every answer that does not say otherwise: it is kept by nobody, is what it says it is, and is no page
# that could load or be framed (RFC 9111 section 5.2.2.5, the Fetch and CSP specifications).
_GUARDS: Final = {
    "cache-control": "Cache-Control: no-store\r\n",
    "x-content-type-options": "X-Content-Type-Options: nosniff\r\n",
    "content-security-policy": "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n",
}
_ALL_GUARDS: Final = "".join(_GUARDS.values())
_ONLY_TLS: Final = "Strict-Transport-Security: max-age=31536000\r\n"
"""For browsers that were here over TLS once (RFC 6797)."""


def _guards(fields: Sequence[tuple[str, str]]) -> str:
    told = {name.lower() for name, _ in fields} & _GUARDS.keys()
    return "".join(line for name, line in _GUARDS.items() if name not in told) if told else _ALL_GUARDS


def write_head(
    status: int,
    fields: Sequence[tuple[str, str]],
    *,
    keep_alive: bool,
    length: int | None = None,
    secure: bool = False,
) -> bytes:
    """An answer's head with its empty line; ``length`` is added where the fields do not tell it."""
    lines = [f"{name}: {value}\r\n" for name, value in fields]
    if length is not None and status not in _NO_BODY:
        lines.append(f"Content-Length: {length}\r\n")
    if not keep_alive:
        lines.append("Connection: close\r\n")
    guards = _guards(fields) + (_ONLY_TLS if secure else "")
    text = "".join((_status_line(status), _date(int(time.time())), *lines, "\r\n"))
    if text.count("\n") != len(lines) + 3 or text.count("\r") != len(lines) + 3:
        raise ValueError("a field of the answer's head holds the end of a line")
    return f"{text[:-2]}{guards}\r\n".encode("latin-1")


def bodiless(method: str, status: int) -> bool:
    """Whether an answer has no body, whatever its head says (RFC 9112 section 6.3)."""
    return method == "HEAD" or status in _NO_BODY or status < 200


def told_length(fields: Sequence[tuple[str, str]]) -> int | None:
    """The Content-Length among these fields."""
    return next((int(value) for name, value in fields if name.lower() == "content-length"), None)
