"""Syslog's frames over TLS, `LENGTH SP MESSAGE` (RFC 5425 section 4.3), by a reader that is given bytes in slices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_MOST_DIGITS: Final = 10
_DIGITS: Final = frozenset(b"0123456789")
_SPACE: Final = 0x20


@dataclass(frozen=True, slots=True)
class Broken:
    """The framing is lost: nobody can know where the next message begins."""

    reason: str


class Frames:
    """Takes bytes in, gives messages out; after a ``Broken`` it gives nothing more."""

    def __init__(self, most: int) -> None:
        """``most`` is the size of the largest message in bytes."""
        self._most = most
        self._kept = bytearray()
        self._wanted = 0
        self._broken = False

    @property
    def is_within(self) -> bool:
        """Whether a message has begun and is not all there."""
        return bool(self._kept) or self._wanted > 0

    def feed(self, data: bytes) -> Iterator[bytes | Broken]:
        """The messages that are complete now."""
        if self._broken:
            return
        self._kept += data
        start = 0
        while True:
            if not self._wanted:
                told = self._length(start)
                if isinstance(told, Broken):
                    self._broken = True
                    self._kept.clear()
                    yield told
                    return
                if told is None:
                    break
                self._wanted, start = told
            if len(self._kept) - start < self._wanted:
                break
            message = bytes(self._kept[start : start + self._wanted])
            start += self._wanted
            self._wanted = 0
            yield message
        del self._kept[:start]

    def _length(self, start: int) -> tuple[int, int] | Broken | None:
        """The length that stands there and where its message begins; None while it is not all there."""
        end = start
        while end < len(self._kept) and self._kept[end] in _DIGITS:
            end += 1
            if end - start > _MOST_DIGITS:
                return Broken("a length has too many digits")
        if end == len(self._kept):
            if end > start and self._kept[start] == ord("0"):
                return Broken("a length begins with 0")
            return None
        if self._kept[end] != _SPACE or end == start:
            return Broken("a message does not begin with its length")
        if self._kept[start] == ord("0"):
            return Broken("a length begins with 0")
        length = int(self._kept[start:end])
        if length > self._most:
            return Broken(f"a message of {length} bytes is larger than {self._most}")
        return length, end + 1
