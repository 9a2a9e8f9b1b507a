"""What ITI-57 and ITI-92 read and write, inside one unit of work."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import BindParameter, bindparam, or_, select, update
from sqlalchemy.schema import Table

from common.db import Conflict, Statement, Work
from common.ebxml.stored import read_fragment
from common.model import Association, AssociationType, AvailabilityStatus, DocumentEntry, Folder, SubmissionSet
from registry.known import KnownObject, Wanted
from registry.store import registering
from registry.store.finding import TABLES, of_logical_ids
from registry.store.registering import APPROVED
from registry.store.statements import among, fetch
from registry.store.tables import association, entry, folder
from registry.store.versions import retire
from registry.versions import KnownVersions, Version

_REPLACING: Final = (AssociationType.RPLC.value, AssociationType.XFRM_RPLC.value)
_VERSIONED: Final = {DocumentEntry: entry, Folder: folder}


def known_versions(work: Work, wanted: Wanted, logical_ids: Iterable[str], statuses: Iterable[str]) -> KnownVersions:
    """What the registry knows of all that an update names; what it changes is locked."""
    found = KnownVersions()
    lids = set(logical_ids)
    held = owners(work, lids) | wanted.patient_ids
    registering.hold(work, held)
    for kind in (DocumentEntry, Folder):
        found.latest |= _latest(work, kind, lids - found.latest.keys())
    if not {latest.item.patient_id for latest in found.latest.values()} <= held:
        raise Conflict("a patient was merged meanwhile")
    found.known = registering.known(work, wanted)
    current = {latest.entry_uuid for latest in found.latest.values()}
    found.ties = _ties(work, current)
    ends = {end for tie in found.ties for end in (tie.source, tie.target)}
    ends |= {seen.source for seen in found.objects.values() if seen.kind is Association}
    found.ends = registering.known_objects(work, ends)
    found.ties = [tie for tie in found.ties if found.ends[tie.source].kind is not SubmissionSet]
    found.joined = _joined(work, found.objects)
    found.rivals = _rivals(work, (found.objects[name] for name in set(statuses) & found.objects.keys()))
    return found


@lru_cache
def _owners(size: int, table: Table) -> Statement:
    named: list[BindParameter[str]] = [bindparam(f"v{number}") for number in range(size)]
    return Statement(select(table.c.patient_id).where(of_logical_ids(table, named)))


def owners(work: Work, logical_ids: Iterable[str]) -> set[str]:
    """The patients of all versions: an update may take a document to another, and a merge may want either."""
    listed = list(logical_ids)
    tables = _VERSIONED.values()
    return {row[0] for table in tables for row in fetch(work, lambda size, table=table: _owners(size, table), listed)}  # type: ignore[misc]


@lru_cache
def _versions(size: int, kind: type[Any]) -> Statement:
    table = _VERSIONED[kind]
    c = table.c
    chosen = select(c.entry_uuid, c.logical_id, c.version, c.is_latest, c.availability_status, c.ebrim)
    named: list[BindParameter[str]] = [bindparam(f"v{number}") for number in range(size)]
    return Statement(chosen.where(of_logical_ids(table, named)).order_by(c.entry_uuid).with_for_update())


_VERSIONS: Final[dict[type[Any], Callable[[int], Statement]]] = {
    DocumentEntry: lambda size: _versions(size, DocumentEntry),
    Folder: lambda size: _versions(size, Folder),
}


def _latest(work: Work, kind: type[Any], logical_ids: set[str]) -> dict[str, Version]:
    """The latest version of each logical object of a kind, by its logicalID; all its versions are locked."""
    found: dict[str, Version] = {}
    seen: set[str] = set()
    for name, logical_id, version, latest, status, ebrim in fetch(work, _VERSIONS[kind], logical_ids):
        if logical_id not in logical_ids:
            continue  # a later version was named as if it were the first
        seen.add(logical_id)
        if latest == 1:
            item = read_fragment(kind, status, bytes(ebrim))
            item.version = version
            found[logical_id] = Version(item, logical_id, version)
            assert item.entry_uuid == name
    if seen - found.keys():
        # Somebody made a newer version while we waited for the lock, and this statement cannot see it yet.
        raise Conflict("a newer version came meanwhile")
    return found


@lru_cache
def _tied(size: int) -> Statement:
    c = association.c
    ends = or_(among(c.source, size), among(c.target, size))
    return Statement(select(c.availability_status, c.ebrim).where(ends, c.availability_status == APPROVED))


def _ties(work: Work, uuids: Iterable[str]) -> list[Association]:
    """The Approved Associations with an end among these, each once; those from SubmissionSets too."""
    found = [read_fragment(Association, status, bytes(ebrim)) for status, ebrim in fetch(work, _tied, uuids)]
    return list({tie.entry_uuid: tie for tie in found}.values())


@lru_cache
def _pairs(size: int) -> Statement:
    c = association.c
    both = (among(c.source, size), among(c.target, size))
    return Statement(select(c.source, c.target).where(*both, c.availability_status == APPROVED))


def _joined(work: Work, objects: Iterable[str]) -> set[frozenset[str]]:
    return {frozenset(pair) for pair in fetch(work, _pairs, objects)}


@lru_cache
def _replacing(size: int, known: str, wanted: str) -> Statement:
    c = association.c
    kind = or_(*(c.type == each for each in _REPLACING))
    return Statement(select(c[wanted]).where(among(c[known], size), kind, c.availability_status == APPROVED))


def _along(work: Work, uuids: Iterable[str], known: str, wanted: str) -> set[str]:
    """Documents, and all that current replacements lead to from them in one direction, however far."""
    found = set(uuids)
    layer = set(found)
    while layer:
        layer = {row[0] for row in fetch(work, lambda size: _replacing(size, known, wanted), layer)} - found
        found |= layer
    return found


@lru_cache
def _current(size: int) -> Statement:
    """Locked: whoever makes another document of the chain current has to wait."""
    c = entry.c
    chosen = select(c.entry_uuid, c.availability_status).where(among(c.entry_uuid, size))
    return Statement(chosen.order_by(c.entry_uuid).with_for_update())


def _chain(work: Work, name: str) -> set[str]:
    """A document, all that it has replaced, and all that has replaced any of these."""
    return _along(work, _along(work, [name], "source", "target"), "target", "source")


def _rivals(work: Work, objects: Iterable[KnownObject]) -> dict[str, set[str]]:
    """Of documents, and of what Associations replace: the current ones among all that has replaced the same."""
    found: dict[str, set[str]] = {}
    for seen in objects:
        replaces = seen.link_type is not None and seen.link_type.value in _REPLACING
        name = seen.target if replaces else seen.entry_uuid
        if replaces or seen.kind is DocumentEntry:
            chain = _chain(work, name)
            locked = fetch(work, _current, chain)
            if _chain(work, name) != chain:
                raise Conflict("the document was replaced meanwhile")
            found[seen.entry_uuid] = {each for each, status in locked if status == APPROVED} - {name, seen.source}
    return found


def supersede(work: Work, versions: Iterable[Version]) -> None:
    """Versions that are the latest no more become Deprecated; Conflict where one was superseded by somebody else."""
    listed = list(versions)
    for kind in (DocumentEntry, Folder):
        names = [each.entry_uuid for each in listed if type(each.item) is kind]
        if retire(work, kind, names) != len(names):
            raise Conflict("a newer version came meanwhile")


@lru_cache
def _changing(table: Table) -> Statement:
    c = table.c
    return Statement(
        update(table)
        .where(c.entry_uuid == bindparam("name"), c.availability_status == bindparam("before"))
        .values(availability_status=bindparam("after"))
    )


def change_status(work: Work, target: KnownObject, before: AvailabilityStatus, after: AvailabilityStatus) -> None:
    """availabilityStatus of one object; Conflict where somebody else changed it meanwhile."""
    values = {"name": target.entry_uuid, "before": before.value, "after": after.value}
    if work.run(_changing(TABLES[target.kind]), values) != 1:
        raise Conflict("its status changed meanwhile")
