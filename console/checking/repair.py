"""What `portolan check --repair` does: bytes that no entry points at go, and registered marks are settled.

Metadata is never touched. Before anything goes, the database is asked once more, in an order that leaves no moment at
which a registration could come to rely on bytes that are about to be removed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from common.db import Database
from console.checking.finding import WITHOUT_ENTRY, Finding
from registry.store import checking
from repository.storage import Blob, Damaged, DocumentStore, Missing


@dataclass(frozen=True)
class Repair:
    """Mends what can be mended without a person's judgement."""

    database: Database
    store: DocumentStore
    old: float
    """The age (seconds) from which an unregistered mark belongs to no registration that is under way."""

    def mend(self, finding: Finding, blob: Blob) -> Finding:
        """The finding, with what was done about it."""
        if blob.pending and blob.sha1:
            return replace(finding, repaired=self._of_mark(finding, blob))
        if finding.kind is WITHOUT_ENTRY:
            return replace(finding, repaired=self._of_settled(blob))
        return finding

    def _of_mark(self, finding: Finding, blob: Blob) -> str:
        try:
            if self._is_registered(blob):
                self.store.settle(blob)
                return "settled"
            if finding.kind.is_difference and not self._is_registered(blob):
                self.store.remove(blob)
                return "removed"
        except Missing:
            return "gone meanwhile"
        return ""

    def _of_settled(self, blob: Blob) -> str:
        """Settled bytes become an attempt again, marked; only then is the database asked whether they count.

        A registration that comes at this moment either found the settled bytes, and is seen by that question, or finds
        none and settles its own.
        """
        try:
            attempt = self._copied(blob)
        except Missing:
            return "gone meanwhile"
        except Damaged:
            attempt = None
        if attempt is None:
            return self._removed_damaged(blob)
        self.store.remove(blob)
        if self._is_registered(attempt):
            self.store.settle(attempt)
            return "kept: it was registered just now"
        self.store.remove(attempt)
        return "removed"

    def _removed_damaged(self, blob: Blob) -> str:
        """Bytes that are not what they say they are serve nobody, unless there is an entry to tell of."""
        with self.database.read() as work:
            if checking.entries_of(work, [blob.unique_id]):
                return ""
        self.store.remove(blob)
        return "removed"

    def _copied(self, blob: Blob) -> Blob:
        with self.store.read(blob) as reader, self.store.upload() as upload:
            for chunk in reader:
                upload.write(chunk)
            return upload.commit(blob.unique_id, blob.mime_type)

    def _is_registered(self, blob: Blob) -> bool:
        with self.database.read() as work:
            same = checking.entries_of(work, [blob.unique_id]).get(blob.unique_id, [])
        return any(kept.hash == blob.sha1 for kept in same)
