"""What lies in a bucket, found and read: settled documents, marks and tombstones."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import chain
from typing import Final

from repository.storage.errors import Damaged, Missing
from repository.storage.interface import Blob, Tombstone
from repository.storage.recent import Recent
from repository.storage.s3_keys import (
    ARRIVED,
    DOCUMENTS,
    PENDING,
    document_key,
    is_alone,
    marks_prefixes,
    read,
    read_tomb,
)
from repository.storage.s3_whole import is_whole, read_line
from repository.storage.s3_wire import Listed, Wire

_REMEMBERED: Final = 16_384
_LIKELY: Final = 4096  # bytes that hold any description but the oddest


class S3Shelves:
    """The readable side of a bucket."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._settled_lately: Recent[str, Blob] = Recent(_REMEMBERED)

    def settled(self, unique_id: str) -> Blob | None:
        """The settled blob as it was seen lately, or as it is now: then with the bytes, if it is small."""
        return self._settled_lately.get(unique_id) or self.settled_now(unique_id)

    def settled_now(self, unique_id: str) -> Blob | None:
        """The settled blob; one whose description is unreadable has no hash."""
        key = document_key(unique_id)
        try:
            blob = read(self._wire.get(key), key)
        except Missing:
            return None
        except Damaged:
            return Blob(unique_id, "", "", 0, 0, False, 0.0, key)
        self.remember(blob)
        return blob

    def remember(self, settled: Blob) -> None:
        """It is settled, and will be found without a look; its bytes are not remembered."""
        self._settled_lately.put(settled.unique_id, settled.bare())

    def forget(self, unique_id: str) -> None:
        """Look for it again next time."""
        self._settled_lately.forget(unique_id)

    def tombstone(self, unique_id: str) -> Tombstone | None:
        """What is left of a document that was buried."""
        key = document_key(unique_id)
        try:
            return read_tomb(self._start(key))
        except (Missing, Damaged):
            return None

    def marks(self, unique_id: str) -> Iterator[str]:
        """The keys of all marks of a uniqueId."""
        return (mark.key for prefix in marks_prefixes(unique_id) for mark in self._wire.listed(prefix))

    def marked(self, key: str) -> Blob | None:
        """The pending blob of a mark; None when mark or bytes are absent: then nobody was told of the document."""
        try:
            blob = read(self._wire.get(key), key)
            if is_alone(blob.locator):
                self._wire.stat(blob.locator)
        except (Missing, Damaged):
            return None
        return blob

    def old_marks(self, older_than_seconds: float) -> Iterator[str]:
        """The keys of all marks that are at least that old."""
        old = (self.old(prefix, older_than_seconds) for prefix in (PENDING, ARRIVED))
        return (mark.key for mark in chain.from_iterable(old))

    def old(self, prefix: str, older_than_seconds: float) -> Iterator[Listed]:
        """What is at least that old by the clocks of the service and of this machine."""
        for item in self._wire.listed(prefix):
            if older_than_seconds <= 0 or time.time() - item.changed_at >= older_than_seconds:
                yield item

    def all_settled(self) -> Iterator[Blob]:
        """Every settled blob, without its bytes; one whose description is unreadable has no uniqueId and no hash."""
        for item in self._wire.listed(DOCUMENTS):
            try:
                yield self._described(item.key)
            except Missing:
                continue
            except Damaged:
                yield Blob("", "", "", item.size, 0, False, item.changed_at, item.key)

    def unreadable_arrivals(self) -> Iterator[Blob]:
        """Small documents that are marked and whose description is unreadable: nobody can tell whether they count."""
        for item in self._wire.listed(ARRIVED):
            try:
                self._described(item.key)
            except Missing:
                continue
            except Damaged:
                yield Blob("", "", "", item.size, 0, True, item.changed_at, item.key)

    def _described(self, key: str) -> Blob:
        data = self._start(key)
        if is_whole(data):
            return read_line(data, pending=not key.startswith(DOCUMENTS), locator=key)[0]
        return read(data, key)

    def _start(self, key: str) -> bytes:
        """The beginning of an object, which holds all that is said of a document; raises Missing."""
        data = self._wire.get(key, _LIKELY)
        is_enough = len(data) < _LIKELY or (is_whole(data) and b"\n" in data)
        return data if is_enough else self._wire.get(key)
