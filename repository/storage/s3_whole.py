"""A small document whole in one object: a line that describes it, then its bytes.

    PORTOLAN-DOCUMENT-1 CRC32 {"unique_id":...}
    the bytes

The mark and the settled object of an attempt are the same, byte for byte. The line is no JSON, so that a release which
knows nothing of it takes the object for damaged, whatever the document holds, and gives nothing out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from common.closing import Closing
from repository.storage.crc import crc32
from repository.storage.errors import Damaged
from repository.storage.footer import LONGEST, described, read_description
from repository.storage.interface import CHUNK, Blob

SMALL: Final = 64 * 1024
"""Documents of at most so many bytes are kept like this: their bytes are sent once more than those of larger ones.

Up to here that costs less than the requests that it saves, and object stores that keep small objects beside their
metadata (MinIO: up to 128 KiB) still do.
"""
_MAGIC: Final = b"PORTOLAN-DOCUMENT-"
_VERSION: Final = b"1"


def whole(blob: Blob, content: bytes | bytearray) -> bytes:
    """The object that holds a document whole."""
    description = described(blob)
    return b"%s%s %08x %s\n%s" % (_MAGIC, _VERSION, crc32(description), description, content)


def is_whole(start: bytes) -> bool:
    """Whether an object that starts like this holds a document whole."""
    return start.startswith(_MAGIC)


def is_cut(start: bytes) -> bool:
    """Whether more of the object is needed to read its line."""
    return b"\n" not in start[:LONGEST] and len(start) < LONGEST


def read_line(start: bytes, *, pending: bool, locator: str) -> tuple[Blob, int]:
    """The blob that an object describes in its first line, and where its bytes begin; raises Damaged."""
    line, end, _ = start[:LONGEST].partition(b"\n")
    version, told, description = (*line.removeprefix(_MAGIC).split(b" ", 2), b"", b"")[:3]
    if version != _VERSION and end:
        raise Damaged("the document is kept in a form that this release does not know")
    if not end or told != b"%08x" % crc32(description):
        raise Damaged("the description stored with a document is damaged")
    return read_description(description, pending=pending, locator=locator), len(line) + 1


def read_whole(data: bytes, *, pending: bool, locator: str) -> Blob:
    """The blob that such an object is; it has no content when the bytes are not those that were acknowledged."""
    blob, start = read_line(data, pending=pending, locator=locator)
    content = data[start:]
    is_sound = len(content) == blob.size and crc32(content) == blob.crc32
    return replace(blob, content=content) if is_sound else blob


class WholeReader(Closing):
    """A small document on its way out whose bytes are in hand already, their CRC-32 checked."""

    def __init__(self, blob: Blob, content: bytes, chunk_size: int = CHUNK) -> None:
        self._blob = blob
        self._content = content
        self._chunk_size = chunk_size

    def __iter__(self) -> Iterator[bytes]:
        """The content in chunks."""
        for start in range(0, len(self._content), self._chunk_size):
            yield self._content[start : start + self._chunk_size]

    def content(self) -> bytes:
        """The whole document, its SHA-1 checked."""
        self.require_hash()
        return self._content

    def require_hash(self) -> None:
        """Raise Damaged unless the SHA-1 is right."""
        if hashlib.sha1(self._content, usedforsecurity=False).hexdigest() != self._blob.sha1:
            raise Damaged("the stored bytes are not those that were acknowledged")

    def close(self) -> None:
        """Nothing is open; whoever reads on gets the bytes, and never a shorter document."""
