"""What a link change (ITI-64) reads of the documents that it moves, and locks."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from sqlalchemy import Text, bindparam, or_, select

from common.db import Statement, Work, bytes_contain
from common.ebxml.fragments import slot_mark
from common.ebxml.stored import read_fragment
from common.model import AssociationType, DocumentEntry, Folder, SubmissionSet
from registry.moving import Moving, Tied
from registry.store.registering import APPROVED
from registry.store.statements import among, fetch
from registry.store.tables import association, entry, folder, submission_set

_HAS_MEMBER: Final = AssociationType.HAS_MEMBER.value
_ENTRIES: Final = Statement(
    select(entry.c.ebrim)
    .where(
        entry.c.patient_id == bindparam("patient"),
        entry.c.availability_status == APPROVED,
        entry.c.is_latest == 1,
        bytes_contain(entry.c.ebrim, bindparam("local", type_=Text())),
    )
    .order_by(entry.c.entry_uuid)
    .with_for_update()
)


def entries_of(work: Work, patient_id: str, local_id: str) -> list[DocumentEntry]:
    """The current documents of a patient that came with a local id; locked."""
    found = work.rows(_ENTRIES, {"patient": patient_id, "local": slot_mark("sourcePatientId", local_id)})
    return [read_fragment(DocumentEntry, APPROVED, bytes(row[0])) for row in found]


@lru_cache
def _relationships(size: int) -> Statement:
    c = association.c
    ends = or_(among(c.source, size), among(c.target, size))
    chosen = select(c.entry_uuid, c.type, c.source, c.target)
    return Statement(chosen.where(ends, c.type != _HAS_MEMBER, c.availability_status == APPROVED))


@lru_cache
def _latest(size: int) -> Statement:
    chosen = among(entry.c.entry_uuid, size), entry.c.is_latest == 1
    return Statement(select(entry.c.entry_uuid, entry.c.availability_status).where(*chosen))


@lru_cache
def _holders(size: int) -> Statement:
    """The current Folders of documents; locked."""
    c = association.c
    return Statement(
        select(folder.c.entry_uuid)
        .join(association, c.source == folder.c.entry_uuid)
        .where(
            among(c.target, size),
            c.type == _HAS_MEMBER,
            c.availability_status == APPROVED,
            folder.c.availability_status == APPROVED,
            folder.c.is_latest == 1,
        )
        .order_by(folder.c.entry_uuid)
        .with_for_update(of=folder)
    )


@lru_cache
def _members(size: int) -> Statement:
    c = association.c
    return Statement(
        select(c.source, c.target)
        .join(entry, entry.c.entry_uuid == c.target)
        .where(
            among(c.source, size),
            c.type == _HAS_MEMBER,
            c.availability_status == APPROVED,
            entry.c.availability_status == APPROVED,
        )
    )


def around(work: Work, names: set[str]) -> Moving:
    """All that is current around some documents."""
    found = Moving(names)
    ties = {Tied(*row) for row in fetch(work, _relationships, names)}
    others = {end for tie in ties for end in (tie.source, tie.target)} - names
    latest = {name: status == APPROVED for name, status in fetch(work, _latest, others)}
    live = [tie for tie in ties if {tie.source, tie.target} <= names | latest.keys()]
    found.relationships = sorted(live, key=lambda tie: tie.entry_uuid)
    found.current = {name for name, is_current in latest.items() if is_current}
    holders = {row[0] for row in fetch(work, _holders, names)}
    for holder, member in fetch(work, _members, holders):
        found.members.setdefault(holder, set()).add(member)
    return found


@lru_cache
def _folders(size: int) -> Statement:
    return Statement(select(folder.c.ebrim).where(among(folder.c.entry_uuid, size)).order_by(folder.c.entry_uuid))


def folders(work: Work, names: Iterable[str]) -> list[Folder]:
    """Current Folders by their ids."""
    return [read_fragment(Folder, APPROVED, bytes(row[0])) for row in fetch(work, _folders, names)]


@lru_cache
def _sets(size: int) -> Statement:
    c = association.c
    return Statement(
        select(submission_set.c.ebrim)
        .join(association, c.source == submission_set.c.entry_uuid)
        .where(among(c.target, size), c.type == _HAS_MEMBER)
        .order_by(submission_set.c.entry_uuid)
    )


def submitted_in(work: Work, name: str) -> SubmissionSet:
    """The SubmissionSet that a document came in."""
    found = fetch(work, _sets, [name])
    return read_fragment(SubmissionSet, APPROVED, bytes(found[0][0]))
