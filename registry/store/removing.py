"""What ITI-62 reads and writes, inside one unit of work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.schema import Table

from common.db import Conflict, Statement, Work
from common.model import Association, DocumentEntry, Folder, RegistryObject, SubmissionSet
from registry.removable import Doomed, KnownLink, Removable
from registry.store.finding import of_logical_ids
from registry.store.holding import holds_on
from registry.store.lifecycle_tables import removal
from registry.store.registering import hold, owners, touch_folders
from registry.store.statements import among, fetch, run
from registry.store.tables import association, entry, folder, identifier, submission_set

_KINDS: Final[Mapping[type[RegistryObject], Table]] = {
    DocumentEntry: entry,
    Folder: folder,
    SubmissionSet: submission_set,
    Association: association,
}
_TOLD: Final = (
    "entry_uuid", "patient_id", "unique_id", "logical_id", "version", "is_latest", "repository_unique_id", "hash",
    "size",
)  # fmt: skip
"""What evidence tells of an object, as far as its table has it; in the order of ``Doomed``, but for the kind."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is kept of a removal beside the object itself; the time in UTC, as a DTM."""

    at: str
    by: str
    reason: str
    message_id: str | None
    correlation: str


@lru_cache
def _locked(kind: type[RegistryObject], size: int) -> Statement:
    """Locked until the unit of work ends, in the order in which registrations lock."""
    c = _KINDS[kind].c
    columns = [c[name] for name in _TOLD if name in c]
    return Statement(select(*columns).where(among(c.entry_uuid, size)).order_by(c.entry_uuid).with_for_update())


@lru_cache
def _links(column: str, size: int) -> Statement:
    c = association.c
    return Statement(select(c.entry_uuid, c.patient_id, c.type, c.source, c.target).where(among(c[column], size)))


@lru_cache
def _sets(size: int) -> Statement:
    return Statement(select(submission_set.c.entry_uuid).where(among(submission_set.c.entry_uuid, size)))


@lru_cache
def _gone(column: str, size: int) -> Statement:
    c = removal.c
    return Statement(select(c[column], c.removed_at, c.message_id).where(among(c[column], size)))


def links_by(work: Work, column: str, values: Iterable[str]) -> list[KnownLink]:
    """All Associations, of any status, with some values in a column."""
    return [KnownLink(*row) for row in fetch(work, lambda size: _links(column, size), values)]


def removable(work: Work, listed: tuple[str, ...]) -> Removable:
    """What is listed and what hangs on it: locked first, and only then is looked what refers to it.

    Patients come first, as in a merge. Whoever registers a reference locks the object that it refers to, so it comes
    before this and is seen, or after it and finds the object gone.
    """
    found = Removable(listed)
    ends = {end for link in links_by(work, "entry_uuid", listed) for end in (link.source, link.target)}
    names = ends | set(listed)
    held = owners(work, names)
    hold(work, held)
    objects = _locked_objects(work, names)
    if not {each.patient_id for each in objects.values()} <= held:
        raise Conflict("a patient was merged meanwhile")
    found.objects = {name: seen for name, seen in objects.items() if name in set(listed)}
    found.submission_sets = {name for name, seen in objects.items() if seen.kind is SubmissionSet}
    for link in (
        links_by(work, "entry_uuid", listed) + links_by(work, "source", names) + links_by(work, "target", names)
    ):
        found.links[link.entry_uuid] = link
    holders = {link.source for link in found.links.values() if link.is_membership} - objects.keys()
    found.submission_sets |= {row[0] for row in fetch(work, _sets, holders)}
    filed = [each for each in found.going() if each.kind is not Association]
    found.held = holds_on(work, [(each.entry_uuid, each.patient_id, each.unique_id or "") for each in filed])
    return found


def _locked_objects(work: Work, names: set[str]) -> dict[str, Doomed]:
    found: dict[str, Doomed] = {}
    for kind, table in _KINDS.items():
        told = [name for name in _TOLD if name in table.c]
        for row in fetch(work, lambda size, kind=kind: _locked(kind, size), names - found.keys()):  # type: ignore[misc]
            values = dict(zip(told, row, strict=True))
            found[values["entry_uuid"]] = Doomed(kind=kind, **{**values, "is_latest": values.get("is_latest") == 1})
    return found


