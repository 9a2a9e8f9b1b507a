"""Looks at where documents are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from common.settings import Settings
from console.doctor.disk import room, syncing
from console.doctor.finding import Findings, fail, ok, warn
from console.serving.services import shown_storage
from repository.app import storage
from repository.storage import OutOfSpace, StorageError

ABOUT: Final = "storage"


def look(settings: Settings) -> Findings:
    """Room and durability of a folder, and whether the store takes and gives back a small thing."""
    if settings.bucket is None:
        folder = Path(settings.storage_url)
        yield from room(ABOUT, folder, least=settings.max_document_bytes // 32, better=settings.max_submission_bytes)
        yield from syncing(ABOUT, folder)
        if not folder.exists():
            yield warn(ABOUT, f"{folder} is not there yet", "`portolan serve` makes it.")
            return
    try:
        store = storage(settings)
        try:
            store.probe()
        finally:
            store.close()
    except OutOfSpace:
        yield fail(ABOUT, f"{shown_storage(settings)} has no room", "Make room, or name another place.")
    except (StorageError, OSError, ValueError) as error:
        yield fail(ABOUT, f"{shown_storage(settings)} does not work: {error}", _advice(settings))
    else:
        yield ok(ABOUT, f"{shown_storage(settings)} takes, syncs and gives back a document")


def _advice(settings: Settings) -> str:
    if settings.bucket:
        return "See that the server runs and that PORTOLAN_S3_ENDPOINT, the keys and the bucket are right."
    return "Give this user the right to write there, or name another folder with PORTOLAN_STORAGE."
