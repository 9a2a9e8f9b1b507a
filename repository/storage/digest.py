"""What is computed of a document's bytes while they pass."""

from __future__ import annotations

import hashlib
import zlib


class Digest:
    """The running SHA-1, CRC-32 and size (bytes) of a stream."""

    __slots__ = ("_sha1", "crc32", "size")

    def __init__(self) -> None:
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self.crc32 = 0
        self.size = 0

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next slice."""
        self._sha1.update(data)
        self.crc32 = zlib.crc32(data, self.crc32)
        self.size += len(data)

    def sha1(self) -> str:
        """The SHA-1 so far, in hex."""
        return self._sha1.hexdigest()


def name_of(unique_id: str) -> str:
    """The name that stands for a uniqueId in any store: 64 hex digits, so nothing from outside becomes a path."""
    return hashlib.sha256(unique_id.encode("utf-8", "surrogatepass")).hexdigest()


def slices(data: bytes | memoryview, length: int) -> list[memoryview]:
    """The data cut into views of at most `length` bytes, uncopied."""
    view = memoryview(data).cast("B")
    return [view[start : start + length] for start in range(0, len(view), length)]
