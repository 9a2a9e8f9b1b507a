"""What the processes that share a listening socket know of each other."""

from __future__ import annotations

import struct
import time
from typing import Any


class Share:
    """How many connections each process has, for all of them to see."""

    def __init__(self, size: int, number: int, counts: Any) -> None:
        """``counts`` is memory that all share, four bytes for each."""
        self._size, self._number, self._counts = size, number, counts

    def count(self, connections: int) -> None:
        """Say how many connections this one has."""
        struct.pack_into("I", self._counts, 4 * self._number, connections)

    def give_way(self) -> None:
        """Let those who have fewer connections be first to take the next one."""
        counts = struct.unpack_from(f"{self._size}I", self._counts)
        if counts[self._number] > min(counts):
            time.sleep(0.001)
