"""What has to be true of a registry's tables whatever has happened, and a repaired or raced one's most of all."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import Connection, func, select

from common.db import Database
from common.model import AssociationType
from console.checking import metadata
from registry.store.lifecycle_tables import removal
from registry.store.registering import APPROVED
from registry.store.tables import association, entry, folder, patient, submission_set

OBJECTS = (entry, folder, submission_set, association)
REPLACING = (AssociationType.RPLC.value, AssociationType.XFRM_RPLC.value)


def problems(database: Database, removed: Collection[str] = ()) -> list[str]:
    """Sentences; none of a sound registry. ``removed`` are ids for which there has to be evidence, and nothing else."""
    with database.engine.connect() as connection:
        found = [*_retired(connection), *_versions(connection), *_replaced(connection)]
        found += _gone(connection, set(removed))
    return found + [f"check: {each.kind.name} {each.id}: {each.detail}" for each in metadata.look(database)]


def _retired(connection: Connection) -> Iterator[str]:
    """Nobody has anything under an id that was merged away."""
    gone = select(patient.c.patient_id).where(patient.c.merged_into.is_not(None))
    for table in OBJECTS:
        for name in connection.scalars(select(table.c.entry_uuid).where(table.c.patient_id.in_(gone))):
            yield f"{table.name} {name} is filed under a retired id"


def _versions(connection: Connection) -> Iterator[str]:
    """One latest version of each logical object, which is the highest; the others are Deprecated."""
    for table in (entry, folder):
        c = table.c
        rows = connection.execute(select(c.logical_id, c.version, c.is_latest, c.availability_status)).all()
        highest: dict[str, int] = {}
        for lid, version, _, _ in rows:
            highest[lid] = max(version, highest.get(lid, 0))
        if len({(lid, version) for lid, version, _, _ in rows}) < len(rows):
            yield f"a {table.name} has two versions of one number"
        for lid, version, latest, status in rows:
            if (latest == 1) != (version == highest[lid]):
                yield f"{table.name} {lid}: version {version} of {highest[lid]} has is_latest {latest}"
            if latest != 1 and status == APPROVED:
                yield f"{table.name} {lid}: version {version} is Approved, and not the latest"


def _replaced(connection: Connection) -> Iterator[str]:
    """What a current document replaces is not current itself."""
    source, target = entry.alias(), entry.alias()
    c = association.c
    joined = association.join(source, source.c.entry_uuid == c.source).join(target, target.c.entry_uuid == c.target)
    both = (each.c.availability_status == APPROVED for each in (source, target))
    chosen = select(c.entry_uuid).select_from(joined)
    for name in connection.scalars(chosen.where(c.type.in_(REPLACING), c.availability_status == APPROVED, *both)):
        yield f"the document that {name} replaces is current, and so is its successor"


def _gone(connection: Connection, removed: set[str]) -> Iterator[str]:
    told = set(connection.scalars(select(removal.c.entry_uuid)))
    yield from (f"{name} was removed without evidence" for name in sorted(removed - told))
    for table in OBJECTS:
        left = select(func.count()).select_from(table).where(table.c.entry_uuid.in_(select(removal.c.entry_uuid)))
        if count := connection.scalar(left):
            yield f"{count} rows of {table.name} are there, and there is evidence of their removal"
