"""New versions of registered objects: their number, the row that they retire, and what is written with them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from sqlalchemy import bindparam, update
from sqlalchemy.schema import Table

from common.db import Statement, Work
from common.ebxml.fragments import NewId
from common.model import AvailabilityStatus, DocumentEntry, Folder
from registry.store.registering import DEPRECATED
from registry.store.statements import among, run
from registry.store.tables import entry, folder

EARLIER: Final = 0
LINKED_AWAY: Final = 2
"""``is_latest`` of a version that a link change retired: not the latest, and $MetadataLevel 1 still shows it."""


def next_version(item: DocumentEntry | Folder, new_id: NewId) -> None:
    """Make of an object its next version: the same logical object, under a name of its own (ITI TF-2 3.57)."""
    item.logical_id = item.logical_id or item.entry_uuid
    item.version = (item.version or 1) + 1
    item.entry_uuid = new_id()
    item.availability_status = AvailabilityStatus.APPROVED


@lru_cache
def _retire(size: int, table: Table) -> Statement:
    return Statement(
        update(table)
        .where(among(table.c.entry_uuid, size), table.c.is_latest == 1)
        .values(availability_status=DEPRECATED, is_latest=bindparam("kept_as"))
    )


def retire(work: Work, kind: type[DocumentEntry] | type[Folder], uuids: Iterable[str], kept_as: int = EARLIER) -> int:
    """The latest versions among these are that no longer; how many there were."""
    table = entry if kind is DocumentEntry else folder
    return run(work, lambda size: _retire(size, table), uuids, kept_as=kept_as)
