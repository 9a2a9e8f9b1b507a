"""Answers of HTTP/1.1 as a client reads them whole: as strictly as requests are read, and bounded (RFC 9112)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from common.http.chunked import BadChunk, ChunkedDecoder
from common.http.head import MOST_HEAD, BadHead, bodiless, read_fields, read_length

Receive = Callable[[int], bytes]
"""Some of what has come, so many bytes at most; nothing at the end."""

_PIECE: Final = 256 * 1024
_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\x00-\x08\x0a-\x1f\x7f]*)?")
_MOST_INTERIM: Final = 10


class BadAnswer(Exception):  # noqa: N818
    """No answer that could be used; the text says why."""


class Unanswered(ConnectionError):  # noqa: N818
    """The connection was closed before anything of an answer had come."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; its field names in lower case. ``keep`` where the connection may be used again."""

    status: int
    fields: dict[str, str]
    body: bytes
    keep: bool


def read_answer(receive: Receive, most: int) -> Answer:
    """The answer to a POST; BadAnswer, also for a body of more than so many bytes, Unanswered, and what is received."""
    rest = b""
    for _ in range(_MOST_INTERIM):
        head, rest = _head(receive, rest)
        try:
            status, fields, keep = _read(head)
            if status < 200:
                continue
            length = _length(status, fields)
        except BadHead as error:
            raise BadAnswer(error.told) from None
        if length is not None and length > most:
            raise BadAnswer("the answer is too large")
        body, rest, keeps = _body(receive, rest, length, "transfer-encoding" in fields, most)
        return Answer(status, fields, body, keep and keeps and not rest)
    raise BadAnswer("interim answers do not end")


def _head(receive: Receive, data: bytes) -> tuple[bytes, bytes]:
    """The head without the empty line that ends it, and what came after."""
    while (end := data.find(b"\r\n\r\n")) < 0:
        if len(data) > MOST_HEAD:
            raise BadAnswer("the answer's head does not end")
        piece = receive(_PIECE)
        if not piece:
            if not data:
                raise Unanswered("the connection was closed without an answer")
            raise BadAnswer("the answer breaks off in its head")
        data += piece
    return data[:end], data[end + 4 :]


def _read(head: bytes) -> tuple[int, dict[str, str], bool]:
    line, _, _ = head.partition(b"\r\n")
    first = _LINE.fullmatch(line)
    if first is None:
        raise BadHead(502, "the answer's first line is malformed")
    fields = read_fields(head, len(line))
    return int(first[2]), fields, first[1] == b"1" and "close" not in fields.get("connection", "").lower()


def _length(status: int, fields: dict[str, str]) -> int | None:
    """How long the body is; None where its coding or the connection's end says so (RFC 9112 section 6.3)."""
    if bodiless("POST", status):
        return 0
    told = read_length(fields, b"1")
    return None if told == 0 and "content-length" not in fields else told


def _body(receive: Receive, data: bytes, length: int | None, chunked: bool, most: int) -> tuple[bytes, bytes, bool]:
    """The body, what came after it, and whether the connection lives on."""
    if length is not None:
        return *_of_length(receive, data, length), True
    if chunked:
        return *_of_chunks(receive, data, most), True
    pieces, size = [data], len(data)
    while piece := receive(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > most:
            raise BadAnswer("the answer is too large")
    return b"".join(pieces), b"", False


def _of_length(receive: Receive, data: bytes, length: int) -> tuple[bytes, bytes]:
    pieces, size = [data], len(data)
    while size < length:
        piece = receive(_PIECE)
        if not piece:
            raise BadAnswer("the answer breaks off")
        pieces.append(piece)
        size += len(piece)
    whole = data if len(pieces) == 1 else b"".join(pieces)
    return whole[:length], whole[length:]


def _of_chunks(receive: Receive, data: bytes, most: int) -> tuple[bytes, bytes]:
    decoder, pieces, size = ChunkedDecoder(), list[bytes](), 0
    try:
        while True:
            piece = decoder.feed(data)
            pieces.append(piece)
            size += len(piece)
            if size > most:
                raise BadAnswer("the answer is too large")
            if decoder.ended:
                return b"".join(pieces), decoder.rest
            data = receive(_PIECE)
            if not data:
                raise BadAnswer("the answer breaks off")
    except BadChunk as error:
        raise BadAnswer(f"the answer's chunks are broken: {error}") from None
