"""Multipart messages (RFC 2046 section 5.1) as a stream: slices of bytes in, events out, document bytes never copied.

Held between two slices is at most a part's header, or a line end that may begin a boundary.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from common.soap.content_type import MimeError
from common.soap.part_headers import find_end, read_headers

__all__ = ["MessageEnd", "MimeError", "MimeLimits", "MultipartDecoder", "PartBegin", "PartData", "PartEnd"]

_MAX_BOUNDARY = 200  # RFC 2046 says 70; some toolkits write longer ones
_PADDING = 256
# What may follow `--boundary` on its line: `--` at the end of all parts, spaces, then the line's end.
_REST = re.compile(rb"(--)?[ \t]{0,%d}\r?\n" % _PADDING)
_REST_SO_FAR = re.compile(rb"(?:-|(?:--)?[ \t]{0,%d}\r?)\Z" % _PADDING)
_LAST = re.compile(rb"--[ \t]{0,%d}\r?\Z" % _PADDING)
_BAD_BOUNDARY = re.compile(r"[^ -~]|\s\Z")


@dataclass(frozen=True, slots=True)
class MimeLimits:
    """How large a multipart may be: bytes, except where the name says otherwise."""

    max_header_bytes: int = 16 * 2**10
    max_headers: int = 32
    max_parts: int = 1000
    max_root_bytes: int = 8 * 2**20
    max_preamble_bytes: int = 16 * 2**10
    max_epilogue_bytes: int = 16 * 2**10


@dataclass(frozen=True, slots=True)
class PartBegin:
    """A part starts; its headers by lower-case name."""

    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class PartData:
    """Some bytes of the part, as they were sent."""

    data: memoryview


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The part is complete."""


@dataclass(frozen=True, slots=True)
class MessageEnd:
    """The last boundary was there, so nothing is missing."""


Event = PartBegin | PartData | PartEnd | MessageEnd


class _State(Enum):
    PREAMBLE = auto()
    HEADERS = auto()
    BODY = auto()
    EPILOGUE = auto()


class _Found(Enum):
    NOTHING = auto()
    BOUNDARY = auto()
    LAST_BOUNDARY = auto()


