"""The events of visits, as ADT messages have told of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import bindparam, insert, select, update

from common.db import Row, Statement, Work
from common.db.statement import SEPARATOR
from registry.access.tables import visit_event
from registry.rules.visits import VisitEvent
from registry.store.statements import CHUNK, among, bound, fetch, rounded

_FIELDS: Final = ("event", "organisation", "recorded_at", "happened_at", "arrived_at", "message")
_c = visit_event.c
_INSERT: Final = Statement(insert(visit_event).values({each.name: bindparam(f"n_{each.name}") for each in _c}))
_MOVE: Final = Statement(
    update(visit_event)
    .where(_c.patient_id == bindparam("b_from"), _c.visit == bindparam("b_visit"), _c.number == bindparam("b_number"))
    .values(patient_id=bindparam("b_to"), number=bindparam("b_as"), local_ids=bindparam("b_local_ids"))
)


@dataclass(frozen=True, slots=True)
class Noted:
    """An event with what it is filed under."""

    patient_id: str
    visit: str
    number: int
    event: VisitEvent
    local_ids: tuple[str, ...] = ()


def _select(size: int, *more: Any) -> Statement:
    chosen = select(_c.patient_id, _c.visit, _c.number, _c.local_ids, *(_c[name] for name in _FIELDS))
    return Statement(chosen.where(among(_c.patient_id, size), *more).order_by(_c.patient_id, _c.visit, _c.number))


@lru_cache
def _of_patients(size: int) -> Statement:
    return _select(size)


@lru_cache
def _of_visit(size: int) -> Statement:
    return _select(size, _c.visit == bindparam("visit"))


def of_patients(work: Work, patients: Iterable[str]) -> list[Noted]:
    """What is known of all visits of some patients, visit by visit and in the order of arrival."""
    return _all(fetch(work, _of_patients, patients))


def of_visit(work: Work, patients: Iterable[str], visit: str) -> list[Noted]:
    """What is known of one visit of a patient, whatever ids they have, by id and in the order of arrival."""
    ordered = sorted(set(patients))[:CHUNK]
    size = rounded(len(ordered))
    return _all(work.rows(_of_visit(size), {**bound(ordered, size), "visit": visit}))


def _all(rows: Iterable[Row]) -> list[Noted]:
    found = []
    for patient_id, visit, number, local_ids, *event in rows:
        found.append(Noted(patient_id, visit, number, VisitEvent(*event), _several(local_ids)))
    return found


def _several(joined: str) -> tuple[str, ...]:
    return tuple(joined.split(SEPARATOR)) if joined else ()


def note(work: Work, noted: Noted) -> None:
    """Keep one more event."""
    values = {"patient_id": noted.patient_id, "visit": noted.visit, "number": noted.number}
    values |= {name: getattr(noted.event, name) for name in _FIELDS}
    values["local_ids"] = SEPARATOR.join(noted.local_ids)
    work.run(_INSERT, {f"n_{name}": value for name, value in values.items()})


def move(work: Work, was: Noted, now: Noted) -> None:
    """File an event under another patient, or with other ids."""
    values = {"b_from": was.patient_id, "b_visit": was.visit, "b_number": was.number}
    values |= {"b_to": now.patient_id, "b_as": now.number, "b_local_ids": SEPARATOR.join(now.local_ids)}
    work.run(_MOVE, values)
