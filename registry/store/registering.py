"""What ITI-42 reads and writes, inside one unit of work."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from sqlalchemy import bindparam, literal_column, or_, select, union_all, update

from common.db import Statement, Work
from common.ebxml.fragments import NewId, with_slot
from common.model import (
    Association,
    AssociationType,
    AvailabilityStatus,
    DocumentEntry,
    Folder,
    ObjectType,
    RegistryObject,
    Submission,
    SubmissionSet,
)
from registry.known import Known, KnownObject, Taken, Wanted
from registry.store import merging, rows
from registry.store.statements import CHUNK, Guard, among, bound, fetch, insert_all, rounded, run
from registry.store.tables import association, entry, folder, identifier, patient, submission_set

APPROVED: Final = AvailabilityStatus.APPROVED.value
DEPRECATED: Final = AvailabilityStatus.DEPRECATED.value


@lru_cache
def _patients(size: int) -> Statement:
    c = patient.c
    return Statement(select(c.patient_id, c.merged_into, c.fed_at).where(among(c.patient_id, size)))


@lru_cache(maxsize=256)
def _names(names: int, patients: int) -> Statement:
    """uniqueIds that are taken, and patients that are known: asked in one round trip."""
    taken = select(identifier.c.value, identifier.c.kind, identifier.c.hash, identifier.c.size)
    people = select(patient.c.patient_id, literal_column("'Patient'"), patient.c.merged_into, patient.c.fed_at)
    return Statement(
        union_all(
            taken.where(among(identifier.c.value, names)), people.where(among(patient.c.patient_id, patients, "p"))
        )
    )


@lru_cache
def _entries(size: int) -> Statement:
    """Locked until the unit of work ends: whoever replaces an entry does it alone."""
    c = entry.c
    columns = (c.entry_uuid, c.patient_id, c.availability_status, c.unique_id, c.object_type, c.is_latest)
    return Statement(select(*columns).where(among(c.entry_uuid, size)).order_by(c.entry_uuid).with_for_update())


@lru_cache
def _folders(size: int) -> Statement:
    c = folder.c
    columns = (c.entry_uuid, c.patient_id, c.availability_status, c.unique_id, c.is_latest)
    return Statement(select(*columns).where(among(c.entry_uuid, size)).order_by(c.entry_uuid).with_for_update())


@lru_cache
def _submission_sets(size: int) -> Statement:
    c = submission_set.c
    return Statement(
        select(c.entry_uuid, c.patient_id, c.availability_status, c.unique_id).where(among(c.entry_uuid, size))
    )


@lru_cache
def _associations(size: int) -> Statement:
    c = association.c
    columns = (c.entry_uuid, c.patient_id, c.availability_status, c.source, c.target, c.type)
    return Statement(select(*columns).where(among(c.entry_uuid, size)))


@lru_cache
def _transformations(size: int) -> Statement:
    c = association.c
    made = c.type == AssociationType.XFRM.value, c.availability_status == APPROVED
    return Statement(select(c.source).where(among(c.source, size), *made))


def patients(work: Work, patient_ids: Iterable[str]) -> tuple[set[str], set[str]]:
    """Which of some patient ids are known through a feed, and which were merged away."""
    fed: set[str] = set()
    merged: set[str] = set()
    for patient_id, merged_into, fed_at in fetch(work, _patients, patient_ids):
        if merged_into:
            merged.add(patient_id)
        elif fed_at:
            fed.add(patient_id)
    return fed, merged


@lru_cache
def _held(size: int) -> Statement:
    c = patient.c
    chosen = select(c.patient_id).where(among(c.patient_id, size))
    return Statement(chosen.order_by(c.patient_id).with_for_update(read=True))


def hold(work: Work, patient_ids: Iterable[str]) -> None:
    """Keep patients from being merged until the unit of work ends; each has a row from now on.

    Comes before anything else of theirs is locked, as it does in a merge, so that the two wait for one another in turn.
    """
    fetch(work, _held, merging.with_rows(work, patient_ids))


@lru_cache
def _owners(size: int) -> Statement:
    tables = (entry, folder, submission_set, association)
    return Statement(union_all(*(select(each.c.patient_id).where(among(each.c.entry_uuid, size)) for each in tables)))


def owners(work: Work, uuids: Iterable[str]) -> set[str]:
    """The patients of some objects, so that they can be held before anything is locked: merges may come in between."""
    return {row[0] for row in fetch(work, _owners, uuids)}


def known(work: Work, wanted: Wanted) -> Known:
    """What the registry knows of all that a submission names; registered targets are locked."""
    found = _taken_and_known(work, wanted)
    if wanted.references or wanted.submitted_ids:
        objects = known_objects(work, wanted.references | wanted.submitted_ids)
        found.objects = {name: seen for name, seen in objects.items() if name in wanted.references}
        found.taken_ids = (objects.keys() | found.taken.keys()) & wanted.submitted_ids
    if wanted.addenda_targets:
        found.transformations = {row[0] for row in fetch(work, _transformations, wanted.addenda_targets)}
    return found


def _taken_and_known(work: Work, wanted: Wanted) -> Known:
    found = Known()
    names, people = sorted(wanted.unique_ids | wanted.submitted_ids), sorted(wanted.patient_ids)
    for start in range(0, len(names) or 1, CHUNK):
        part = names[start : start + CHUNK] or [""]
        sizes = rounded(len(part)), rounded(len(people or [""]))
        values = bound(part, sizes[0]) | bound(people or [""], sizes[1], "p")
        for name, kind, first, second in work.rows(_names(*sizes), values):
            if kind == "Patient":
                found.seen.add(name)
                if first:
                    found.merged.add(name)
                elif second:
                    found.patients.add(name)
            else:
                found.taken[name] = Taken(kind, first, second)
    return found


@lru_cache
def _taken(size: int) -> Statement:
    c = identifier.c
    return Statement(select(c.value, c.kind, c.hash, c.size).where(among(c.value, size)))


def taken(work: Work, submission: Submission) -> dict[str, Taken]:
    """The uniqueIds of a submission that are registered already, as those of new versions are."""
    filed = (*submission.submission_sets, *submission.entries, *submission.folders)
    found = fetch(work, _taken, {item.unique_id for item in filed if item.unique_id})
    return {value: Taken(kind, hash_, size) for value, kind, hash_, size in found}


def known_objects(work: Work, names: Iterable[str]) -> dict[str, KnownObject]:
    """Registered objects of any kind by their UUIDs; entries and folders are locked."""
    found: dict[str, KnownObject] = {}

    def add(kind: type[RegistryObject], name: str, patient_id: str, status: str, **more: object) -> None:
        state = AvailabilityStatus(status)
        found[name] = KnownObject(name, kind, patient_id, state, **more)  # type: ignore[arg-type]

    left = set(names)
    for name, patient_id, status, unique_id, object_type, latest in fetch(work, _entries, left):
        kind = ObjectType(object_type)
        add(DocumentEntry, name, patient_id, status, unique_id=unique_id, object_type=kind, is_latest=latest == 1)
    for name, patient_id, status, unique_id, latest in fetch(work, _folders, left - found.keys()):
        add(Folder, name, patient_id, status, unique_id=unique_id, is_latest=latest == 1)
    for name, patient_id, status, unique_id in fetch(work, _submission_sets, left - found.keys()):
        add(SubmissionSet, name, patient_id, status, unique_id=unique_id)
    for name, patient_id, status, source, target, type_ in fetch(work, _associations, left - found.keys()):
        link_type = AssociationType(type_)
        add(Association, name, patient_id, status, source=source, target=target, link_type=link_type)
    return found


_EARLIER: Final = Statement(
    select(submission_set.c.message_id, submission_set.c.message_digest)
    .join(identifier, identifier.c.entry_uuid == submission_set.c.entry_uuid)
    .where(identifier.c.value == bindparam("value"), submission_set.c.patient_id == identifier.c.patient_id)
)


def is_repeated(work: Work, submission: Submission, message_id: str | None, digest: str) -> bool:
    """Whether this very message was registered already, and its answer lost (same MessageID, same content)."""
    sets = submission.submission_sets
    if message_id is None or len(sets) != 1 or not sets[0].unique_id:
        return False
    found = work.rows(_EARLIER, {"value": sets[0].unique_id})
    return bool(found) and (found[0][0], found[0][1]) == (message_id, digest)


@lru_cache
def _derived(size: int) -> Statement:
    """Current transformations and addenda of documents, directly; a deprecated relationship says nothing any more."""
    c = association.c
    derives = or_(c.type == AssociationType.XFRM.value, c.type == AssociationType.APND.value)
    return Statement(
        select(entry.c.entry_uuid)
        .join(association, c.source == entry.c.entry_uuid)
        .where(
            among(c.target, size),
            derives,
            c.availability_status == APPROVED,
            entry.c.availability_status == APPROVED,
        )
        .order_by(entry.c.entry_uuid)
        .with_for_update(of=entry)
    )


def with_derived(work: Work, replaced: Iterable[str]) -> set[str]:
    """Replaced entries, and all that was transformed from or appended to them, however far down."""
    found = set(replaced)
    layer = set(found)
    while layer:
        layer = {row[0] for row in fetch(work, _derived, layer)} - found
        found |= layer
    return found


@lru_cache
def _holding(size: int) -> Statement:
    c = association.c
    return Statement(
        select(c.target, c.source)
        .join(folder, folder.c.entry_uuid == c.source)
        .where(
            among(c.target, size),
            c.type == AssociationType.HAS_MEMBER.value,
            c.availability_status == APPROVED,
            folder.c.availability_status == APPROVED,
        )
        .order_by(c.target, c.source)
        .with_for_update(of=folder)
    )


def folders_holding(work: Work, entries: Iterable[str]) -> dict[str, list[str]]:
    """The current Folders of each entry; the Folders are locked."""
    found: dict[str, list[str]] = {}
    for target, source in fetch(work, _holding, entries):
        holders = found.setdefault(target, [])
        if source not in holders:
            holders.append(source)
    return found


@lru_cache
def _deprecate(size: int) -> Statement:
    return Statement(
        update(entry)
        .where(among(entry.c.entry_uuid, size), entry.c.availability_status == APPROVED)
        .values(availability_status=DEPRECATED)
    )


def deprecate(work: Work, entries: Iterable[str]) -> int:
    """Approved entries become Deprecated."""
    return run(work, _deprecate, entries)


@lru_cache
def _fragments(size: int) -> Statement:
    c = folder.c
    columns = (c.patient_id, c.entry_uuid, c.last_update_time, c.ebrim)
    return Statement(select(*columns).where(among(c.entry_uuid, size)).order_by(c.entry_uuid).with_for_update())


_TOUCH: Final = Statement(
    update(folder)
    .where(folder.c.patient_id == bindparam("p"), folder.c.entry_uuid == bindparam("u"))
    .values(last_update_time=bindparam("now"), ebrim=bindparam("fragment"))
)


def touch_folders(work: Work, folders: Iterable[str], now: str) -> None:
    """lastUpdateTime of registered Folders; it never goes back, even when the clock does."""
    for patient_id, name, before, ebrim in fetch(work, _fragments, folders):
        if now > before:
            changed = with_slot(bytes(ebrim), "lastUpdateTime", now)
            work.run(_TOUCH, {"p": patient_id, "u": name, "now": now, "fragment": changed})


def insert(
    work: Work, submission: Submission, given: Known, *, submitted: frozenset[str], message_id: str | None,
    digest: str, now: str, new_id: NewId,
) -> None:  # fmt: skip
    """Everything that a submission adds."""
    owner = submission.submission_set
    filed: list[SubmissionSet | DocumentEntry | Folder] = [owner, *submission.entries, *submission.folders]
    names = [row for row in rows.identifier_rows(filed, submitted) if row["value"] not in given.taken]
    names += rows.association_identifiers(submission.associations, submitted, owner.patient_id or "")
    links = [rows.association_row(item, owner.patient_id or "", new_id) for item in submission.associations]
    insert_all(
        work,
        [
            (identifier, names),
            (submission_set, [rows.submission_set_row(owner, message_id, digest, now, new_id)]),
            (entry, [rows.entry_row(item, new_id) for item in submission.entries]),
            (folder, [rows.folder_row(item, new_id) for item in submission.folders]),
            (association, links),
        ],
        Guard(owner.patient_id or "", (owner.patient_id or "") in given.seen),
    )
