"""The folder's places, and the syncing of files and directories.

    incoming/ATTEMPT                 being written, locked by its writer
    pending/HASH.ATTEMPT             durable, not known to be registered
    documents/HA/SH/HASH             settled

HASH is the SHA-256 of the uniqueId, ATTEMPT is random. After a sync has failed nobody knows what the disk holds, so
this process then refuses every further write to the folder.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from repository.storage.errors import Failed, OutOfSpace, told_plainly

_distrusted: set[str] = set()
_FEW = 4


def _found_syncfs() -> Callable[[int], int] | None:
    """Linux's syncfs, which returns 0 when all is on disk; from 5.8 on, where it tells of writes that failed."""
    major, _, rest = os.uname().release.partition(".")
    minor = re.match(r"[0-9]+", rest)
    if sys.platform != "linux" or not major.isdigit() or minor is None or (int(major), int(minor[0])) < (5, 8):
        return None
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    return found


_syncfs = _found_syncfs()
_RANGE_WRITE = 2  # SYNC_FILE_RANGE_WRITE


def _found_sync_file_range() -> Callable[[int, int, int, int], int] | None:
    found: Any = getattr(ctypes.CDLL(None), "sync_file_range", None) if sys.platform == "linux" else None
    if found is not None:
        found.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return cast("Callable[[int, int, int, int], int] | None", found)


_sync_file_range = _found_sync_file_range()


def begin_writing(handle: int, offset: int, length: int) -> None:
    """Have the system begin to write a part of a file to disk, where it can; the sync at the end tells of failures."""
    if _sync_file_range is not None:
        _sync_file_range(handle, offset, length, _RANGE_WRITE)


class Disk:
    """The folder of one store, and whether it can still be trusted to keep what it is given."""

    def __init__(self, root: Path) -> None:
        self.root = str(root.resolve())
        self.incoming = f"{self.root}/incoming"
        self.pending = f"{self.root}/pending"
        self.documents = f"{self.root}/documents"
        is_new = not os.path.isdir(self.root)
        with told_plainly("making the storage folder"):
            for place in (self.incoming, self.pending, self.documents):
                os.makedirs(place, exist_ok=True)
        self.sync_directory(self.root)
        if is_new:
            self.sync_directory(os.path.dirname(self.root))
        self.pending_entries = SharedSync(self, self.pending)

    def path(self, locator: str) -> str:
        """The absolute path of what a locator names."""
        return f"{self.root}/{locator}"

    def require_trust(self) -> None:
        """Raise Failed if a sync has failed here before."""
        if self.root in _distrusted:
            raise Failed("a sync to disk has failed, so nothing more is written until the service is restarted")

    def sync_file(self, handle: int) -> None:
        """Sync an open file; a full disk is OutOfSpace and passes, any other failure is final."""
        self.require_trust()
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise OutOfSpace("no room while syncing a document") from error
            raise self._distrust() from error

    def sync_directory(self, path: str) -> None:
        """Sync the entries of a directory; a sync that fails is final."""
        self.require_trust()
        with told_plainly("opening a directory to sync it"):
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        except OSError as error:
            raise self._distrust() from error
        finally:
            os.close(handle)

    def sync_directories(self, paths: set[str]) -> None:
        """Sync the entries of many directories; one call for the whole file system is cheaper than many of them."""
        if len(paths) <= _FEW or _syncfs is None:
            for path in sorted(paths):
                self.sync_directory(path)
            return
        self.require_trust()
        with told_plainly("opening the storage folder to sync it"):
            handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if _syncfs(handle):
                raise self._distrust()
        finally:
            os.close(handle)

    def _distrust(self) -> Failed:
        _distrusted.add(self.root)
        return Failed("a sync to disk failed; nothing more is written until the service is restarted")


class SharedSync:
    """Syncs of one directory in which threads that ask at the same time share one call."""

    def __init__(self, disk: Disk, path: str) -> None:
        self._disk = disk
        self._path = path
        self._changed = threading.Condition()
        self._asked = 0
        self._done = 0
        self._running = False

    def sync(self) -> None:
        """Return when a sync that began after this call has ended; raises Failed."""
        with self._changed:
            self._asked += 1
            mine = self._asked
            self._changed.wait_for(lambda: self._done >= mine or not self._running)
            if self._done >= mine:
                return
            self._running, covered = True, self._asked
        try:
            self._disk.sync_directory(self._path)
            with self._changed:
                self._done = covered
        finally:
            with self._changed:
                self._running = False
                self._changed.notify_all()


def settled_locator(name: str) -> str:
    """Where the settled document of this hashed name is."""
    return f"documents/{name[:2]}/{name[2:4]}/{name}"
