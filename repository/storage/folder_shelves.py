"""The names in the folder: what they say of a document, and how they come and go."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator

from common.faults import checkpoint
from repository.storage.digest import name_of
from repository.storage.errors import Damaged, Missing
from repository.storage.folder_disk import Disk, settled_locator
from repository.storage.folder_reader import OpenFile
from repository.storage.footer import LIKELY, buried, is_tomb, read_tomb, tomb
from repository.storage.interface import Blob, Tombstone


class Shelves:
    """The pending and settled names of one folder."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._durable: set[str] = set()  # fan-out directories whose own entries are known to be synced

    def described(self, locator: str, unique_id: str = "") -> Blob | None:
        """What the file says of itself, without hash where that is damaged; None if there is no file."""
        try:
            with OpenFile(self._disk, locator) as file:
                return file.blob
        except Missing:
            return None
        except Damaged:
            return self._unreadable(locator, unique_id)

    def _unreadable(self, locator: str, unique_id: str) -> Blob | None:
        try:
            status = os.stat(self._disk.path(locator))
        except FileNotFoundError:
            return None
        is_pending = locator.startswith("pending/")
        return Blob(unique_id, "", "", status.st_size, 0, is_pending, status.st_mtime, locator)

    def settled(self, unique_id: str) -> Blob | None:
        """The settled blob of this uniqueId."""
        return self.described(settled_locator(name_of(unique_id)), unique_id)

    def tombstone(self, unique_id: str) -> Tombstone | None:
        """The tombstone of this uniqueId."""
        try:
            handle = os.open(self._disk.path(settled_locator(name_of(unique_id))), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            size = os.fstat(handle).st_size
            tail = os.pread(handle, LIKELY, max(0, size - LIKELY))
            return read_tomb(tail if size <= LIKELY or not is_tomb(tail) else os.pread(handle, size, 0))
        finally:
            os.close(handle)

    def require_unburied(self, unique_id: str) -> None:
        """Raise Buried where there is a tombstone."""
        if tombstone := self.tombstone(unique_id):
            raise buried(tombstone)

    def bury(self, tombstone: Tombstone) -> None:
        """Rename a tombstone into the document's place, durably, then unlink every marked copy."""
        name = name_of(tombstone.unique_id)
        place, working = self._disk.path(settled_locator(name)), f"{self._disk.incoming}/{secrets.token_hex(16)}"
        with open(working, "xb", buffering=0) as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.write(tomb(tombstone))
            self._disk.sync_file(file.fileno())
            checkpoint("tomb.synced")
            os.rename(working, place)
            self._disk.sync_directory(os.path.dirname(place))
            checkpoint("blob.buried")
        self.clear_copies(name)

    def clear_copies(self, name: str) -> None:
        """Unlink whatever is marked under a hashed name, durably."""
        if marks := self.marks(name):
            for locator in marks:
                self.unlink(locator)
            self._disk.sync_directory(self._disk.pending)
        checkpoint("copies.removed")

    def marks(self, name: str = "") -> list[str]:
        """The locators of pending files, of all or of one hashed name."""
        return [f"pending/{entry}" for entry in os.listdir(self._disk.pending) if entry.startswith(name)]

    def settled_locators(self) -> Iterator[str]:
        """The locators of all settled files."""
        for folder, folders, names in os.walk(self._disk.documents):
            folders.sort()
            where = os.path.relpath(folder, self._disk.root)
            yield from (f"{where}/{name}" for name in sorted(names))

    def link(self, locator: str, place: str) -> None:
        """Give the pending file its settled name as well; raises FileExistsError or FileNotFoundError."""
        source, target = self._disk.path(locator), self._disk.path(place)
        try:
            os.link(source, target)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.link(source, target)

    def is_settled(self, locator: str) -> bool:
        """Whether the pending file has its settled name too."""
        place = settled_locator(_name_in(locator))
        try:
            return os.path.samefile(self._disk.path(locator), self._disk.path(place))
        except FileNotFoundError:
            return False

    def age(self, locator: str) -> float:
        """The seconds since the file was written; 0 if it is gone."""
        try:
            return time.time() - os.stat(self._disk.path(locator)).st_mtime
        except FileNotFoundError:
            return 0.0

    def let_marks_go(self, locators: list[str]) -> None:
        """Make the settled names of these pending files durable, then unlink the pending ones; raises Failed."""
        folders = {os.path.dirname(settled_locator(_name_in(locator))) for locator in locators}
        new = folders - self._durable
        parents = (
            {self._disk.documents, *(os.path.dirname(self._disk.path(folder)) for folder in new)} if new else set()
        )
        self._disk.sync_directories(parents | {self._disk.path(folder) for folder in folders})
        self._durable |= new
        checkpoint("blob.settled")
        for locator in locators:
            self.unlink(locator)
        checkpoint("mark.swept")

    def remove_attempt(self, blob: Blob) -> None:
        """Unlink a pending file, unless it has been settled meanwhile."""
        if not self.is_settled(blob.locator):
            self.unlink(blob.locator)

    def remove_settled(self, blob: Blob) -> None:
        """Unlink a settled file and the marks it still has, durably; another content that took its place stays."""
        held = self.described(blob.locator)
        if held is None or (held.sha1 and not held.same_content(blob)):
            return
        for locator in self.marks(_name_in(blob.locator)):
            if self.is_settled(locator):
                self.unlink(locator)
        self.unlink(blob.locator)
        self._disk.sync_directory(self._disk.pending)
        self._disk.sync_directory(os.path.dirname(self._disk.path(blob.locator)))

    def unlink(self, locator: str) -> None:
        """Remove one name, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._disk.path(locator))

    def removed_if_abandoned(self, name: str, older_than_seconds: float) -> bool:
        """Remove a file in `incoming` that is that old and whose writer is dead; whether it was."""
        locator = f"incoming/{name}"
        try:
            handle = os.open(self._disk.path(locator), os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self.age(locator) < older_than_seconds:
                return False
            self.unlink(locator)
            return True
        except BlockingIOError:
            return False
        finally:
            os.close(handle)


def _name_in(locator: str) -> str:
    return os.path.basename(locator).partition(".")[0]