@dataclass(slots=True)
class MultipartDecoder:
    """Reads one multipart; MimeError at the first thing that is wrong, after which it must not be used."""

    boundary: str
    limits: MimeLimits = field(default_factory=MimeLimits)
    _state: _State = _State.PREAMBLE
    _held: bytes = b""
    _parts: int = 0
    _skipped: int = 0
    _line_start: bool = True
    _crlf: bool = False
    _mark: bytes = b""
    _needle: bytes = b""

    def __post_init__(self) -> None:
        if not self.boundary or len(self.boundary) > _MAX_BOUNDARY or _BAD_BOUNDARY.search(self.boundary):
            raise MimeError("the multipart's boundary parameter is missing or malformed")
        self._mark = b"--" + self.boundary.encode("ascii")
        self._needle = b"\n" + self._mark

    def feed(self, data: bytes | memoryview) -> Iterator[Event]:
        """The events that the next bytes complete; the iterator must be used up before the next call."""
        data = bytes(data)  # which copies nothing if it is bytes already
        buffer = self._held + data if self._held else data
        view, at = memoryview(buffer), 0
        self._held = b""
        while at < len(buffer):
            if self._state is _State.EPILOGUE:
                self._skip(len(buffer) - at, self.limits.max_epilogue_bytes)
                return
            if self._state is _State.HEADERS:
                end = find_end(buffer, at, self.limits.max_header_bytes)
                if end < 0:
                    self._held = buffer[at:]
                    return
                yield self._begin(buffer[at:end])
                at = end
                continue
            end, after, found = self._scan(buffer, at)
            yield from self._content(view[at:end])
            if found is _Found.NOTHING:
                self._held = buffer[end:]
                return
            yield from self._boundary(found)
            at = after

    def close(self) -> Iterator[Event]:
        """The last events; MimeError when the closing boundary never came, since a prefix is never a message."""
        rest = self._held.lstrip(b"\r\n")
        if self._state is _State.BODY and rest.startswith(self._mark) and _LAST.match(rest, len(self._mark)):
            yield PartEnd()
            self._state = _State.EPILOGUE
        if self._state is not _State.EPILOGUE:
            raise MimeError("the multipart ends before its closing boundary")
        yield MessageEnd()

    def _begin(self, block: bytes) -> PartBegin:
        """The part's headers; what follows them may be its boundary at once."""
        if block.startswith(self._mark) or self._needle in block:
            raise MimeError("a part ends before its headers do")
        self._crlf = self._crlf or b"\r\n" in block
        self._state = _State.BODY
        self._line_start = True
        return PartBegin(read_headers(block, self.limits.max_headers))

    def _content(self, data: memoryview) -> Iterator[PartData]:
        """Bytes before the next boundary: a part's own, or the preamble's, which nobody needs."""
        if not data:
            return
        self._line_start = False
        if self._state is _State.BODY:
            yield PartData(data)
        else:
            self._skip(len(data), self.limits.max_preamble_bytes)

    def _boundary(self, found: _Found) -> Iterator[Event]:
        """Move on from a boundary line."""
        if self._state is _State.BODY:
            yield PartEnd()
        elif found is _Found.LAST_BOUNDARY:
            raise MimeError("the multipart has no parts")
        if found is _Found.LAST_BOUNDARY:
            self._state, self._skipped = _State.EPILOGUE, 0
            return
        self._parts += 1
        if self._parts > self.limits.max_parts:
            raise MimeError(f"the multipart has more than {self.limits.max_parts} parts")
        self._state = _State.HEADERS

    def _skip(self, count: int, most: int) -> None:
        """Count what is read past, up to `most` bytes."""
        self._skipped += count
        if self._skipped > most:
            raise MimeError(f"the multipart has more than {most} bytes outside its parts")

    def _scan(self, buffer: bytes, at: int) -> tuple[int, int, _Found]:
        """Where the content from `at` on ends, where to go on after it, and why it ends there.

        Without a boundary the content ends before a line end that may yet turn out to begin one.
        """
        if self._line_start:
            if buffer.startswith(self._mark, at):
                hit = self._line(buffer, at, at + len(self._mark))
                if hit:
                    return hit
            elif len(buffer) - at < len(self._mark) and self._mark.startswith(buffer[at:]):
                return at, at, _Found.NOTHING
        start = at
        while (found := buffer.find(self._needle, start)) >= 0:
            hit = self._line(buffer, self._content_end(buffer, at, found), found + len(self._needle))
            if hit:
                return hit
            start = found + 1
        end = self._safe_end(buffer, at)
        return end, end, _Found.NOTHING

    def _line(self, buffer: bytes, end: int, after: int) -> tuple[int, int, _Found] | None:
        """What the rest of a boundary's line makes of it; None when the line goes on and so was content."""
        if rest := _REST.match(buffer, after):
            self._crlf = self._crlf or buffer[rest.end() - 2 : rest.end()] == b"\r\n" or buffer[end : end + 1] == b"\r"
            return end, rest.end(), _Found.LAST_BOUNDARY if rest[1] else _Found.BOUNDARY
        if len(buffer) - after <= _PADDING + 3 and _REST_SO_FAR.match(buffer, after):
            return end, end, _Found.NOTHING
        return None

    def _content_end(self, buffer: bytes, at: int, newline: int) -> int:
        """The line end before a boundary belongs to it (RFC 2046 section 5.1.1): LF, and CR if this message has any.

        In a message whose lines end in LF alone, a CR there is the document's last byte. What the message does is
        known once its first part, which is XML and never ends in a bare CR, is over.
        """
        has_cr = newline > at and buffer[newline - 1 : newline] == b"\r"
        return newline - 1 if has_cr and (self._crlf or self._parts <= 1) else newline

    def _safe_end(self, buffer: bytes, at: int) -> int:
        """Up to where the buffer cannot be part of a boundary still to come."""
        newline = buffer.rfind(b"\n", max(at, len(buffer) - len(self._needle)))
        if newline >= 0 and self._needle.startswith(buffer[newline:]):
            return self._content_end(buffer, at, newline)
        last = len(buffer) - 1
        if buffer[last:] == b"\r" and (self._crlf or self._parts <= 1):
            return last
        return len(buffer)
