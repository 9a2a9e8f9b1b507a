"""The store in a local folder: one file per document, and names that say how far it has come.

Settling links the file under its settled name. The pending name goes only when that link is durable, and until then
it is what guarantees the document; so neither the directory sync nor the unlink need be waited for, and both are done
later, in batches.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from common.faults import checkpoint
from repository.storage.digest import name_of
from repository.storage.errors import Conflict, Failed, Missing, from_os, told_plainly
from repository.storage.folder_disk import Disk, settled_locator
from repository.storage.folder_reader import WORTH_REMEMBERING, FolderReader, OpenFile, Verified
from repository.storage.folder_shelves import Shelves
from repository.storage.folder_upload import FolderUpload
from repository.storage.interface import CHUNK, Blob, Tombstone
from repository.storage.later import Later

_REMEMBERED = 16_384


class FolderStore:
    """A DocumentStore in a local folder."""

    def __init__(self, root: Path) -> None:
        self._disk = Disk(root)
        self._shelves = Shelves(self._disk)
        self._later: Later[str] = Later(self._let_marks_go)
        self._verified = Verified(_REMEMBERED)

    def upload(self) -> FolderUpload:
        """Begin to store a document."""
        return FolderUpload(self._disk, self._shelves.require_unburied, self._written)

    def _written(self, blob: Blob, status: os.stat_result) -> None:
        if blob.size >= WORTH_REMEMBERING:
            self._verified.add_written(settled_locator(name_of(blob.unique_id)), status)

    def find(self, unique_id: str) -> list[Blob]:
        """The settled blob alone, else the pending ones, oldest first."""
        with told_plainly("looking for a document"):
            settled = self._shelves.settled(unique_id)
            if settled:
                return [settled]
            pending = [
                self._shelves.described(locator, unique_id) for locator in self._shelves.marks(name_of(unique_id))
            ]
            found = sorted(filter(None, pending), key=lambda blob: blob.stored_at)
            if found and self._shelves.tombstone(unique_id):
                return []  # copies that a cut burial has left
            settled = None if found else self._shelves.settled(unique_id)  # it may have been settled while we looked
            return [settled] if settled else found

    def read(self, blob: Blob, chunk_size: int = CHUNK) -> FolderReader:
        """Open a document for reading; what was settled when it was found is so still, unless it was removed."""
        known = bool(blob.sha1) and not blob.pending
        file = OpenFile(self._disk, blob.locator, known=blob) if known else self._opened(blob)
        return FolderReader(file, blob, chunk_size, verified=self._verified)

    def verify(self, blob: Blob) -> None:
        """Check all bytes by SHA-1, unless the very same file was checked before."""
        with self._opened(blob) as file:
            if self._verified.holds(file.blob.locator, file):
                return
            FolderReader(file, blob).require_hash()
            self._verified.add(file.blob.locator, file)

    def _opened(self, blob: Blob) -> OpenFile:
        try:
            file = OpenFile(self._disk, blob.locator)
        except Missing:
            if not blob.pending:
                raise
            file = OpenFile(self._disk, settled_locator(name_of(blob.unique_id)))
        if file.blob.same_content(blob) and file.blob.unique_id == blob.unique_id:
            return file
        file.close()
        raise Missing("another document has taken the place of this one")

    def settle(self, blob: Blob) -> Blob:
        """Link the document under its settled name, which only one content can have."""
        if not blob.pending:
            return self._settled_like(blob)
        self._disk.require_trust()
        place = settled_locator(name_of(blob.unique_id))
        try:
            self._shelves.link(blob.locator, place)
        except FileExistsError:
            return self._joined(blob)
        except FileNotFoundError:
            return self._settled_like(blob)
        except OSError as error:
            raise from_os(error, "settling a document") from error
        checkpoint("mark.removed")
        self._later.add(blob.locator)
        return replace(blob, pending=False, locator=place)

    def _joined(self, blob: Blob) -> Blob:
        """The settled blob where it has our content, ours being dropped; raises Conflict where it has not."""
        settled = self._settled_like(blob)
        if self._shelves.is_settled(blob.locator):
            self._later.add(blob.locator)
        else:
            with told_plainly("dropping a second copy"):
                self._shelves.unlink(blob.locator)
        return settled

    def _settled_like(self, blob: Blob) -> Blob:
        settled = self._shelves.settled(blob.unique_id)
        if settled is None:
            self._shelves.require_unburied(blob.unique_id)
            raise Missing("the document was removed before it was settled")
        if not settled.same_content(blob):
            raise Conflict("another content is settled under this uniqueId")
        return settled

    def remove(self, blob: Blob) -> None:
        """Unlink an attempt, or a settled document and whatever marks it still has."""
        with told_plainly("removing a document"):
            if blob.pending:
                self._shelves.remove_attempt(blob)
            else:
                self._shelves.remove_settled(blob)

    def bury(self, blob: Blob, message_id: str = "") -> None:
        """Put a tombstone in the place of a settled document; readers that have it open read it to its end."""
        self._disk.require_trust()
        with told_plainly("burying a document"):
            if self._shelves.tombstone(blob.unique_id):
                self.clear_copies(blob.unique_id)
            elif self._settled_like(blob):
                self._shelves.bury(Tombstone.of(blob, time.time(), message_id))

    def clear_copies(self, unique_id: str) -> None:
        """Remove what a burial that was cut off has left."""
        with told_plainly("burying a document"):
            if self._shelves.tombstone(unique_id):
                self._shelves.clear_copies(name_of(unique_id))

    def tombstone(self, unique_id: str) -> Tombstone | None:
        """What is left of a document that was buried."""
        with told_plainly("looking for a tombstone"):
            return self._shelves.tombstone(unique_id)

    def pending(self, older_than_seconds: float) -> Iterator[Blob]:
        """The blobs whose mark is at least that old; marks left over by a crash after settling are let go."""
        with told_plainly("listing pending documents"):
            for locator in self._shelves.marks():
                if self._shelves.age(locator) < older_than_seconds:
                    continue
                if self._shelves.is_settled(locator):
                    self._later.add(locator)
                elif blob := self._shelves.described(locator):
                    yield blob

    def uploads_abandoned(self, older_than_seconds: float) -> int:
        """Remove half-written files whose writer is dead."""
        with told_plainly("removing abandoned uploads"):
            names = os.listdir(self._disk.incoming)
            return sum(self._shelves.removed_if_abandoned(name, older_than_seconds) for name in names)

    def all(self) -> Iterator[Blob]:
        """Every blob, pending ones first, so that one that is settled meanwhile is met at least once."""
        with told_plainly("listing all documents"):
            shelves = self._shelves
            pending = (locator for locator in shelves.marks() if not shelves.is_settled(locator))
            yield from filter(None, map(shelves.described, pending))
            yield from filter(None, map(shelves.described, shelves.settled_locators()))

    def probe(self) -> None:
        """Write, sync, read and delete a small file."""
        path = f"{self._disk.incoming}/probe.{secrets.token_hex(8)}"
        try:
            with told_plainly("probing the storage folder"), open(path, "x+b", buffering=0) as file:
                file.write(b"probe")
                self._disk.sync_file(file.fileno())
                if os.pread(file.fileno(), 16, 0) != b"probe":
                    raise Failed("the storage folder did not give back what it was given")
        finally:
            with contextlib.suppress(OSError):
                os.unlink(path)

    def close(self) -> None:
        """Let go of the marks of settled documents."""
        self._later.close()

    def _let_marks_go(self, locators: list[str]) -> None:
        with told_plainly("letting go of marks"):
            self._shelves.let_marks_go(locators)
