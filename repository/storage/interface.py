"""The storage interface: what any store of documents promises to the actions above it.

A document is stored under its uniqueId, in attempts. Each attempt is private until it is settled, and nothing that
others can see is ever overwritten. The local folder (`folder.py`) and S3 (`s3.py`) pass the same suite of tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Protocol, Self

CHUNK = 256 * 1024
"""Bytes handed out at a time by a reader, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Blob:
    """One stored content of one uniqueId; `sha1` in hex, `size` in bytes, `stored_at` in seconds since the epoch.

    `content` may hold the bytes of a small document where `commit` or `find` has just had them in hand; whoever keeps a
    blob for longer keeps it `bare`.
    """

    unique_id: str
    mime_type: str
    sha1: str
    size: int
    crc32: int
    pending: bool
    stored_at: float
    locator: str
    content: bytes | None = field(default=None, compare=False, repr=False)

    def same_content(self, other: Blob) -> bool:
        """Whether both hold the same bytes, by hash and size."""
        return self.sha1 == other.sha1 and self.size == other.size

    def bare(self) -> Blob:
        """The same without its bytes."""
        return self if self.content is None else replace(self, content=None)


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is left of a document that was removed for good; `message_id` is that of the request to remove it."""

    unique_id: str
    sha1: str
    size: int
    buried_at: float
    message_id: str

    @staticmethod
    def of(blob: Blob, buried_at: float, message_id: str) -> Tombstone:
        """The tombstone of a settled document."""
        return Tombstone(blob.unique_id, blob.sha1, blob.size, buried_at, message_id)


class Upload(Protocol):
    """One document on its way in; leaving the context without `commit` removes every trace of it."""

    @property
    def size(self) -> int:
        """The bytes written so far."""

    def write(self, data: bytes | memoryview) -> None:
        """Take the next slice, of any length; raises OutOfSpace, Busy or Failed."""

    def sha1(self) -> str:
        """The SHA-1 of what was written so far, in hex."""

    def commit(self, unique_id: str, mime_type: str) -> Blob:
        """Make the document durable and marked pending, then return it; raises Buried, OutOfSpace, Busy or Failed."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Reader(Protocol):
    """A document on its way out: iterate for its bytes in chunks, and leave the context to let go of it.

    Damage is raised before the last chunk is handed out, so that a damaged document can never be completed; a transfer
    that the store cuts raises Busy.
    """

    def __iter__(self) -> Iterator[bytes]: ...

    def content(self) -> bytes:
        """The whole document, checked by its SHA-1, or by its CRC-32 where the same object was checked by that before.

        Meant for small ones. Raises Damaged, Missing or Busy.
        """

    def require_hash(self) -> None:
        """Pass over all bytes and raise Damaged unless their SHA-1 is right."""

    def close(self) -> None:
        """Let go of the file or connection; safe to call twice."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class DocumentStore(Protocol):
    """Where documents are kept. Safe to use from many threads; open one per process."""

    def upload(self) -> Upload:
        """Begin to store a document whose uniqueId need not be known yet."""

    def find(self, unique_id: str) -> list[Blob]:
        """The settled blob alone where there is one, else every pending one, oldest first; [] if none."""

    def read(self, blob: Blob, chunk_size: int = CHUNK) -> Reader:
        """Open a document for reading, in constant memory; raises Damaged, Missing, Busy or Failed."""

    def verify(self, blob: Blob) -> None:
        """Check all the bytes by SHA-1, once for an unchanged object; raises Damaged, Missing, Busy or Failed."""

    def settle(self, blob: Blob) -> Blob:
        """Take the pending mark away: the document is registered. Idempotent, and safe to cut at any step.

        Where the same content is settled already, ours is dropped and that one returned; where another content is,
        it stays and Conflict is raised. Raises Missing when the blob has been removed meanwhile, Buried for good.
        """

    def remove(self, blob: Blob) -> None:
        """Remove a refused attempt, or a settled document. Idempotent; a pending blob settled meanwhile stays."""

    def bury(self, blob: Blob, message_id: str = "") -> None:
        """Put a tombstone in the place of a settled document: its bytes and every other copy of it are gone for good.

        From the moment the tombstone is durable nothing is found under the uniqueId, and nothing is taken for it.
        Safe to cut at any step, and idempotent: again, it does what `clear_copies` does.
        """

    def clear_copies(self, unique_id: str) -> None:
        """Remove whatever a burial that was cut off has left of a document that has a tombstone."""

    def tombstone(self, unique_id: str) -> Tombstone | None:
        """What is left of a document that was buried; None for all others."""

    def pending(self, older_than_seconds: float) -> Iterator[Blob]:
        """The blobs whose mark is at least that old: whether they are registered is to be asked."""

    def uploads_abandoned(self, older_than_seconds: float) -> int:
        """Remove half-written uploads that nobody works on and that are that old; returns how many."""

    def all(self) -> Iterator[Blob]:
        """Every blob, pending ones first. One whose description is unreadable has an empty uniqueId and hash."""

    def probe(self) -> None:
        """Write, sync, read and delete a small thing; raises StorageError when the store is not fit for work."""

    def close(self) -> None:
        """Finish what was left for later, and let go of files and connections; safe to call twice."""
