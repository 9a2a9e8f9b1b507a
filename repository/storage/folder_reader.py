"""Reading a document from the folder, checked on the way."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

from common.closing import Closing
from repository.storage.crc import crc32
from repository.storage.errors import Damaged, Missing, told_plainly
from repository.storage.folder_disk import Disk
from repository.storage.footer import LIKELY, is_tomb, missing_bytes, read_ending
from repository.storage.interface import CHUNK, Blob
from repository.storage.recent import Recent


class OpenFile(Closing):
    """A stored file, open for reading, and what its footer says; raises Missing, Damaged or Failed."""

    def __init__(self, disk: Disk, locator: str, known: Blob | None = None) -> None:
        """With ``known`` the footer is not read again: whoever reads the content checks it against that."""
        with told_plainly("opening a document"):
            self.handle = os.open(disk.path(locator), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                self.status = os.fstat(self.handle)
                self.blob = self._still_there(known) if known else self._described(locator)
            except BaseException:
                os.close(self.handle)
                raise

    def _still_there(self, known: Blob) -> Blob:
        """A tombstone may have taken the place of what was there when it was found."""
        if self.status.st_size <= known.size and is_tomb(self._tail(LIKELY)):
            raise Missing("the document is not there any more")
        return known

    def _described(self, locator: str) -> Blob:
        size = self.status.st_size
        tail = self._tail(LIKELY)
        missing = missing_bytes(tail)
        if missing:
            tail = self._tail(len(tail) + missing)
        return read_ending(tail, size, pending=locator.startswith("pending/"), locator=locator)

    def _tail(self, length: int) -> bytes:
        return os.pread(self.handle, length, max(0, self.status.st_size - length))

    def identity(self) -> tuple[int, int, int, int]:
        """What changes when the file does: inode, size in bytes, and both times in nanoseconds."""
        status = self.status
        return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def close(self) -> None:
        """Close the file; safe to call twice."""
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1


class Verified:
    """Which files were checked by their SHA-1 and have not changed since: they are then checked by their CRC-32.

    So is what this process wrote itself, of which it knows the SHA-1 since; only its names have changed then.
    """

    def __init__(self, most: int) -> None:
        self._seen: Recent[str, tuple[int, ...]] = Recent(most)

    def holds(self, locator: str, file: OpenFile) -> bool:
        """Whether this very file was checked, or written here."""
        found, identity = self._seen.get(locator), file.identity()
        return found is not None and found == identity[: len(found)]

    def add_written(self, locator: str, status: os.stat_result) -> None:
        """It was written by this process, and will be found under this name; the time of its names still changes."""
        self._seen.put(locator, (status.st_ino, status.st_size, status.st_mtime_ns))

    def add(self, locator: str, file: OpenFile) -> None:
        """It was found sound."""
        self._seen.put(locator, file.identity())


WORTH_REMEMBERING = 64 * 1024  # bytes; to compute the SHA-1 of less is cheaper than to remember that it was done


class FolderReader(Closing):
    """A document of the folder store on its way out."""

    def __init__(
        self, file: OpenFile, blob: Blob, chunk_size: int = CHUNK, *, verified: Verified | None = None
    ) -> None:
        self._file = file
        self._blob = blob
        self._chunk_size = chunk_size
        self._verified = verified if blob.size >= WORTH_REMEMBERING else None

    def __iter__(self) -> Iterator[bytes]:
        """The content in chunks; the last is handed out only when the CRC-32 of them all is right."""
        position, found, size = 0, 0, self._blob.size
        while position < size:
            chunk = self._chunk(position, min(self._chunk_size, size - position))
            found = crc32(chunk, found)
            position += len(chunk)
            if position == size:
                self._require(found == self._blob.crc32)
            yield chunk

    def content(self) -> bytes:
        """The whole document; its SHA-1 is checked, or its CRC-32 where the same file's SHA-1 was checked before."""
        content = b"".join(self._pieces())
        seen = self._verified
        if seen is not None and seen.holds(self._blob.locator, self._file):
            self._require(crc32(content) == self._blob.crc32)
            return content
        self._require(hashlib.sha1(content, usedforsecurity=False).hexdigest() == self._blob.sha1)
        if seen is not None:
            seen.add(self._blob.locator, self._file)
        return content

    def require_hash(self) -> None:
        """Pass over all bytes and raise Damaged unless their SHA-1 is right."""
        digest = hashlib.sha1(usedforsecurity=False)
        for piece in self._pieces():
            digest.update(piece)
        self._require(digest.hexdigest() == self._blob.sha1)

    def _pieces(self) -> Iterator[bytes]:
        position, size = 0, self._blob.size
        while position < size:
            piece = self._chunk(position, min(4 << 20, size - position))
            position += len(piece)
            yield piece

    def _chunk(self, position: int, length: int) -> bytes:
        with told_plainly("reading a document"):
            chunk = os.pread(self._file.handle, length, position)
        self._require(len(chunk) > 0)
        return chunk

    @staticmethod
    def _require(sound: bool) -> None:
        if not sound:
            raise Damaged("the stored bytes are not those that were acknowledged")

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._file.close()
