"""Records of what one client is refused, kept sparingly: whoever knocks must not fill the audit trail.

Of each client one refusal of a kind is recorded in a minute, which tells how many before it were left out; of all
clients together no more than a bounded number. Who is counted is in memory that all workers of a service share, as with
``common/web/pacing.py``, in places that a keyed hash gives.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable
from typing import Final

from common.web.pacing import PLACES, place_of

EACH: Final = 60.0
MOST: Final = 100
"""Records of all clients in that time, in one service."""
# Of each place when it was told of last, and how many were left out since; then the same of all, told in this span.
_SIZE: Final = 2 * (PLACES + 1)
_SHARED: Final = memoryview(mmap.mmap(-1, 8 * _SIZE)).cast("d")


class Sparing:
    """Which refusals are recorded. Two workers that write at once may forget one, or record one more."""

    def __init__(self, counts: memoryview[float] = _SHARED, now: Callable[[], float] = time.monotonic) -> None:
        self._counts, self._now = counts, now

    @classmethod
    def alone(cls, now: Callable[[], float]) -> Sparing:
        """One that shares nothing, with a clock of its own."""
        return cls(memoryview(bytearray(8 * _SIZE)).cast("d"), now)

    def more(self, kind: str, client: str) -> int | None:
        """How many were left out before this one; None where this one is, too."""
        counts, now, at = self._counts, self._now(), 2 * place_of(f"{kind} {client}")
        if (counts[at] and now - counts[at] < EACH) or not self._has_room(now):
            counts[at + 1] += 1
            return None
        left_out = int(counts[at + 1])
        counts[at], counts[at + 1] = now, 0
        return left_out

    def _has_room(self, now: float) -> bool:
        counts, at = self._counts, 2 * PLACES
        if not counts[at] or now - counts[at] >= EACH:
            counts[at], counts[at + 1] = now, 0
        if counts[at + 1] >= MOST:
            return False
        counts[at + 1] += 1
        return True


def with_count(told: str, left_out: int) -> str:
    """A sentence that tells of those before it as well."""
    return f"{told} ({left_out} more like it since the last record)" if left_out else told
