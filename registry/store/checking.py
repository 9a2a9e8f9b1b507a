"""What `portolan check` asks of the registry's tables: page by page in the order of the keys, and nothing is changed.

Each page and what is looked up for it are meant to be read in one snapshot, so that a submission that comes meanwhile
is seen whole or not at all. No statement sorts or counts a whole table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sqlalchemy import Select, bindparam, exists, literal_column, or_, select, tuple_, union_all
from sqlalchemy.schema import Table

from common.db import Row, Statement, Work
from common.model import AssociationType, DocumentAvailability, ObjectType
from registry.store.registering import APPROVED
from registry.store.statements import among, fetch
from registry.store.tables import association, entry, folder, identifier, submission_set

Key = tuple[str, str]
FIRST: Final[Key] = ("", "")
"""Before every key."""

_REPLACING: Final = (AssociationType.RPLC.value, AssociationType.XFRM_RPLC.value)


@dataclass(frozen=True, slots=True)
class KeptEntry:
    """A DocumentEntry as far as it can contradict anything; hash in lower-case hex, size as it was submitted."""

    patient_id: str
    entry_uuid: str
    unique_id: str
    repository_unique_id: str
    hash: str | None
    size: str | None
    object_type: str
    document_availability: str | None

    @property
    def key(self) -> Key:
        """Where it stands in the order of the table."""
        return self.patient_id, self.entry_uuid

    @property
    def is_stable(self) -> bool:
        """Whether there are bytes of it at all; an on-demand document is made when it is asked for."""
        return self.object_type == ObjectType.STABLE.value

    @property
    def is_offline(self) -> bool:
        """Whether it says of itself that its bytes cannot be had now."""
        return self.document_availability == DocumentAvailability.OFFLINE.value


@dataclass(frozen=True, slots=True)
class KeptLink:
    """An Association and what it joins."""

    patient_id: str
    entry_uuid: str
    type: str
    source: str
    target: str
    availability_status: str

    @property
    def key(self) -> Key:
        """Where it stands in the order of the table."""
        return self.patient_id, self.entry_uuid

    @property
    def is_membership(self) -> bool:
        """Whether it is a HasMember."""
        return self.type == AssociationType.HAS_MEMBER.value

    @property
    def replaces(self) -> bool:
        """Whether its source has taken the place of its target."""
        return self.type in _REPLACING and self.availability_status == APPROVED


@dataclass(frozen=True, slots=True)
class End:
    """What an id stands for: the name of its table, whose it is, and whether it is current."""

    kind: str
    patient_id: str
    is_current: bool


_ENTRY: Final = (
    entry.c.patient_id, entry.c.entry_uuid, entry.c.unique_id, entry.c.repository_unique_id, entry.c.hash,
    entry.c.size, entry.c.object_type, entry.c.document_availability,
)  # fmt: skip
_LINK: Final = (
    association.c.patient_id, association.c.entry_uuid, association.c.type, association.c.source,
    association.c.target, association.c.availability_status,
)  # fmt: skip


def _page(table: Table, columns: tuple[object, ...]) -> Statement:
    """So many rows behind a key, in the order of the primary key."""
    key = tuple_(table.c.patient_id, table.c.entry_uuid)
    behind = key > tuple_(bindparam("patient_id"), bindparam("entry_uuid"))
    chosen: Select[tuple[object, ...]] = select(*columns)  # type: ignore[call-overload]
    return Statement(chosen.where(behind).order_by(table.c.patient_id, table.c.entry_uuid).limit(bindparam("most")))


_ENTRIES: Final = _page(entry, _ENTRY)
_LINKS: Final = _page(association, _LINK)


def _behind(work: Work, statement: Statement, after: Key, most: int) -> list[Row]:
    return work.rows(statement, {"patient_id": after[0], "entry_uuid": after[1], "most": most})


def entries(work: Work, after: Key, most: int) -> list[KeptEntry]:
    """The next DocumentEntries behind a key; [] at the end."""
    return [KeptEntry(*row) for row in _behind(work, _ENTRIES, after, most)]


def links(work: Work, after: Key, most: int) -> list[KeptLink]:
    """The next Associations behind a key; [] at the end."""
    return [KeptLink(*row) for row in _behind(work, _LINKS, after, most)]


@lru_cache
def _by_unique_id(size: int) -> Statement:
    return Statement(select(*_ENTRY).where(among(entry.c.unique_id, size)).order_by(entry.c.entry_uuid))


def entries_of(work: Work, unique_ids: Iterable[str]) -> dict[str, list[KeptEntry]]:
    """The DocumentEntries of each uniqueId, whosever they are."""
    found: dict[str, list[KeptEntry]] = {}
    for row in fetch(work, _by_unique_id, unique_ids):
        kept = KeptEntry(*row)
        found.setdefault(kept.unique_id, []).append(kept)
    return found


@lru_cache
def _contents(size: int) -> Statement:
    c = identifier.c
    return Statement(select(c.value, c.hash, c.size).where(among(c.value, size), c.hash.is_not(None)))


def contents_of(work: Work, unique_ids: Iterable[str]) -> dict[str, tuple[str | None, str | None]]:
    """Hash and size that a uniqueId was first registered with."""
    return {row[0]: (row[1], row[2]) for row in fetch(work, _contents, unique_ids)}


@lru_cache
def _submitted(size: int) -> Statement:
    c = association.c
    return Statement(
        select(c.target)
        .join(submission_set, submission_set.c.entry_uuid == c.source)
        .where(among(c.target, size), c.type == AssociationType.HAS_MEMBER.value)
    )


def submitted(work: Work, uuids: Iterable[str]) -> set[str]:
    """Those that are members of a SubmissionSet."""
    return {row[0] for row in fetch(work, _submitted, uuids)}


@lru_cache
def _ends(size: int) -> Statement:
    tables = (entry, folder, submission_set, association)
    return Statement(
        union_all(
            *(
                select(
                    each.c.entry_uuid,
                    literal_column(f"'{each.name}'"),
                    each.c.patient_id,
                    each.c.availability_status,
                ).where(among(each.c.entry_uuid, size))
                for each in tables
            )
        )
    )


def ends(work: Work, uuids: Iterable[str]) -> dict[str, End]:
    """What each id stands for; those that stand for nothing are absent."""
    found = fetch(work, _ends, uuids)
    return {name: End(kind, patient_id, status == APPROVED) for name, kind, patient_id, status in found}


@lru_cache
def _replacing(size: int) -> Statement:
    c = association.c
    return Statement(
        select(c.target, c.source).where(
            among(c.target, size), or_(*(c.type == each for each in _REPLACING)), c.availability_status == APPROVED
        )
    )


def replacing(work: Work, uuids: Iterable[str]) -> dict[str, set[str]]:
    """The direct successors of each, where it has any."""
    found: dict[str, set[str]] = {}
    for target, source in fetch(work, _replacing, uuids):
        found.setdefault(target, set()).add(source)
    return found


_KNOWS: Final = Statement(
    select(literal_column("1")).where(exists().where(entry.c.repository_unique_id == bindparam("repository")))
)


def knows_repository(work: Work, repository_unique_id: str) -> bool:
    """Whether any document of this Repository is registered."""
    return bool(work.rows(_KNOWS, {"repository": repository_unique_id}))
