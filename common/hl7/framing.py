"""The Minimal Lower Layer Protocol as a codec: bytes in any slices come in, whole messages come out.

A block is 0x0B, the message, 0x1C 0x0D (HL7 v2, Transport Specification: MLLP release 1). Nothing is read or sent
here, and what waits for its end is bounded. Whatever breaks the framing ends the conversation: nobody can know where
the next message would begin.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

START: Final = b"\x0b"
END: Final = b"\x1c\r"
MOST_GARBAGE: Final = 1024
"""Bytes between blocks that are passed over: line ends, and what a port scanner says."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole message, without its framing."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Broken:
    """The framing is wrong, and nothing after this can be understood; in words that repeat nothing."""

    reason: str


FrameEvent = Frame | Broken


def framed(message: bytes) -> bytes:
    """A message as one block."""
    return START + message + END


class FrameReader:
    """Finds the blocks in a stream; the events do not depend on how the stream was cut."""

    def __init__(self, max_bytes: int) -> None:
        self._most = max_bytes
        self._buffer = bytearray()
        self._inside = False
        self._garbage = 0
        self._seen = 0
        self._broken = False

    @property
    def is_within(self) -> bool:
        """Whether a block has begun that is not complete yet."""
        return self._inside

    def feed(self, data: bytes) -> Iterator[FrameEvent]:
        """What some more bytes complete."""
        if self._broken:
            return
        self._buffer += data
        while not self._broken:
            event = self._within() if self._inside else self._between()
            if event is None:
                return
            self._broken = isinstance(event, Broken)
            yield event

    def close(self) -> Iterator[FrameEvent]:
        """The stream has ended."""
        if self._inside and not self._broken:
            self._broken = True
            yield Broken("the connection ended within a message")

    def _between(self) -> FrameEvent | None:
        """Pass over what stands before the next block."""
        start = self._buffer.find(START)
        passed = len(self._buffer) if start < 0 else start
        self._garbage += passed
        if self._garbage > MOST_GARBAGE:
            return Broken(f"more than {MOST_GARBAGE} bytes came that are not within a block of MLLP")
        del self._buffer[: passed + (start >= 0)]
        if start >= 0:
            self._inside, self._garbage, self._seen = True, 0, 0
            return self._within()
        return None

    def _within(self) -> FrameEvent | None:
        """Look for the end in what has not been looked at."""
        begin = max(0, self._seen - 1)
        end = self._buffer.find(END, begin)
        again = self._buffer.find(START, begin, None if end < 0 else end)
        self._seen = len(self._buffer)
        if 0 <= again <= self._most:
            return Broken("a message began within another one")
        if end > self._most or (end < 0 and len(self._buffer) > self._most + 1):
            return Broken(f"the message has more than {self._most} bytes")
        if end < 0:
            return None
        message = bytes(self._buffer[:end])
        del self._buffer[: end + len(END)]
        self._inside = False
        return Frame(message)
