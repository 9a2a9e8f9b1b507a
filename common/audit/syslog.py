"""Records as syslog messages (RFC 5424) in frames that count their octets (RFC 5425 section 4.3)."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

FAILURE: Final = 84
NOTICE: Final = 85
"""Facility 10, severity 4 and 5 (ITI TF-2 3.20.4.1.1.1)."""
MSGID: Final = "IHE+RFC-3881"
LAST: Final = b"</AuditMessage>"
_NOT_PRINTABLE: Final = re.compile(r"[^!-~]+")
_BEGINNING: Final = re.compile(rb"[1-9][0-9]{0,7} <8[45]>1 ")
_MOST_DIGITS: Final = 8


def name_of(text: str, longest: int) -> str:
    """A field of the header: printable ASCII without spaces, not too long; ``-`` where nothing is left."""
    return _NOT_PRINTABLE.sub("_", text.strip())[:longest] or "-"


class Clock:
    """Times in microseconds, UTC, of which none comes twice in a process: so no two records are the same bytes."""

    def __init__(self, now: Callable[[], int] = time.time_ns) -> None:
        """``now`` in nanoseconds since the epoch."""
        self._now = now
        self._lock = threading.Lock()
        self._last = 0
        self._second, self._text = -1, ""

    def __call__(self) -> str:
        """The next one, as RFC 3339 has it; a clock that is set back does not set this one back."""
        with self._lock:
            self._last = last = max(self._now() // 1000, self._last + 1)
            second, micro = divmod(last, 1_000_000)
            if second != self._second:
                self._second, self._text = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            return f"{self._text}.{micro:06d}Z"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who sends: HOSTNAME, APP-NAME, PROCID."""

    host: str
    app: str
    process: str

    @property
    def fields(self) -> str:
        """As they stand in the header."""
        return f"{name_of(self.host, 255)} {name_of(self.app, 48)} {name_of(self.process, 128)}"


def syslog_of(xml: str, at: str, fields: str, *, failed: bool) -> bytes:
    """A record as a syslog message."""
    return f"<{FAILURE if failed else NOTICE}>1 {at} {fields} {MSGID} - {xml}".encode()


def framed(xml: str, at: str, fields: str, *, failed: bool) -> bytes:
    """One frame: its length, a space, the message."""
    return in_frame(syslog_of(xml, at, fields, failed=failed))


def in_frame(message: bytes) -> bytes:
    """A syslog message in its frame."""
    return b"%d %b" % (len(message), message)


@dataclass(frozen=True, slots=True)
class Frames:
    """How far whole frames reach into some bytes, where each begins, and whether what follows them is none."""

    starts: tuple[int, ...]
    end: int
    is_broken: bool = False


def frames_in(data: bytes, start: int = 0) -> Frames:
    """The whole frames from a place on; what is there of the next one may still be being written."""
    starts: list[int] = []
    at, size = start, len(data)
    while at < size and data[at]:  # a file is longer than what was written to it, and zero there
        space = data.find(b" ", at, at + _MOST_DIGITS + 1)
        if space < 0:
            is_begun = size - at <= _MOST_DIGITS and data[at:].isdigit()
            return Frames(tuple(starts), at, not is_begun)
        digits = data[at:space]
        if not digits.isdigit():
            return Frames(tuple(starts), at, True)
        end = space + 1 + int(digits)
        if end > size:
            break
        if not data.endswith(LAST, space, end) or data.find(0, space, end) >= 0:
            return Frames(tuple(starts), at, True)
        starts.append(at)
        at = end
    return Frames(tuple(starts), at)


def next_frame(data: bytes, start: int) -> int:
    """Where something begins, beyond a place, that may be a frame; -1 where nothing does."""
    found = _BEGINNING.search(data, start)
    return found.start() if found else -1


def time_of(frame: bytes) -> str:
    """The header's TIMESTAMP; empty where there is none."""
    parts = frame[:80].split(b" ", 3)
    return parts[2].decode("ascii", "replace") if len(parts) > 3 else ""
