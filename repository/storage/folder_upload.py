"""One document on its way into the folder: written under a working name, renamed to its pending one, and synced."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from common.faults import checkpoint
from repository.storage.digest import Digest, name_of
from repository.storage.errors import told_plainly
from repository.storage.folder_disk import Disk, begin_writing
from repository.storage.footer import ending
from repository.storage.interface import Blob

_BUFFER = 256 * 1024  # a document up to this size is written with its footer in one call
_WORTH_A_CALL = 32 * 1024
_BEGIN_EVERY = 8 * 2**20


class FolderUpload:
    """An upload into the folder store; keeps at most 256 KiB in memory."""

    def __init__(
        self, disk: Disk, require_unburied: Callable[[str], None], written: Callable[[Blob, os.stat_result], None]
    ) -> None:
        """``written`` is told of the file once it is durable."""
        disk.require_trust()
        self._disk = disk
        self._require_unburied = require_unburied
        self._written = written
        self._attempt = secrets.token_hex(16)
        self._digest = Digest()
        self._buffer = bytearray()
        self._handle = -1
        self._path = ""
        self._length = self._begun = 0

    @property
    def size(self) -> int:
        """The bytes written so far."""
        return self._digest.size

    def sha1(self) -> str:
        """The SHA-1 of what was written so far, in hex."""
        return self._digest.sha1()

    def write(self, data: bytes | memoryview) -> None:
        """Take the next slice; small ones are gathered, large ones go straight to the file."""
        self._digest.update(data)
        is_large = len(data) >= _WORTH_A_CALL
        if is_large and (self._handle >= 0 or len(data) > _BUFFER):
            self._empty_buffer()
            self._put(memoryview(data))
            return
        if len(self._buffer) + len(data) > _BUFFER:
            self._empty_buffer()
        self._buffer += data

    def commit(self, unique_id: str, mime_type: str) -> Blob:
        """Give the file its pending name, then sync it and the name; one file sync and one directory sync in all.

        In this order a file system with a journal writes file and name together. Nobody was told of the document
        before both are on disk; whoever comes upon it meanwhile finds it whole, and after a crash by its footer
        whether it still is.
        """
        with told_plainly("looking for a tombstone"):
            self._require_unburied(unique_id)
        locator = f"pending/{name_of(unique_id)}.{self._attempt}"
        blob = self._described(unique_id, mime_type, locator)
        self._buffer += ending(blob)
        self._empty_buffer()
        checkpoint("blob.written")
        with told_plainly("marking a document"):
            os.rename(self._path, self._disk.path(locator))
        self._path = self._disk.path(locator)
        self._disk.sync_file(self._handle)
        checkpoint("blob.synced")
        self._disk.pending_entries.sync()
        checkpoint("blob.marked")
        self._written(blob, os.fstat(self._handle))
        self._path = ""
        self._close()
        return blob

    def _described(self, unique_id: str, mime_type: str, locator: str) -> Blob:
        return Blob(
            unique_id=unique_id,
            mime_type=mime_type,
            sha1=self.sha1(),
            size=self.size,
            crc32=self._digest.crc32,
            pending=True,
            stored_at=time.time(),
            locator=locator,
        )

    def _empty_buffer(self) -> None:
        buffer, self._buffer = self._buffer, bytearray()
        if buffer:
            self._put(memoryview(buffer))

    def _put(self, data: memoryview) -> None:
        with told_plainly("writing a document"):
            if self._handle < 0:
                self._open()
            while data:
                count = os.write(self._handle, data)
                self._length += count
                data = data[count:]
        if self._length - self._begun >= _BEGIN_EVERY:
            # What is left to the end would be a long sync, for which everybody else's syncs would wait.
            begin_writing(self._handle, self._begun, self._length - self._begun)
            self._begun = self._length

    def _open(self) -> None:
        path = f"{self._disk.incoming}/{self._attempt}"
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._path = path
        # The lock says that a live process is at work here; the kernel drops it when that process dies.
        fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._path:
            with contextlib.suppress(OSError):  # the sweeper removes what could not be removed now
                os.unlink(self._path)
            self._path = ""
        self._buffer = bytearray()
        self._close()
        self._digest.close()
