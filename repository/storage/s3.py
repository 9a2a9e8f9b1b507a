"""The store in a bucket of an S3 service; `s3_keys.py` says how documents lie there."""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from common.faults import checkpoint
from repository.storage.errors import Busy, Conflict, Damaged, Failed, Missing
from repository.storage.footer import buried
from repository.storage.interface import CHUNK, Blob, Tombstone
from repository.storage.later import Later
from repository.storage.recent import Recent
from repository.storage.s3_keys import (
    DOCUMENTS,
    INCOMING,
    PENDING,
    burial_mark_key,
    data_key,
    data_of_mark,
    document_key,
    mark_key,
    marks_prefix,
    read,
    read_tomb,
    written,
    written_tomb,
)
from repository.storage.s3_reader import S3Reader
from repository.storage.s3_upload import S3Upload
from repository.storage.s3_wire import Listed, Wire

_REMEMBERED = 16_384
_FRESH_SECONDS = 0.5  # less than any sweeper waits
_BESIDE = 16  # looks for tombstones that go on at a time
_log = logging.getLogger(__name__)


class S3Store:
    """A DocumentStore in an S3 bucket."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._later: Later[str] = Later(self._remove_all)
        self._settled_lately: Recent[str, Blob] = Recent(_REMEMBERED)
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
        settled = self._settled(unique_id)
        if settled:
            return [settled]
        marks = [self._marked(mark.key) for mark in self._wire.listed(marks_prefix(unique_id))]
        found = sorted(filter(None, marks), key=lambda blob: blob.stored_at)
        if found and self.tombstone(unique_id):
            return []  # copies that a cut burial has left
        settled = None if found else self._settled(unique_id)  # it may have been settled while we looked
        return [settled] if settled else found

    def _settled(self, unique_id: str, *, remembered: bool = True) -> Blob | None:
        known = self._settled_lately.get(unique_id) if remembered else None
        if known:
            return known
        try:
            blob = read(self._wire.get(document_key(unique_id)), pending=False)
        except Missing:
            return None
        except Damaged:
            return Blob(unique_id, "", "", 0, 0, False, 0.0, document_key(unique_id))
        self._settled_lately.put(unique_id, blob)
        return blob

    def _marked(self, key: str) -> Blob | None:
        """The pending blob of a mark; None when mark or bytes are absent: then nobody was told of the document."""
        try:
            blob = read(self._wire.get(key), pending=True)
            self._wire.stat(blob.locator)
        except (Missing, Damaged):
            return None
        return blob

    def read(self, blob: Blob, chunk_size: int = CHUNK) -> S3Reader:
        """Open a document for reading."""
        if not blob.sha1:
            raise Damaged("the description of a document cannot be read")
        try:
            return S3Reader(self._wire, blob, chunk_size)
        except Missing:
            self._settled_lately.forget(blob.unique_id)  # another process has removed it
            raise

    def verify(self, blob: Blob) -> None:
        """Check all bytes by SHA-1, unless the very same object was checked before."""
        try:
            identity = self._wire.stat(blob.locator).identity
        except Missing:
            self._settled_lately.forget(blob.unique_id)  # another process has removed it
            raise
        if self._verified.get(blob.locator) == identity:
            return
        with self.read(blob) as reader:
            reader.require_hash()
        self._verified.put(blob.locator, identity)

    def settle(self, blob: Blob) -> Blob:
        """Put the description where only one can be; the store decides between racers."""
        if not blob.pending:
            return self._settled_like(blob)
        settled = replace(blob, pending=False)
        self._require_data(blob)
        try:
            self._wire.put(document_key(blob.unique_id), written(settled), only_if_absent=True)
        except Conflict:
            settled = self._settled_like(blob)
            if settled.locator != blob.locator:
                self._wire.remove(blob.locator)
        checkpoint("mark.removed")
        self._settled_lately.put(blob.unique_id, settled)
        self._later.add(mark_key(blob.unique_id, blob.locator))
        return settled

    def _require_data(self, blob: Blob) -> None:
        """Raise Missing rather than settle what a sweeper has removed; joined attempts need no bytes of their own.

        No sweeper removes what was put here a moment ago.
        """
        committed = self._committed_lately.get(blob.locator)
        if committed is not None and time.monotonic() - committed < _FRESH_SECONDS:
            return
        try:
            self._wire.stat(blob.locator)
        except Missing:
            self._settled_like(blob)

    def _settled_like(self, blob: Blob) -> Blob:
        settled = self._settled(blob.unique_id, remembered=False)
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
        self._settled_lately.forget(blob.unique_id)
        settled = self._settled(blob.unique_id, remembered=False)
        self._settled_lately.forget(blob.unique_id)
        is_settled = settled is not None and settled.locator == blob.locator
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
        """Put a tombstone over the settled description, then remove the bytes and every marked copy."""
        if self.tombstone(blob.unique_id) is None:
            self._settled_like(blob)
            self._settled_lately.forget(blob.unique_id)
            # Marked again first: if we die behind the tombstone, the sweeper finds the bytes by their mark.
            self._wire.put(burial_mark_key(blob.unique_id, blob.locator), written(blob))
            checkpoint("tomb.synced")
            tombstone = Tombstone.of(blob, time.time(), message_id)
            self._wire.put(document_key(blob.unique_id), written_tomb(tombstone))
            checkpoint("blob.buried")
        self.clear_copies(blob.unique_id)

    def clear_copies(self, unique_id: str) -> None:
        """Remove what a burial that was cut off has left."""
        if self.tombstone(unique_id) is None:
            return
        for mark in list(self._wire.listed(marks_prefix(unique_id))):
            self._wire.remove(data_of_mark(mark.key))
            self._wire.remove(mark.key)
        self._settled_lately.forget(unique_id)
        checkpoint("copies.removed")

    def tombstone(self, unique_id: str) -> Tombstone | None:
        """What is left of a document that was buried."""
        try:
            return read_tomb(self._wire.get(document_key(unique_id)))
        except (Missing, Damaged):
            return None

    def pending(self, older_than_seconds: float) -> Iterator[Blob]:
        """The blobs whose mark is at least that old; marks left over by a crash after settling are let go."""
        for mark in self._old(PENDING, older_than_seconds):
            blob = self._marked(mark.key)
            if blob is None:
                continue
            settled = self._settled(blob.unique_id, remembered=False)
            if settled and settled.locator == blob.locator:
                self._later.add(mark.key)
            else:
                yield blob

    def _old(self, prefix: str, older_than_seconds: float) -> Iterator[Listed]:
        for item in self._wire.listed(prefix):
            if older_than_seconds <= 0 or time.time() - item.changed_at >= older_than_seconds:
                yield item

    def uploads_abandoned(self, older_than_seconds: float) -> int:
        """Abort uploads that gave no sign of life for so long, and remove marks whose bytes never came.

        An upload that runs says so once a minute, so a shorter time than a few minutes is for tests only.
        """
        return sum(self._aborted(item.key) for item in self._old(INCOMING, older_than_seconds)) + sum(
            self._unmarked(item.key) for item in self._old(PENDING, older_than_seconds)
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
        if self._marked(key):
            return False
        self._wire.remove(key)
        return True

    def all(self) -> Iterator[Blob]:
        """Every blob, pending ones first, so that one that is settled meanwhile is met at least once."""
        yield from self.pending(0)
        for item in self._wire.listed(DOCUMENTS):
            try:
                yield read(self._wire.get(item.key), pending=False)
            except Missing:
                continue
            except Damaged:
                yield Blob("", "", "", item.size, 0, False, item.changed_at, item.key)

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
