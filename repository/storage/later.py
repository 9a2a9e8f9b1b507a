"""Work that need not be done before an answer goes out, done in batches by one background thread.

Only what a crash may undo without harm belongs here: what was put off is found again by the sweeper.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from repository.storage.errors import StorageError

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Later(Generic[T]):
    """Collects items for `pause` seconds and hands them to `work` as one list; at most `most` wait."""

    def __init__(self, work: Callable[[list[T]], None], pause: float = 0.2, most: int = 5_000) -> None:
        self._work = work
        self._pause = pause
        self._most = most
        self._items: list[T] = []
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._arrived = threading.Condition()
        self._working = threading.Lock()

    def add(self, item: T) -> None:
        """Put one item off; when too many wait already, the caller does the work, which slows it down fairly."""
        with self._arrived:
            self._items.append(item)
            full = len(self._items) > self._most
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(target=self._run, name="storage-later", daemon=True)
                self._thread.start()
            self._arrived.notify()
        if full or self._closing.is_set():
            self.flush()

    def flush(self) -> None:
        """Do now all that was put off, and wait for what is being done; raises nothing, since it was only put off."""
        with self._working:
            with self._arrived:
                batch, self._items = self._items, []
            if not batch:
                return
            try:
                self._work(batch)
            except StorageError as error:
                _log.warning("left for the sweeper: %d marks of settled documents (%s)", len(batch), error)

    def close(self) -> None:
        """Do what was put off and end the thread."""
        self._closing.set()
        with self._arrived:
            thread, self._thread = self._thread, None
            self._arrived.notify_all()
        if thread is not None:
            thread.join(timeout=30)
        self.flush()

    def _run(self) -> None:
        while not self._closing.is_set():
            with self._arrived:
                self._arrived.wait_for(lambda: bool(self._items) or self._closing.is_set())
            self._closing.wait(self._pause)
            self.flush()
