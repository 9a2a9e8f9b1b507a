"""The description of a document, as JSON and as the footer that ends its file in the folder store.

A file is content, footer, trailer. The trailer has a fixed length and tells the footer's length and CRC-32, so the
end of the file is enough to find out what it holds, and a file that was cut short does not look whole.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import asdict
from typing import Any

from repository.storage.errors import Buried, Damaged
from repository.storage.interface import Blob, Tombstone

_TRAILER = struct.Struct(">II8s")
_MAGIC = b"PORTOLN1"
_TOMB = b"PORTOLNX"
_PLACED = ("pending", "locator", "content")  # said by where the bytes are, not by what is written with them
LIKELY = 4096
"""Bytes from the end of a file that hold the footer and trailer of all but the oddest documents."""
LONGEST = 256 * 1024
"""A footer longer than this, in bytes, is not one of ours."""


def described(blob: Blob) -> bytes:
    """The blob's description as JSON; ASCII, so that no odd uniqueId meets an encoding."""
    fields = {name: value for name, value in asdict(blob).items() if name not in _PLACED}
    return json.dumps(fields, separators=(",", ":")).encode("ascii")


def read_description(data: bytes, *, pending: bool, locator: str) -> Blob:
    """The blob that a description stands for, at this place; raises Damaged when it is not one."""
    try:
        fields: dict[str, Any] = json.loads(data)
        return Blob(
            unique_id=str(fields["unique_id"]),
            mime_type=str(fields["mime_type"]),
            sha1=str(fields["sha1"]),
            size=int(fields["size"]),
            crc32=int(fields["crc32"]),
            stored_at=float(fields["stored_at"]),
            pending=pending,
            locator=locator,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged("the description stored with a document cannot be read") from error


def ending(blob: Blob) -> bytes:
    """Footer and trailer: what follows the content in the blob's file."""
    footer = described(blob)
    return footer + _TRAILER.pack(len(footer), zlib.crc32(footer), _MAGIC)


def tomb(tombstone: Tombstone) -> bytes:
    """A whole file that says that its document is gone."""
    footer = tomb_description(tombstone)
    return footer + _TRAILER.pack(len(footer), zlib.crc32(footer), _TOMB)


def tomb_description(tombstone: Tombstone) -> bytes:
    """The tombstone as JSON."""
    return json.dumps(asdict(tombstone), separators=(",", ":")).encode("ascii")


def read_tomb_description(data: bytes) -> Tombstone:
    """The tombstone that such JSON stands for; raises Damaged when it is none."""
    try:
        fields: dict[str, Any] = json.loads(data)
        return Tombstone(
            unique_id=str(fields["unique_id"]),
            sha1=str(fields["sha1"]),
            size=int(fields["size"]),
            buried_at=float(fields["buried_at"]),
            message_id=str(fields["message_id"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged("the tombstone of a document cannot be read") from error


def is_tomb(tail: bytes) -> bool:
    """Whether a file with this tail is a tombstone."""
    return tail.endswith(_TOMB)


def read_tomb(data: bytes) -> Tombstone | None:
    """The tombstone that a whole file is; None when the file is a document."""
    if not is_tomb(data):
        return None
    length, crc32, _ = _trailer(data)
    footer = data[: len(data) - _TRAILER.size]
    if len(footer) != length or zlib.crc32(footer) != crc32:
        raise Damaged("the tombstone of a document is damaged")
    return read_tomb_description(footer)


def buried(tombstone: Tombstone | None) -> Buried:
    """What a reader or writer hears who comes upon a tombstone."""
    return Buried("the document was removed for good", tombstone.buried_at if tombstone else 0.0)


def missing_bytes(tail: bytes) -> int:
    """How many more bytes before this tail of a file are needed to read its footer; raises Damaged if it has none."""
    length, _, magic = _trailer(tail)
    if magic == _TOMB:
        return 0
    if magic != _MAGIC or length > LONGEST:
        raise Damaged("the file does not end as a stored document does")
    return max(0, length + _TRAILER.size - len(tail))


def read_ending(tail: bytes, file_size: int, *, pending: bool, locator: str) -> Blob:
    """The blob that the tail of a file of `file_size` bytes describes; raises Damaged where they do not agree."""
    length, crc32, magic = _trailer(tail)
    if magic == _TOMB:
        raise buried(read_tomb(tail))
    footer = tail[len(tail) - _TRAILER.size - length : len(tail) - _TRAILER.size]
    if zlib.crc32(footer) != crc32:
        raise Damaged("the description stored with a document is damaged")
    blob = read_description(footer, pending=pending, locator=locator)
    if blob.size + length + _TRAILER.size != file_size:
        raise Damaged("the file is longer or shorter than its description says")
    return blob


def _trailer(tail: bytes) -> tuple[int, int, bytes]:
    if len(tail) < _TRAILER.size:
        raise Damaged("the file is too short for a stored document")
    length, crc32, magic = _TRAILER.unpack_from(tail, len(tail) - _TRAILER.size)
    return length, crc32, magic
