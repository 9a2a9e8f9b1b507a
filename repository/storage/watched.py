"""A document store whose time is noted: each call counts to the stage `storage` of the request that makes it."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

from common.observe.stages import Stage, aside
from repository.storage.interface import CHUNK, Blob, DocumentStore, Reader, Tombstone, Upload

_STORAGE: Final = Stage.STORAGE


class WatchedUpload:
    """A document on its way in."""

    __slots__ = ("_upload",)

    def __init__(self, upload: Upload) -> None:
        self._upload = upload

    @property
    def size(self) -> int:
        """The bytes written so far."""
        return self._upload.size

    def write(self, data: bytes | memoryview) -> None:
        """Take the next slice."""
        with aside(_STORAGE, None):
            self._upload.write(data)

    def sha1(self) -> str:
        """The SHA-1 of what was written so far, in hex."""
        return self._upload.sha1()

    def commit(self, unique_id: str, mime_type: str) -> Blob:
        """Make the document durable and marked pending."""
        with aside(_STORAGE, "storage: commit"):
            return self._upload.commit(unique_id, mime_type)

    def __enter__(self) -> Self:
        with aside(_STORAGE, None):
            self._upload.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._upload.__exit__(kind, error, trace)


class WatchedReader:
    """A document on its way out."""

    __slots__ = ("_reader",)

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def __iter__(self) -> Iterator[bytes]:
        pieces = iter(self._reader)
        while True:
            with aside(_STORAGE, None):
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece

    def content(self) -> bytes:
        """The whole document, checked."""
        with aside(_STORAGE, "storage: read"):
            return self._reader.content()

    def require_hash(self) -> None:
        """Pass over all bytes."""
        with aside(_STORAGE, "storage: read"):
            self._reader.require_hash()

    def close(self) -> None:
        """Let go of the file or connection."""
        self._reader.close()

    def __enter__(self) -> Self:
        self._reader.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.__exit__(kind, error, trace)


class WatchedStore:
    """A store behind which another does the work."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store

    def upload(self) -> Upload:
        """Begin to store a document."""
        return WatchedUpload(self._store.upload())

    def find(self, unique_id: str) -> list[Blob]:
        """The settled blob alone where there is one, else every pending one."""
        with aside(_STORAGE, "storage: find"):
            return self._store.find(unique_id)

    def read(self, blob: Blob, chunk_size: int = CHUNK) -> Reader:
        """Open a document for reading."""
        with aside(_STORAGE, "storage: open"):
            return WatchedReader(self._store.read(blob, chunk_size))

    def verify(self, blob: Blob) -> None:
        """Check all the bytes."""
        with aside(_STORAGE, "storage: verify"):
            self._store.verify(blob)

    def settle(self, blob: Blob) -> Blob:
        """Take the pending mark away."""
        with aside(_STORAGE, "storage: settle"):
            return self._store.settle(blob)

    def remove(self, blob: Blob) -> None:
        """Remove a refused attempt, or a settled document."""
        with aside(_STORAGE, "storage: remove"):
            self._store.remove(blob)

    def bury(self, blob: Blob, message_id: str = "") -> None:
        """Put a tombstone in the place of a settled document."""
        with aside(_STORAGE, "storage: bury"):
            self._store.bury(blob, message_id)

    def clear_copies(self, unique_id: str) -> None:
        """Remove whatever a burial that was cut off has left."""
        with aside(_STORAGE, "storage: clear"):
            self._store.clear_copies(unique_id)

    def tombstone(self, unique_id: str) -> Tombstone | None:
        """What is left of a document that was buried."""
        with aside(_STORAGE, "storage: find"):
            return self._store.tombstone(unique_id)

    def pending(self, older_than_seconds: float) -> Iterator[Blob]:
        """The blobs whose mark is at least that old."""
        return self._store.pending(older_than_seconds)

    def uploads_abandoned(self, older_than_seconds: float) -> int:
        """Remove half-written uploads that nobody works on."""
        return self._store.uploads_abandoned(older_than_seconds)

    def all(self) -> Iterator[Blob]:
        """Every blob."""
        return self._store.all()

    def probe(self) -> None:
        """Write, sync, read and delete a small thing."""
        self._store.probe()

    def close(self) -> None:
        """Let go of everything."""
        self._store.close()
