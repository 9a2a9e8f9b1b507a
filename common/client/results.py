"""What goes into the client and what comes out of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO

from common.client.spool import Spool
from common.model import (
    Association,
    DocumentEntry,
    Flaw,
    Folder,
    RegistryError,
    RegistryObject,
    Severity,
    Status,
    SubmissionSet,
)


@dataclass(slots=True)
class NewDocument:
    """A document to submit: its bytes, a file, or an open file; and its entry, which is not changed.

    The entry needs neither hash nor size nor repositoryUniqueId; an entry_uuid or unique_id that is missing is made.
    """

    content: bytes | Path | BinaryIO
    mime_type: str
    entry: DocumentEntry


@dataclass(frozen=True, slots=True)
class Submitted:
    """A submission that was registered; ids in the order of the documents, ``entry_ids`` as they were sent."""

    submission_set_unique_id: str
    document_unique_ids: tuple[str, ...]
    entry_ids: tuple[str, ...]
    message_id: str
    warnings: tuple[RegistryError, ...] = ()


@dataclass(slots=True)
class QueryResult:
    """What a stored query found. ``flaws`` are what the answer held beside the standard, and was left out."""

    status: Status = Status.SUCCESS
    entries: list[DocumentEntry] = field(default_factory=list)
    submission_sets: list[SubmissionSet] = field(default_factory=list)
    folders: list[Folder] = field(default_factory=list)
    associations: list[Association] = field(default_factory=list)
    object_refs: list[str] = field(default_factory=list)
    errors: tuple[RegistryError, ...] = ()
    warnings: tuple[RegistryError, ...] = ()
    flaws: list[Flaw] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing: PartialSuccess says that something is, and ``errors`` what."""
        return self.status is Status.SUCCESS

    def objects(self) -> list[RegistryObject]:
        """All objects found, SubmissionSets first."""
        return [*self.submission_sets, *self.entries, *self.folders, *self.associations]


@dataclass(slots=True)
class FetchedDocument:
    """A document that was had; ``size`` in bytes, ``sha1`` in hexadecimal.

    ``sha1_ok``: the bytes are those of the entry; always so where the entry says neither hash nor size.
    ``new_unique_id``: that of the content of a document made on demand; ``kept``: it can be had again under that.
    """

    entry: DocumentEntry
    mime_type: str
    spool: Spool
    size: int
    sha1: str
    sha1_ok: bool
    new_unique_id: str = ""
    kept: bool = False

    @property
    def stream(self) -> IO[bytes]:
        """A file at its beginning, which lasts as long as this does."""
        self.spool.file.seek(0)
        return self.spool.file

    @property
    def content(self) -> bytes:
        """All of it at once."""
        return self.stream.read()

    def chunks(self) -> Iterator[bytes]:
        """All of it in pieces of 256 KiB."""
        return self.spool.chunks()

    def close(self) -> None:
        """Forget the bytes."""
        self.spool.close()


def warnings_of(errors: tuple[RegistryError, ...]) -> tuple[RegistryError, ...]:
    """Those that stopped nothing."""
    return tuple(error for error in errors if error.severity is Severity.WARNING)


def errors_of(errors: tuple[RegistryError, ...]) -> tuple[RegistryError, ...]:
    """Those that did."""
    return tuple(error for error in errors if error.severity is Severity.ERROR)
