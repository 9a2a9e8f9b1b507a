"""Looks at what feeds tell in the light of the national record, beside the feed: no message waits for it."""

from __future__ import annotations

import logging
import queue
import threading
from collections import OrderedDict
from typing import Final

from identity.crossreference import CrossReference, Told
from identity.rules.identifiers import Key
from identity.tracing import Superseded, Tracing, TracingFailed, Unknown

log = logging.getLogger("portolan.tracing")

_MOST_WAITING: Final = 1_000
_MOST_REMEMBERED: Final = 50_000


class Checking:
    """Without a ``Tracing`` nothing is looked at."""

    def __init__(self, reference: CrossReference, tracing: Tracing | None) -> None:
        self._reference = reference
        self._tracing = tracing
        self._waiting: queue.Queue[tuple[Key, str]] = queue.Queue(_MOST_WAITING)
        self._seen: OrderedDict[Key, None] = OrderedDict()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def look(self, told: Told) -> None:
        """Have the NHS Numbers of an accepted message looked at, each once; what is too much is left out."""
        if self._tracing is None:
            return
        for key in told.keys:
            if self._reference.domain.is_national(key) and self._is_new(key):
                try:
                    self._waiting.put_nowait((key, told.message_id))
                except queue.Full:
                    log.warning("a number was not traced: too many wait")
                    self._forget(key)
                self._see_that_it_runs()

    def _is_new(self, key: Key) -> bool:
        with self._lock:
            if key in self._seen:
                return False
            self._seen[key] = None
            if len(self._seen) > _MOST_REMEMBERED:
                self._seen.popitem(last=False)
            return True

    def _forget(self, key: Key) -> None:
        with self._lock:
            self._seen.pop(key, None)

    def _see_that_it_runs(self) -> None:
        """Begun when there is something to do, so that it lives in the process that does it."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="tracing", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            key, message_id = self._waiting.get()
            try:
                self.check(key, message_id)
            except Exception:
                log.exception("tracing broke down")
                self._forget(key)
            finally:
                self._waiting.task_done()

    def check(self, key: Key, message_id: str) -> None:
        """One number, now; what an administrator has to know becomes a conflict, and nothing else is changed."""
        assert self._tracing is not None
        try:
            found = self._tracing.trace(key.extension)
        except TracingFailed as failed:
            log.warning("a number was not traced: %s", failed)
            self._forget(key)
            return
        if isinstance(found, Superseded):
            reason = "PDS has another number for this one: a candidate for a merge (A40), which is not made by itself"
            self._reference.note("superseded", (key, Key(key.root, found.by)), reason, message_id)
        elif isinstance(found, Unknown):
            self._reference.note("untraced", (key,), "PDS has no record of this number", message_id)

    def settle(self) -> None:
        """Wait until all that waits has been looked at."""
        self._waiting.join()
