"""Legal holds: placed on a document or on all of a patient's, lifted, looked up; their rows are never deleted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Final

from sqlalchemy import bindparam, insert, select, update

from common.db import Statement, Work
from registry.store.lifecycle_tables import legal_hold, removal
from registry.store.merging import lock, same_person
from registry.store.statements import among, fetch
from registry.store.tables import entry


@dataclass(frozen=True, slots=True)
class Hold:
    """One legal hold; without a uniqueId it is on everything of the patient. Times in UTC, as DTM."""

    patient_id: str
    hold_id: str
    unique_id: str | None
    reason: str
    placed_by: str
    placed_at: str
    lifted_by: str | None = None
    lifted_at: str | None = None
    lift_reason: str | None = None


_COLUMNS: Final = tuple(legal_hold.columns)
_PLACE: Final = Statement(insert(legal_hold).values({column.name: bindparam(column.name) for column in _COLUMNS}))
_LIFT: Final = Statement(
    update(legal_hold)
    .where(legal_hold.c.hold_id == bindparam("id"), legal_hold.c.lifted_at.is_(None))
    .values(lifted_by=bindparam("by"), lifted_at=bindparam("at"), lift_reason=bindparam("why"))
)
_LIST: Final = Statement(select(*_COLUMNS).order_by(legal_hold.c.placed_at, legal_hold.c.hold_id))


@lru_cache
def _standing(column: str, size: int) -> Statement:
    c = legal_hold.c
    return Statement(select(c.patient_id, c.unique_id, c.hold_id).where(among(c[column], size), c.lifted_at.is_(None)))


@lru_cache
def _owners(of_removed: bool, size: int) -> Statement:
    table = removal if of_removed else entry
    c = table.c
    chosen = select(c.entry_uuid, c.patient_id, c.unique_id).where(among(c.unique_id, size))
    return Statement(chosen.where(removal.c.kind == "DocumentEntry") if of_removed else chosen)


def place(work: Work, holds: Sequence[Hold]) -> None:
    """Keep holds; from the moment this is committed nothing of theirs can be removed.

    A removal holds the patient too, so one that is under way ends before the hold is placed, or waits and sees it.
    """
    lock(work, {each.patient_id for each in holds})
    work.run_each(_PLACE, [asdict(each) for each in holds])


def lift(work: Work, hold_id: str, *, by: str, at: str, reason: str) -> bool:
    """End a hold; whether there was one that stood."""
    return work.run(_LIFT, {"id": hold_id, "by": by, "at": at, "why": reason}) > 0


def holds(work: Work) -> list[Hold]:
    """Every hold that ever was, the oldest first."""
    return [Hold(*row) for row in work.rows(_LIST)]


def owners(work: Work, unique_ids: Iterable[str], *, removed: bool = False) -> list[tuple[str, str, str]]:
    """The entries with these uniqueIds, registered or removed: entryUUID, patient and uniqueId."""
    found = fetch(work, lambda size: _owners(removed, size), unique_ids)
    return [(row[0], row[1], row[2]) for row in found]


def holds_on(work: Work, objects: Sequence[tuple[str, str, str]]) -> dict[str, str]:
    """Which hold each object is under, if any; objects as entryUUID, patient and uniqueId.

    A hold on a document is one whoever's patient it is filed for; a hold on a patient is one under whatever id the
    patient had when it was placed.
    """
    if not objects:
        return {}
    rows = fetch(work, lambda size: _standing("unique_id", size), {each[2] for each in objects if each[2]})
    documents = {unique_id: hold_id for _, unique_id, hold_id in rows}
    persons = same_person(work, {each[1] for each in objects})
    rows = fetch(work, lambda size: _standing("patient_id", size), frozenset().union(*persons.values()))
    placed = {patient_id: hold_id for patient_id, unique_id, hold_id in rows if unique_id is None}
    patients = {name: placed[each] for name, ids in persons.items() for each in sorted(ids) if each in placed}
    under = {name: documents.get(unique_id) or patients.get(patient) for name, patient, unique_id in objects}
    return {name: hold for name, hold in under.items() if hold}
