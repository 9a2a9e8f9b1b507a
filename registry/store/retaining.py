"""What retention looks at: entries patient by patient, what ties them together, and when patients died."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import bindparam, delete, insert, select, tuple_

from common.db import Database, Statement, Work
from common.model import AssociationType
from registry.removable import KnownLink
from registry.store.lifecycle_tables import patient_death
from registry.store.merging import same_person
from registry.store.removing import links_by
from registry.store.statements import among, fetch
from registry.store.tables import association, entry

_PAGE: Final = 500
_BIRTH: Final = re.compile(rb"PID-7\|(\d{4}(?:\d{4})?)")


@dataclass(frozen=True, slots=True)
class Retained:
    """An entry as retention sees it; times as DTM, and ``state`` a digest of all that is kept of it."""

    patient_id: str
    entry_uuid: str
    logical_id: str
    unique_id: str
    repository_unique_id: str
    hash: str | None
    class_code: str
    type_code: str
    practice_setting_code: str
    facility_code: str
    creation_time: str | None
    service_start_time: str | None
    service_stop_time: str | None
    birth: str | None
    state: str


_COLUMNS: Final = (
    "patient_id", "entry_uuid", "logical_id", "unique_id", "repository_unique_id", "hash", "class_code", "type_code",
    "practice_setting_code", "healthcare_facility_type_code", "creation_time", "service_start_time",
    "service_stop_time",
)  # fmt: skip
_C: Final = entry.c
_CHOSEN: Final = (*(_C[name] for name in _COLUMNS), _C.availability_status, _C.version, _C.ebrim)
_ALL: Final = Statement(
    select(*_CHOSEN)
    .where(tuple_(_C.patient_id, _C.entry_uuid) > tuple_(bindparam("patient"), bindparam("uuid")))
    .order_by(_C.patient_id, _C.entry_uuid)
    .limit(bindparam("most"))
)
_OF_PATIENT: Final = Statement(select(*_CHOSEN).where(_C.patient_id == bindparam("patient")).order_by(_C.entry_uuid))
_TIES: Final = Statement(
    select(association.c.source, association.c.target).where(
        association.c.patient_id == bindparam("patient"),
        association.c.type != AssociationType.HAS_MEMBER.value,
    )
)


def _retained(row: tuple[Any, ...]) -> Retained:
    *told, status, version, ebrim = row
    fragment = bytes(ebrim)
    birth = _BIRTH.search(fragment)
    state = hashlib.sha256(f"{told} {status} {version} ".encode() + fragment).hexdigest()
    values: list[Any] = [*told, birth[1].decode() if birth else None, state]
    return Retained(*values)


def patients(database: Database) -> Iterator[list[Retained]]:
    """All entries, those of one patient at a time; a page is read at a time, so that nobody waits for long."""
    after, waiting = ("", ""), list[Retained]()
    while True:
        with database.read() as work:
            page = [_retained(row) for row in work.rows(_ALL, {"patient": after[0], "uuid": after[1], "most": _PAGE})]
        for each in page:
            if waiting and waiting[0].patient_id != each.patient_id:
                yield waiting
                waiting = []
            waiting.append(each)
        if len(page) < _PAGE:
            break
        after = page[-1].patient_id, page[-1].entry_uuid
    if waiting:
        yield waiting


def of_patient(work: Work, patient_id: str) -> list[Retained]:
    """The entries of one patient."""
    return [_retained(row) for row in work.rows(_OF_PATIENT, {"patient": patient_id})]


def ties(work: Work, patient_id: str) -> list[tuple[str, str]]:
    """Which of a patient's documents are related: replaced, appended, transformed, signed."""
    return [(row[0], row[1]) for row in work.rows(_TIES, {"patient": patient_id})]


def links_at(work: Work, names: Iterable[str]) -> list[KnownLink]:
    """All Associations with an end among some ids."""
    wanted = set(names)
    return links_by(work, "source", wanted) + links_by(work, "target", wanted)


@lru_cache
def _deaths(size: int) -> Statement:
    c = patient_death.c
    return Statement(select(c.patient_id, c.died_on).where(among(c.patient_id, size)))


_FORGET: Final = Statement(delete(patient_death).where(patient_death.c.patient_id == bindparam("patient")))
_RECORD: Final = Statement(
    insert(patient_death).values({column.name: bindparam(column.name) for column in patient_death.columns})
)


def deaths(work: Work, patient_ids: Iterable[str]) -> dict[str, str]:
    """On which day (YYYYMMDD) patients died, as far as it was told, under whatever id they had."""
    persons = same_person(work, patient_ids)
    told = {row[0]: row[1] for row in fetch(work, _deaths, frozenset().union(*persons.values()))}
    days = {name: [told[each] for each in ids if each in told] for name, ids in persons.items()}
    return {name: max(each) for name, each in days.items() if each}


def record_deaths(work: Work, died: Mapping[str, str], *, by: str, at: str) -> None:
    """Keep the days; one that was told before is corrected, and an empty one takes it back."""
    for patient_id in died:
        work.run(_FORGET, {"patient": patient_id})
    told = [(patient_id, day) for patient_id, day in died.items() if day]
    work.run_each(
        _RECORD,
        [{"patient_id": name, "died_on": day, "recorded_by": by, "recorded_at": at} for name, day in told],
    )
