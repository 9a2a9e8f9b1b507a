"""Purge plans and their items: what is to go, how far each has come, and what became of it. Rows are never deleted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from sqlalchemy import bindparam, func, insert, select, tuple_, update

from common.db import Statement, Work
from registry.store.lifecycle_tables import purge_item, purge_plan, removal
from registry.store.statements import among, fetch, run
from registry.store.tables import entry


class State(StrEnum):
    """How far an item has come."""

    PLANNED = "planned"
    EXCLUDED = "excluded"
    CONFIRMED = "confirmed"
    REMOVING = "removing"
    METADATA_REMOVED = "metadata-removed"
    REMOVED = "removed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Plan:
    """What somebody proposes to purge, and who agreed; times in UTC, as DTM, ``as_of`` a day."""

    plan_id: str
    policy: str
    as_of: str
    planned_by: str
    planned_at: str
    digest: str
    confirmed_by: str | None = None
    confirmed_at: str | None = None
    finished_at: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One document of a plan."""

    patient_id: str
    plan_id: str
    entry_uuid: str
    unique_id: str
    repository_unique_id: str
    hash: str | None
    state_digest: str
    rule: str
    reason: str
    state: str = State.PLANNED.value
    detail: str = ""
    changed_at: str = ""


_PLAN: Final = tuple(purge_plan.columns)
_ITEM: Final = tuple(purge_item.columns)
_I: Final = purge_item.c
_NEW_PLAN: Final = Statement(insert(purge_plan).values({each.name: bindparam(each.name) for each in _PLAN}))
_NEW_ITEM: Final = Statement(insert(purge_item).values({each.name: bindparam(each.name) for each in _ITEM}))
_ONE: Final = Statement(select(*_PLAN).where(purge_plan.c.plan_id == bindparam("plan")))
_PLANS: Final = Statement(select(*_PLAN).order_by(purge_plan.c.planned_at, purge_plan.c.plan_id))
_CONFIRM: Final = Statement(
    update(purge_plan)
    .where(purge_plan.c.plan_id == bindparam("plan"), purge_plan.c.confirmed_by.is_(None))
    .values(confirmed_by=bindparam("by"), confirmed_at=bindparam("at"))
)
_FINISH: Final = Statement(
    update(purge_plan).where(purge_plan.c.plan_id == bindparam("plan")).values(finished_at=bindparam("at"))
)
_ITEMS: Final = Statement(select(*_ITEM).where(_I.plan_id == bindparam("plan")).order_by(_I.patient_id, _I.entry_uuid))
_COUNTS: Final = Statement(
    select(_I.state, func.count()).where(_I.plan_id == bindparam("plan")).group_by(_I.state).order_by(_I.state)
)
_BEHIND: Final = tuple_(_I.patient_id, _I.entry_uuid) > tuple_(bindparam("patient"), bindparam("uuid"))
_NEXT: Final = Statement(
    select(*_ITEM)
    .where(_I.plan_id == bindparam("plan"), _I.state == bindparam("state"), _BEHIND)
    .order_by(_I.patient_id, _I.entry_uuid)
    .limit(bindparam("most"))
)


@lru_cache
def _move(size: int) -> Statement:
    chosen = (_I.plan_id == bindparam("plan"), _I.patient_id == bindparam("patient"), among(_I.entry_uuid, size))
    return Statement(
        update(purge_item)
        .where(*chosen)
        .values(state=bindparam("to"), detail=bindparam("told"), changed_at=bindparam("at"))
    )


@lru_cache
def _registered(size: int) -> Statement:
    return Statement(select(entry.c.unique_id).where(among(entry.c.unique_id, size)))


@lru_cache
def _gone(size: int) -> Statement:
    return Statement(select(removal.c.entry_uuid).where(among(removal.c.entry_uuid, size)))


def keep(work: Work, plan: Plan, items: Iterable[Item]) -> None:
    """A new plan."""
    work.run(_NEW_PLAN, asdict(plan))
    rows = [asdict(each) for each in items]
    for start in range(0, len(rows), 1000):
        work.run_each(_NEW_ITEM, rows[start : start + 1000])


def plan(work: Work, plan_id: str) -> Plan | None:
    """One plan by its id."""
    found = work.rows(_ONE, {"plan": plan_id})
    return Plan(*found[0]) if found else None


def plans(work: Work) -> list[Plan]:
    """All plans, the oldest first."""
    return [Plan(*row) for row in work.rows(_PLANS)]


def items(work: Work, plan_id: str) -> list[Item]:
    """All items of a plan, in the order of patients."""
    return [Item(*row) for row in work.rows(_ITEMS, {"plan": plan_id})]


def waiting(work: Work, plan_id: str, state: State, after: tuple[str, str], most: int) -> list[Item]:
    """The next items in a state, behind a patient and an entryUUID."""
    values = {"plan": plan_id, "state": state.value, "patient": after[0], "uuid": after[1], "most": most}
    return [Item(*row) for row in work.rows(_NEXT, values)]


def counts(work: Work, plan_id: str) -> dict[str, int]:
    """How many items are in each state."""
    return {row[0]: row[1] for row in work.rows(_COUNTS, {"plan": plan_id})}


def confirm(work: Work, plan_id: str, *, by: str, at: str) -> bool:
    """Note who agreed; whether nobody had before."""
    return work.run(_CONFIRM, {"plan": plan_id, "by": by, "at": at}) > 0


def finish(work: Work, plan_id: str, at: str) -> None:
    """Note that nothing is left to be done."""
    work.run(_FINISH, {"plan": plan_id, "at": at})


def move(work: Work, of: Sequence[Item], to: State, detail: str, at: str) -> None:
    """Items of one plan and one patient change their state."""
    if of:
        names = [each.entry_uuid for each in of]
        values = {"plan": of[0].plan_id, "patient": of[0].patient_id, "to": to.value, "told": detail, "at": at}
        run(work, _move, names, **values)


def still_registered(work: Work, unique_ids: Iterable[str]) -> set[str]:
    """Documents that some entry still points at."""
    return {row[0] for row in fetch(work, _registered, unique_ids)}


def evidence_of(work: Work, entry_uuids: Iterable[str]) -> set[str]:
    """Those entries of which there is evidence that they were removed."""
    return {row[0] for row in fetch(work, _gone, entry_uuids)}
