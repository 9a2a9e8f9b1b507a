"""The store in a bucket of an S3 service; `s3_keys.py` says how documents lie there."""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from common.faults import checkpoint
from repository.storage.errors import Busy, Conflict, Damaged, Failed, Missing
from repository.storage.footer import buried
from repository.storage.interface import CHUNK, Blob, Reader, Tombstone
from repository.storage.later import Later
from repository.storage.recent import Recent
from repository.storage.s3_keys import (
    INCOMING,
    PENDING,
    as_settled,
    burial_mark_key,
    data_key,
    data_of_mark,
    document_key,
    is_alone,
    mark_key,
    read,
    written,
    written_tomb,
)
from repository.storage.s3_reader import S3Reader
from repository.storage.s3_shelves import S3Shelves
from repository.storage.s3_upload import S3Upload
from repository.storage.s3_whole import WholeReader, whole
from repository.storage.s3_wire import Wire

_REMEMBERED = 16_384
_FRESH_SECONDS = 0.5  # less than any sweeper waits
_BESIDE = 16  # looks for tombstones that go on at a time
_log = logging.getLogger(__name__)


class S3Store:
    """A DocumentStore in an S3 bucket."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._shelves = S3Shelves(wire)
        self._later: Later[str] = Later(self._remove_all)
        self._verified: Recent[str, str] = Recent(_REMEMBERED)
        self._committed_lately: Recent[str, float] = Recent(_REMEMBERED)
        self._beside = ThreadPoolExecutor(_BESIDE, "tombstones")

    @classmethod
    def connect(cls, bucket: str, endpoint: str, access_key: str, secret_key: str, region: str = "") -> S3Store:
        """Open a bucket, and make it where it is absent; a service that does not answer yet is left for later."""
        wire = Wire(bucket, endpoint, access_key, secret_key, region)
        with contextlib.suppress(Busy):
            wire.require_bucket()
        return cls(wire)

    def upload(self) -> S3Upload:
        """Begin to store a document."""
        return S3Upload(self._wire, self._later.add, self._looking, self._committed)

    def _committed(self, blob: Blob) -> None:
        self._committed_lately.put(blob.locator, time.monotonic())

    def _looking(self, unique_id: str) -> Future[Tombstone | None]:
        """Look for a tombstone while the bytes are on their way, so that it costs no time of its own."""
        return self._beside.submit(self.tombstone, unique_id)

    def find(self, unique_id: str) -> list[Blob]:
        """The settled blob alone, else the pending ones whose bytes are there, oldest first."""
        settled = self._shelves.settled(unique_id)
        if settled:
            return [settled]
        marks = map(self._shelves.marked, self._shelves.marks(unique_id))
        found = sorted(filter(None, marks), key=lambda blob: blob.stored_at)
        if found and self.tombstone(unique_id):
            return []  # copies that a cut burial has left
        settled = None if found else self._shelves.settled(unique_id)  # it may have been settled while we looked
        return [settled] if settled else found

    def read(self, blob: Blob, chunk_size: int = CHUNK) -> Reader:
        """Open a document for reading, or read from what `find` has brought along."""
        if not blob.sha1:
            raise Damaged("the description of a document cannot be read")
        if blob.content is not None:
            return WholeReader(blob, blob.content, chunk_size)
        try:
            seen = (
                self._verified if is_alone(blob.locator) else None
            )  # a line before small ones tells less, at no less cost
            return S3Reader(self._wire, blob, chunk_size, verified=seen)
        except Missing:
            self._shelves.forget(blob.unique_id)  # another process has removed it
            if not blob.pending:
                raise
        settled = self._shelves.settled_now(blob.unique_id)  # or settled it, and taken the mark away
        if settled is None or not settled.same_content(blob):
            raise Missing("the document was removed before it was settled")
        return self.read(settled, chunk_size)

    def verify(self, blob: Blob) -> None:
        """Check all bytes by SHA-1, unless the very same object was checked before; small ones each time."""
        if not is_alone(blob.locator):
            self._require_hash(blob)
            return
        try:
            identity = self._wire.stat(blob.locator).identity
        except Missing:
            self._shelves.forget(blob.unique_id)  # another process has removed it
            raise
        if self._verified.get(blob.locator) != identity:
            self._require_hash(blob)
            self._verified.put(blob.locator, identity)

    def _require_hash(self, blob: Blob) -> None:
        with self.read(blob) as reader:
            reader.require_hash()

    def settle(self, blob: Blob) -> Blob:
        """Put the settled object where only one can be; the store decides between racers."""
        if not blob.pending:
            return self._settled_like(blob).bare()
        settled = self._settled_now(blob).bare()
        if is_alone(blob.locator) and settled.locator != blob.locator:
            self._wire.remove(blob.locator)
        checkpoint("mark.removed")
        self._shelves.remember(settled)
        self._later.add(mark_key(blob.unique_id, blob.locator))
        return settled

    def _settled_now(self, blob: Blob) -> Blob:
        settled = as_settled(blob)
        try:
            content = self._to_settle(settled) if is_alone(blob.locator) else self._arrived(blob)
            self._wire.put(document_key(blob.unique_id), content, only_if_absent=True)
        except (Conflict, Missing):
            return self._settled_like(blob)  # joined attempts need no bytes of their own
        return settled

    def _arrived(self, blob: Blob) -> bytes:
        """The settled object of a small document, which is its mark once more; raises Missing, Damaged.

        Bytes that were committed here and are still in hand need no look whether a sweeper elsewhere took the mark:
        what is settled holds all it needs.
        """
        is_in_hand = blob.content is not None and self._committed_lately.get(blob.locator) is not None
        found = blob if is_in_hand else read(self._wire.get(blob.locator), blob.locator)
        if found.content is None:
            raise Damaged("the stored bytes are not those that were acknowledged")
        return whole(found, found.content)

    def _to_settle(self, settled: Blob) -> bytes:
        """The settled object of a large document. Raises Missing rather than name what a sweeper has removed.

        No sweeper removes what was put here a moment ago.
        """
        committed = self._committed_lately.get(settled.locator)
        if committed is None or time.monotonic() - committed >= _FRESH_SECONDS:
            self._wire.stat(settled.locator)
        return written(settled)

    def _settled_like(self, blob: Blob) -> Blob:
        settled = self._shelves.settled_now(blob.unique_id)
        if settled is None:
            if tombstone := self.tombstone(blob.unique_id):
                raise buried(tombstone)
            raise Missing("the document was removed before it was settled")
        if not settled.same_content(blob):
            raise Conflict("another content is settled under this uniqueId")
        return settled

    def remove(self, blob: Blob) -> None:
        """Remove an attempt that is not settled, or a settled document and its bytes."""
        self._committed_lately.forget(blob.locator)
        if blob.pending and not is_alone(blob.locator):
            self._wire.remove(blob.locator)  # what was settled of it is an object of its own
            return
        settled = self._shelves.settled_now(blob.unique_id)
        self._shelves.forget(blob.unique_id)
        if is_alone(blob.locator):
            self._remove_large(blob, is_settled=settled is not None and settled.locator == blob.locator)
        elif settled == blob:
            self._wire.remove(document_key(blob.unique_id))

    def _remove_large(self, blob: Blob, *, is_settled: bool) -> None:
        if blob.pending and is_settled:
            return
        mark = mark_key(blob.unique_id, blob.locator)
        if is_settled:
            # Marked again first: if we die between the two removals, the sweeper finds the bytes by their mark.
            self._wire.put(mark, written(blob))
            self._wire.remove(document_key(blob.unique_id))
        self._wire.remove(blob.locator)
        self._wire.remove_many([mark, burial_mark_key(blob.unique_id, blob.locator)])

    def bury(self, blob: Blob, message_id: str = "") -> None:
        """Put a tombstone over the settled object, then remove the bytes beside it and every marked copy."""
        if self.tombstone(blob.unique_id) is None:
            settled = self._settled_like(blob)
            self._shelves.forget(blob.unique_id)
            if is_alone(settled.locator):
                # Marked again first: if we die behind the tombstone, the sweeper finds the bytes by their mark.
                self._wire.put(burial_mark_key(blob.unique_id, settled.locator), written(settled))
            checkpoint("tomb.synced")
            tombstone = Tombstone.of(blob, time.time(), message_id)
            self._wire.put(document_key(blob.unique_id), written_tomb(tombstone))
            checkpoint("blob.buried")
        self.clear_copies(blob.unique_id)

    def clear_copies(self, unique_id: str) -> None:
        """Remove what a burial that was cut off has left."""
        if self.tombstone(unique_id) is None:
            return
        for mark in list(self._shelves.marks(unique_id)):
            self._wire.remove(data_of_mark(mark))
            self._wire.remove(mark)
        self._shelves.forget(unique_id)
        checkpoint("copies.removed")

    def tombstone(self, unique_id: str) -> Tombstone | None:
        """What is left of a document that was buried."""
        return self._shelves.tombstone(unique_id)

    def pending(self, older_than_seconds: float) -> Iterator[Blob]:
        """The blobs whose mark is at least that old; marks left over by a crash after settling are let go."""
        for mark in self._shelves.old_marks(older_than_seconds):
            blob = self._shelves.marked(mark)
            if blob is None:
                continue
            if self._shelves.settled_now(blob.unique_id) == as_settled(blob):
                self._later.add(mark)
            else:
                yield blob.bare()

    def uploads_abandoned(self, older_than_seconds: float) -> int:
        """Abort uploads that gave no sign of life for so long, and remove marks whose bytes never came.

        An upload that runs says so once a minute, so a shorter time than a few minutes is for tests only. What arrived
        whole is never half there: were it unreadable, it would be damaged, or of a later release, and somebody's.
        """
        old = self._shelves.old
        return sum(self._aborted(item.key) for item in old(INCOMING, older_than_seconds)) + sum(
            self._unmarked(item.key) for item in old(PENDING, older_than_seconds)
        )

    def _aborted(self, key: str) -> bool:
        try:
            upload = self._wire.get(key).decode("ascii", "replace")
        except Missing:
            return False
        self._wire.abort_parts(data_key(key.removeprefix(INCOMING)), upload)
        self._wire.remove(key)
        return True

    def _unmarked(self, key: str) -> bool:
        if self._shelves.marked(key):
            return False
        self._wire.remove(key)
        return True

    def all(self) -> Iterator[Blob]:
        """Every blob, pending ones first, so that one that is settled meanwhile is met at least once."""
        yield from self.pending(0)
        yield from self._shelves.unreadable_arrivals()
        yield from self._shelves.all_settled()

    def probe(self) -> None:
        """Put, get and remove a small object, in a bucket that is made if it is absent."""
        self._wire.require_bucket()
        key = f"probe/{secrets.token_hex(8)}"
        try:
            self._wire.put(key, b"probe")
            if self._wire.get(key) != b"probe":
                raise Failed("the object store did not give back what it was given")
        finally:
            self._wire.remove(key)

    def close(self) -> None:
        """Let go of the marks of settled documents, and of the connections."""
        self._later.close()
        self._beside.shutdown()
        self._wire.close()

    def _remove_all(self, keys: list[str]) -> None:
        self._wire.remove_many(keys)
        checkpoint("mark.swept")
