"""The sweeper's gauge: what is in doubt is counted, not what was swept."""

from __future__ import annotations

import time
from typing import Any, cast

from common.observe import metrics
from repository.registry import Registry, RegistryUnclear
from repository.settling import Settling, Sweeper
from repository.storage import Blob, DocumentStore

MARKED = Blob("1.2.3", "text/plain", "0" * 40, 1, 0, pending=True, stored_at=0.0, locator="x")


class Store:
    """Three marked documents, of which none ever goes."""

    def pending(self, older_than_seconds: float) -> list[Blob]:
        return [MARKED] * 3

    def uploads_abandoned(self, older_than_seconds: float) -> int:
        return 0


class Away:
    """A registry that cannot be asked."""

    def hash_of(self, unique_id: str) -> str | None:
        raise RegistryUnclear("away")


def test_d6_what_stays_in_doubt_is_seen_in_the_metrics() -> None:
    settling = Settling(cast(DocumentStore, cast(Any, Store())), cast(Registry, cast(Any, Away())))
    sweeper = Sweeper(settling, every=0.01, older_than=0)
    metrics.pending_documents(0)

    sweeper.start()
    until = time.monotonic() + 5
    while b"portolan_pending_documents 3.0" not in metrics.render() and time.monotonic() < until:
        time.sleep(0.01)
    sweeper.stop()

    assert b"portolan_pending_documents 3.0" in metrics.render()
