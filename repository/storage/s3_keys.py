"""How documents lie in a bucket.

    arrived/HASH/ATTEMPT         a small document whole, with its description: mark and bytes in one
    documents/HA/SH/HASH         the settled document: the same again if it is small, else a description that names its
                                 data; put only where there is none
    data/AT/ATTEMPT              the bytes of a large document
    pending/HASH/ATTEMPT         its mark: the description, written before the bytes can be seen
    incoming/ATTEMPT             an upload in parts that is under way

Small is what `s3_whole.py` says. Earlier releases kept all documents as large ones; what they have left is read,
settled, buried and removed as it lies. They look for marks under `pending/` and take those that they cannot read for
left over: so what arrives whole lies elsewhere.

A document that was removed for good has a tombstone in the place of its settled object, so that the conditional put
fails for whoever would settle it again.

HASH is the SHA-256 of the uniqueId, ATTEMPT is random. What is settled is decided by the one conditional put; marks
that are left beside a settled object of the same attempt have no meaning and are removed later. No key is a prefix of
another followed by a slash, which a store on a file system could not keep.

Requests: a small document is 2 (a look for a tombstone, the mark), one of up to 5 MiB is 3 (data). An upload in parts
adds 4 and one for each 5 MiB. Settling is 1 (the conditional put; a look at the mark or the data before it where they
were not put a moment ago) and its share of a bulk removal of marks. Reading is 1; the first time 2 for a large one
(description, data). Finding what is not settled is 4, two of them listings, and 1 or 2 for each mark. What is settled
is one object if it is small, else two.
"""

from __future__ import annotations

import json
from dataclasses import replace

from repository.storage.digest import name_of
from repository.storage.errors import Damaged
from repository.storage.footer import buried, described, read_description, read_tomb_description, tomb_description
from repository.storage.interface import Blob, Tombstone
from repository.storage.s3_whole import is_whole, read_whole

ARRIVED, DATA, PENDING, DOCUMENTS, INCOMING = "arrived/", "data/", "pending/", "documents/", "incoming/"
_BURIAL = ".buried"


def data_key(attempt: str) -> str:
    """Where the bytes of a large attempt are; this is also a blob's locator."""
    return f"{DATA}{attempt[:2]}/{attempt}"


def arrived_key(unique_id: str, attempt: str) -> str:
    """Where a small attempt is until it is settled; this is also a blob's locator."""
    return f"{ARRIVED}{name_of(unique_id)}/{attempt}"


def is_alone(locator: str) -> bool:
    """Whether the bytes at a locator are an object of their own, described by another."""
    return locator.startswith(DATA)


def mark_key(unique_id: str, locator: str) -> str:
    """Where the mark of an attempt is."""
    return f"{PENDING}{name_of(unique_id)}/{locator.rpartition('/')[2]}" if is_alone(locator) else locator


def burial_mark_key(unique_id: str, locator: str) -> str:
    """Where the mark of a large document is while it is buried: not where its first one was, swept up late perhaps."""
    return mark_key(unique_id, locator) + _BURIAL


def data_of_mark(key: str) -> str:
    """Where the bytes are that a mark of any kind stands for."""
    return key if key.startswith(ARRIVED) else data_key(key.rpartition("/")[2].removesuffix(_BURIAL))


def marks_prefixes(unique_id: str) -> tuple[str, str]:
    """Where all marks of a uniqueId are."""
    return f"{PENDING}{name_of(unique_id)}/", f"{ARRIVED}{name_of(unique_id)}/"


def document_key(unique_id: str) -> str:
    """Where the settled object of a uniqueId is."""
    name = name_of(unique_id)
    return f"{DOCUMENTS}{name[:2]}/{name[2:4]}/{name}"


def as_settled(blob: Blob) -> Blob:
    """A marked blob as it is once it is settled."""
    locator = blob.locator if is_alone(blob.locator) else document_key(blob.unique_id)
    return replace(blob, pending=False, locator=locator)


def written(blob: Blob) -> bytes:
    """The object that describes a large document: its data's key and its description."""
    return json.dumps({"data": blob.locator, "blob": json.loads(described(blob))}).encode("ascii")


def written_tomb(tombstone: Tombstone) -> bytes:
    """The object that stands in the place of a settled one when the document is gone for good."""
    return json.dumps({"tombstone": json.loads(tomb_description(tombstone))}).encode("ascii")


def read_tomb(data: bytes) -> Tombstone | None:
    """The tombstone that an object is, of which the beginning is enough; None for a document; raises Damaged."""
    if is_whole(data):
        return None
    found = _fields(data).get("tombstone")
    return read_tomb_description(json.dumps(found).encode("ascii")) if found else None


def read(data: bytes, key: str) -> Blob:
    """The blob that is at such a key, or described there; raises Damaged, Buried."""
    pending = not key.startswith(DOCUMENTS)
    if is_whole(data):
        return read_whole(data, pending=pending, locator=key)
    if tombstone := read_tomb(data):
        raise buried(tombstone)
    fields = _fields(data)
    try:
        locator, description = str(fields["data"]), json.dumps(fields["blob"])
    except KeyError as error:
        raise Damaged("the description of a document cannot be read") from error
    return read_description(description.encode("ascii"), pending=pending, locator=locator)


def _fields(data: bytes) -> dict[str, object]:
    try:
        found = json.loads(data)
    except ValueError as error:
        raise Damaged("the description of a document cannot be read") from error
    if not isinstance(found, dict):
        raise Damaged("the description of a document cannot be read")
    return found