def removed(work: Work, uuids: Iterable[str]) -> dict[str, tuple[str, str | None]]:
    """When objects with these ids were removed, and by which message."""
    return {row[0]: (row[1], row[2]) for row in fetch(work, lambda size: _gone("entry_uuid", size), uuids)}


def unique_ids_removed(work: Work, unique_ids: Iterable[str]) -> dict[str, str]:
    """When objects with these uniqueIds were removed, the last of them."""
    found: dict[str, str] = {}
    for name, removed_at, _ in fetch(work, lambda size: _gone("unique_id", size), unique_ids):
        found[name] = max(removed_at, found.get(name, ""))
    return found


@lru_cache
def _delete(table: Table, size: int) -> Statement:
    return Statement(delete(table).where(among(table.c.entry_uuid, size)))


def _deleting(table: Table) -> Callable[[int], Statement]:
    return lambda size: _delete(table, size)


@lru_cache
def _named(size: int) -> Statement:
    return Statement(select(identifier.c.value).where(among(identifier.c.value, size)))


_EVIDENCE: Final = Statement(
    insert(removal).values({column.name: bindparam(column.name) for column in removal.columns})
)
_NAME: Final = Statement(
    insert(identifier).values({column.name: bindparam(column.name) for column in identifier.columns})
)


def remove(work: Work, known: Removable, evidence: Evidence) -> None:
    """Everything that is listed goes; its evidence stays, and its names are never taken again."""
    going = list(known.going())
    work.run_each(_EVIDENCE, [_evidence(each, evidence) for each in going])
    names = {each.entry_uuid: each for each in going}
    taken = {row[0] for row in fetch(work, _named, names)}
    work.run_each(_NAME, [_name(each) for name, each in names.items() if name not in taken])
    for kind, table in _KINDS.items():
        run(work, _deleting(table), [each.entry_uuid for each in going if each.kind is kind])
    _promote(work, going)
    emptied = {link.source for link in known.links_going() if link.is_membership and link.source not in names}
    touch_folders(work, emptied - known.submission_sets, evidence.at)


def _evidence(each: Doomed, evidence: Evidence) -> dict[str, Any]:
    return {
        "patient_id": each.patient_id,
        "entry_uuid": each.entry_uuid,
        "kind": each.kind.__name__,
        "unique_id": each.unique_id,
        "logical_id": each.logical_id,
        "version": each.version,
        "repository_unique_id": each.repository_unique_id,
        "hash": each.hash,
        "size": each.size,
        "removed_at": evidence.at,
        "removed_by": evidence.by or None,
        "reason": evidence.reason or None,
        "message_id": evidence.message_id,
        "correlation": evidence.correlation or None,
    }


def _name(each: Doomed) -> dict[str, Any]:
    """A UUID that the registry made has no row of its own while the object lives."""
    return {
        "value": each.entry_uuid,
        "kind": each.kind.__name__,
        "patient_id": each.patient_id,
        "entry_uuid": each.entry_uuid,
        "hash": each.hash,
        "size": each.size,
    }


@lru_cache
def _newest(table: Table) -> Statement:
    """The highest version that is left of a logical object becomes the latest."""
    inner = table.alias()
    newest = select(func.max(inner.c.version)).where(of_logical_ids(inner, [bindparam("l")])).scalar_subquery()
    same = of_logical_ids(table, [bindparam("l")])
    return Statement(update(table).where(same, table.c.version == newest).values(is_latest=1))


def _promote(work: Work, going: Iterable[Doomed]) -> None:
    """Where the latest of several versions goes, the one before it is the latest again, with the status it has.

    The version before may be another patient's, since updates and link changes move documents between patients.
    """
    for each in going:
        if each.is_latest and (each.version or 1) > 1:
            work.run(_newest(_KINDS[each.kind]), {"l": each.logical_id})
