"""The chunked transfer coding (RFC 9112 section 7.1), as a decoder that is given bytes and gives back content."""

from __future__ import annotations

import re
from typing import Final

_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n")
_MOST_LINE: Final = 1024
_MOST_TRAILER: Final = 8192


class BadChunk(Exception):  # noqa: N818
    """The coding is broken."""


class ChunkedDecoder:
    """Feed it bytes; ``ended`` once the last chunk and the trailer were there, and ``rest`` is what follows."""

    def __init__(self) -> None:
        self._held = b""
        self._left = 0
        self._state = "size"
        self._trailer = 0
        self.ended = False

    @property
    def rest(self) -> bytes:
        """What came after the end: the next request."""
        return self._held if self.ended else b""

    def feed(self, data: bytes) -> bytes:
        """The content that these bytes complete; BadChunk."""
        self._held += data
        out: list[bytes] = []
        while not self.ended and self._step(out):
            pass
        return out[0] if len(out) == 1 else b"".join(out)

    def _step(self, out: list[bytes]) -> bool:
        """One move; whether there may be another."""
        if self._state == "data":
            return self._data(out)
        end = self._held.find(b"\r\n")
        if end < 0:
            if len(self._held) > _MOST_LINE:
                raise BadChunk("a line does not end")
            return False
        if self._state == "size":
            self._size(end)
        elif self._state == "after":
            if end:
                raise BadChunk("a chunk is longer than it says")
            self._held, self._state = self._held[2:], "size"
        else:
            self._trailer += end + 2
            if self._trailer > _MOST_TRAILER:
                raise BadChunk("the trailer is too long")
            self._held, self.ended = self._held[end + 2 :], end == 0
        return True

    def _data(self, out: list[bytes]) -> bool:
        taken, self._held = self._held[: self._left], self._held[self._left :]
        self._left -= len(taken)
        if taken:
            out.append(taken)
        if self._left:
            return False
        self._state = "after"
        return True

    def _size(self, end: int) -> None:
        found = _SIZE.fullmatch(self._held, 0, end + 2)
        if found is None or end > _MOST_LINE:
            raise BadChunk("a chunk's size is malformed")
        self._left = int(found[1], 16)
        self._held = self._held[end + 2 :]
        self._state = "data" if self._left else "trailer"
