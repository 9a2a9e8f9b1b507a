"""How documents lie in a bucket.

    data/AT/ATTEMPT              the bytes
    pending/HASH/ATTEMPT         the mark: the description, written before the bytes can be seen
    documents/HA/SH/HASH         the settled description, which names its data; put only where there is none
    incoming/ATTEMPT             an upload in parts that is under way

A document that was removed for good has a tombstone in the place of its settled description, so that the conditional
put fails for whoever would settle it again.

HASH is the SHA-256 of the uniqueId, ATTEMPT is random. What is settled is decided by the one conditional put; marks
that are left beside a settled description of the same attempt have no meaning and are removed later. No key is a
prefix of another followed by a slash, which a store on a file system could not keep.

Requests: a small upload is 3 (a look for a tombstone, mark, data), settling 1 (the conditional put; a look at the data
before it where they were not put a moment ago) and its share of a bulk removal of marks; a first read is 2
(description, data), later ones 1. An upload in parts adds 4 and one for each 5 MiB.
"""

from __future__ import annotations

import json

from repository.storage.digest import name_of
from repository.storage.errors import Damaged
from repository.storage.footer import buried, described, read_description, read_tomb_description, tomb_description
from repository.storage.interface import Blob, Tombstone

DATA, PENDING, DOCUMENTS, INCOMING = "data/", "pending/", "documents/", "incoming/"
_BURIAL = ".buried"


def data_key(attempt: str) -> str:
    """Where the bytes of an attempt are; this is also a blob's locator."""
    return f"{DATA}{attempt[:2]}/{attempt}"


def mark_key(unique_id: str, locator: str) -> str:
    """Where the pending mark of an attempt is."""
    return f"{PENDING}{name_of(unique_id)}/{locator.rpartition('/')[2]}"


def burial_mark_key(unique_id: str, locator: str) -> str:
    """Where the mark of an attempt is while it is buried: not where its first one was, which may be swept up late."""
    return mark_key(unique_id, locator) + _BURIAL


def data_of_mark(key: str) -> str:
    """Where the bytes are that a mark of either kind stands for."""
    return data_key(key.rpartition("/")[2].removesuffix(_BURIAL))


def marks_prefix(unique_id: str) -> str:
    """Where all pending marks of a uniqueId are."""
    return f"{PENDING}{name_of(unique_id)}/"


def document_key(unique_id: str) -> str:
    """Where the settled description of a uniqueId is."""
    name = name_of(unique_id)
    return f"{DOCUMENTS}{name[:2]}/{name[2:4]}/{name}"


def written(blob: Blob) -> bytes:
    """The object that describes a blob: its data's key and its description."""
    return json.dumps({"data": blob.locator, "blob": json.loads(described(blob))}).encode("ascii")


def written_tomb(tombstone: Tombstone) -> bytes:
    """The object that stands in the place of a settled description when the document is gone for good."""
    return json.dumps({"tombstone": json.loads(tomb_description(tombstone))}).encode("ascii")


def read_tomb(data: bytes) -> Tombstone | None:
    """The tombstone that such an object is; None for a description."""
    try:
        found = json.loads(data).get("tombstone")
    except (ValueError, AttributeError) as error:
        raise Damaged("the description of a document cannot be read") from error
    return read_tomb_description(json.dumps(found).encode("ascii")) if found else None


def read(data: bytes, *, pending: bool) -> Blob:
    """The blob that such an object describes; raises Damaged, Buried."""
    if tombstone := read_tomb(data):
        raise buried(tombstone)
    try:
        fields = json.loads(data)
        locator, description = fields["data"], json.dumps(fields["blob"])
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged("the description of a document cannot be read") from error
    return read_description(description.encode("ascii"), pending=pending, locator=str(locator))
