"""What becomes of stored bytes whose registration is in doubt: the registry is asked, and is right."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from common.faults import checkpoint
from common.observe import metrics
from repository.on_demand.definition import MIME_TYPE as ON_DEMAND
from repository.registry import Registry, RegistryUnclear
from repository.storage import Blob, Buried, DocumentStore, StorageError

log = logging.getLogger("portolan.settling")


class Settling:
    """Decides about marked documents."""

    def __init__(
        self, store: DocumentStore, registry: Registry, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """``monotonic`` tells seconds, whatever becomes of the time of day."""
        self._store = store
        self._registry = registry
        self._monotonic = monotonic
        self._seen: dict[str, float] = {}

    def settle(self, blob: Blob) -> Blob | None:
        """The document without its mark if it is registered, else ``None``; RegistryUnclear if nobody knows."""
        if not self._is_registered(blob):
            return None
        try:
            settled = self._store.settle(blob)
        except Buried:
            self._store.remove(blob)
            return None
        checkpoint("mark.removed")
        return settled

    def _is_registered(self, blob: Blob) -> bool:
        if blob.mime_type == ON_DEMAND:
            return self._registry.on_demand_entry(blob.unique_id) is not None
        return self._registry.hash_of(blob.unique_id) == blob.sha1

    def sweep(self, older_than: float) -> tuple[int, int]:
        """Settle or remove what has been marked for ``older_than`` seconds; how many of each.

        A clock that jumps makes a mark of this moment look old. So a mark is taken for old only by who has seen it for
        so long: its registration may be under way, and would be left without its bytes.
        """
        settled = removed = 0
        seen, now = self._seen, self._monotonic()
        self._seen = {}
        for blob in self._store.pending(older_than):
            first = self._seen[blob.locator] = seen.get(blob.locator, now)
            try:
                if self.settle(blob) is not None:
                    settled += 1
                elif now - first >= older_than:
                    self._store.remove(blob)
                    removed += 1
            except RegistryUnclear:
                log.info("the registry does not answer; marked documents stay")
                self._seen = {**seen, **self._seen}
                break
            except StorageError as error:
                log.error("a marked document could not be settled: %s", error)
        removed += self._store.uploads_abandoned(older_than)
        return settled, removed

    def in_doubt(self) -> int:
        """How many documents are marked, however short a time."""
        return sum(1 for _ in self._store.pending(0))


class Sweeper:
    """Sweeps every now and then in a thread of its own. Several may run: each step is harmless twice."""

    def __init__(self, settling: Settling, *, every: float, older_than: float) -> None:
        """Times in seconds."""
        self._settling = settling
        self._every, self._older_than = every, older_than
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, within a few seconds."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            try:
                settled, removed = self._settling.sweep(self._older_than)
                metrics.pending_documents(self._settling.in_doubt())
                if settled or removed:
                    log.info("swept", extra={"settled": settled, "removed": removed})
            except Exception:
                log.exception("a sweep broke down; the next one tries again")
