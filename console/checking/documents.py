"""Holds the Registry's entries against the Repository's bytes, both ways.

Services may go on meanwhile: bytes are durable before their entry can be seen, so what is read first is the entry. A
difference is told only when it is still there on a second look.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Final

from common.db import Database
from console.checking.finding import (
    AWAITING,
    DAMAGED,
    DIFFERS,
    ELSEWHERE,
    MARK,
    OLD_MARK,
    REMOVED,
    UNREADABLE,
    WITHOUT_BYTES,
    WITHOUT_ENTRY,
    Finding,
    Findings,
    Kind,
)
from console.checking.paging import PAGE, entry_pages
from console.checking.repair import Repair
from registry.store import checking, removing
from registry.store.checking import KeptEntry
from repository.storage import Blob, Damaged, DocumentStore, Missing

_AT_ONCE: Final = 8


@dataclass(frozen=True)
class Documents:
    """One Repository's store beside the Registry's database."""

    database: Database
    store: DocumentStore
    repository_unique_id: str
    old: float
    """The age (seconds) at which the sweeper should have settled a mark."""

    def entries(self, *, deep: bool) -> Findings:
        """Whether every entry has its bytes; ``deep`` hashes them all."""
        with ThreadPoolExecutor(_AT_ONCE, "check") as threads:
            for page in entry_pages(self.database, lambda _work, kept: kept):
                ours = [kept for kept in page if kept.is_stable and self._is_ours(kept)]
                for kept, kind in zip(ours, threads.map(lambda kept: self._wrong(kept, deep), ours), strict=True):
                    if kind is not None and self._still_registered(kept) and (kind := self._wrong(kept, deep)):
                        yield Finding(kind, kept.unique_id, f"entry {kept.entry_uuid}")

    def _is_ours(self, kept: KeptEntry) -> bool:
        return kept.repository_unique_id == self.repository_unique_id

    def _still_registered(self, kept: KeptEntry) -> bool:
        with self.database.read() as work:
            same = checking.entries_of(work, [kept.unique_id]).get(kept.unique_id, [])
        return kept in same

    def _wrong(self, kept: KeptEntry, deep: bool) -> Kind | None:
        """What is wrong with the bytes of an entry, if anything is."""
        blobs = self.store.find(kept.unique_id)
        right = next((blob for blob in blobs if _fits(kept, blob)), None)
        if right is None:
            if any(not blob.sha1 for blob in blobs):
                return DAMAGED
            if blobs:
                return DIFFERS
            if self.store.tombstone(kept.unique_id):
                return REMOVED
            return None if kept.is_offline else WITHOUT_BYTES
        try:
            if deep:
                self.store.verify(right)
            else:
                self.store.read(right).close()
        except Missing:
            return WITHOUT_BYTES
        except Damaged:
            return DAMAGED
        return None

    def blobs(self, repair: Repair | None) -> Findings:
        """Whether all bytes have their entry; with ``repair`` those that have none are removed."""
        for page in _pages(self.store.all()):
            with self.database.read() as work:
                names = {blob.unique_id for blob in page if blob.sha1}
                known = checking.entries_of(work, names)
                gone = removing.unique_ids_removed(work, names - known.keys())
            for blob in page:
                finding = self._of_blob(blob, known.get(blob.unique_id, []), gone)
                if finding is not None:
                    yield repair.mend(finding, blob) if repair else finding

    def _of_blob(self, blob: Blob, same: Sequence[KeptEntry], gone: Mapping[str, str]) -> Finding | None:
        if not blob.sha1:
            return Finding(UNREADABLE, blob.unique_id or blob.locator, "marked" if blob.pending else "")
        if blob.pending:
            return self._of_mark(blob, same)
        if not same and blob.unique_id in gone:
            return Finding(AWAITING, blob.unique_id, f"since {gone[blob.unique_id]} UTC")
        if not same:
            return Finding(WITHOUT_ENTRY, blob.unique_id, f"{blob.size} bytes")
        if not any(self._is_ours(kept) for kept in same):
            return Finding(ELSEWHERE, blob.unique_id, f"it names {same[0].repository_unique_id}")
        return None

    def _of_mark(self, blob: Blob, same: Sequence[KeptEntry]) -> Finding:
        age = max(0.0, time.time() - blob.stored_at)
        registered = "registered" if any(kept.hash == blob.sha1 for kept in same) else "not registered"
        return Finding(OLD_MARK if age >= self.old else MARK, blob.unique_id, f"{_shown_age(age)} old, {registered}")


def _fits(kept: KeptEntry, blob: Blob) -> bool:
    return kept.hash in (None, blob.sha1) and kept.size in (None, str(blob.size))


def _pages(blobs: Iterable[Blob]) -> Iterator[list[Blob]]:
    waiting = iter(blobs)
    while page := list(islice(waiting, PAGE)):
        yield page


def _shown_age(seconds: float) -> str:
    """An age for people: 42 s, 5 min, 3 h, 2 days."""
    for unit, length, most in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if seconds < most:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds // 86_400:.0f} days"
