"""Writes of which the operating system makes a copy at once, without letting another thread have the interpreter.

``os.pwrite`` lets go of the interpreter's lock, and a thread that takes it meanwhile keeps it until it has to wait for
something itself: a write of 3 µs then takes as long as others think. So a short one is made with the lock held, by
``ctypes.PyDLL``. Should the disk be so slow that even this waits, everybody would wait with it; so after one that took
long the ordinary way is taken for a while.
"""

from __future__ import annotations

import ctypes
import os
import time
from typing import Final

_LONG: Final = 0.002
_PENANCE: Final = 10.0
_MOST: Final = 64 * 1024


class QuickWriter:
    """Writes to files of one process; to be used by one thread at a time."""

    def __init__(self) -> None:
        try:
            self._pwrite = ctypes.PyDLL(None).pwrite64
        except (OSError, AttributeError):  # another C library; then the ordinary way will do
            self._until = float("inf")
            return
        self._pwrite.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int64)
        self._pwrite.restype = ctypes.c_ssize_t
        self._until = 0.0

    def write(self, fd: int, data: bytes, at: int) -> int:
        """How much was written, as ``os.pwrite`` says; OSError."""
        began = time.monotonic()
        if began < self._until or len(data) > _MOST:
            return os.pwrite(fd, data, at)
        written = int(self._pwrite(fd, data, len(data), at))
        if written < 0:
            return os.pwrite(fd, data, at)  # which says why, or goes on where it was but a signal
        if time.monotonic() - began > _LONG:
            self._until = time.monotonic() + _PENANCE
        return written
