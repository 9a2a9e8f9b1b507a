"""Writers to one SQLite file, in the order in which they came, across threads and processes."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class WriterQueue:
    """A lock file beside the database: ``flock`` wakes waiters at once, where SQLite would have them sleep."""

    def __init__(self, database: Path) -> None:
        self._threads = threading.Lock()
        self._path = database.with_name(database.name + ".writer")
        self._descriptor: int | None = None
        self._process = 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn, and hold it."""
        with self._threads:
            descriptor = self._opened()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(descriptor, fcntl.LOCK_UN)

    def _opened(self) -> int:
        """The lock file; a forked child opens its own, since a shared one would let it through."""
        if self._descriptor is None or self._process != os.getpid():
            self._descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            self._process = os.getpid()
        return self._descriptor
