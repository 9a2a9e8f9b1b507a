"""Where the bytes of documents are kept: one small interface, a local folder and S3 behind it."""

from __future__ import annotations

from pathlib import Path

from repository.storage.errors import Buried, Busy, Conflict, Damaged, Failed, Missing, OutOfSpace, StorageError
from repository.storage.interface import CHUNK, Blob, DocumentStore, Reader, Tombstone, Upload

__all__ = [
    "CHUNK",
    "Blob",
    "Buried",
    "Busy",
    "Conflict",
    "Damaged",
    "DocumentStore",
    "Failed",
    "Missing",
    "OutOfSpace",
    "Reader",
    "StorageError",
    "Tombstone",
    "Upload",
    "open_store",
]


def open_store(
    location: str | Path, *, endpoint: str = "", access_key: str = "", secret_key: str = "", region: str = ""
) -> DocumentStore:
    """Open a folder, or the bucket of `s3://BUCKET` at the endpoint URL; raises StorageError, or ValueError if unclear.

    A folder is made when it is absent. A bucket is too, where the credentials allow it and the store answers.
    """
    place = str(location)
    if place.startswith("s3://"):
        from repository.storage.s3 import S3Store  # the SDK is slow to import, and a folder has no need of it

        return S3Store.connect(place.removeprefix("s3://").strip("/"), endpoint, access_key, secret_key, region)
    if "://" in place:
        raise ValueError(f"storage is a folder or s3://BUCKET, not {place!r}")
    from repository.storage.folder import FolderStore

    return FolderStore(Path(place))
