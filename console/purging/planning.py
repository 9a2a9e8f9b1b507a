"""From a policy to a plan, and from a plan to one that a second person has agreed to."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache
from itertools import groupby
from typing import Final

from common.clock import utc_now
from common.db import Database, Work
from console.failure import Failure
from console.purging.judging import Judged, judge
from registry.retention.policy import Policy, PolicyError, read_policy
from registry.store import purging, retaining
from registry.store.purging import Item, Plan, State

_AT_ONCE: Final = 50


def judged(database: Database, policy: Policy, as_of: date) -> Iterator[Judged]:
    """Every entry of the registry, with its verdict."""
    for entries in retaining.patients(database):
        with database.read(snapshot=True) as work:
            yield from judge(work, entries, policy, as_of)


def digest_of(items: Iterable[Item]) -> str:
    """What tells a plan from every other: which entries in which state, and why."""
    told = sorted([each.entry_uuid, each.unique_id, each.state_digest, each.rule, each.reason] for each in items)
    return hashlib.sha256(json.dumps(told, separators=(",", ":")).encode()).hexdigest()


def new_plan(policy: Policy, as_of: date, by: str, going: Iterable[Judged]) -> tuple[Plan, list[Item]]:
    """A plan of all that may go."""
    plan_id, now = f"purge-{utc_now()}-{uuid.uuid4().hex[:8]}", utc_now()
    items = [
        Item(
            patient_id=each.entry.patient_id,
            plan_id=plan_id,
            entry_uuid=each.entry.entry_uuid,
            unique_id=each.entry.unique_id,
            repository_unique_id=each.entry.repository_unique_id,
            hash=each.entry.hash,
            state_digest=each.entry.state,
            rule=each.verdict.rule,
            reason=each.verdict.reason,
            changed_at=now,
        )
        for each in going
    ]
    return Plan(plan_id, policy.text, as_of.isoformat(), by, now, digest_of(items)), items


def known_plan(work: Work, plan_id: str) -> Plan:
    """A plan by its id, or a Failure."""
    found = purging.plan(work, plan_id)
    if found is None:
        raise Failure(f"There is no plan {plan_id}.", "`portolan purge plans` lists them.")
    return found


@lru_cache(maxsize=4)
def policy_of(plan: Plan) -> Policy:
    """The policy that a plan was made by, as it was then."""
    try:
        return read_policy(plan.policy)
    except PolicyError as error:
        raise Failure(f"The policy kept with {plan.plan_id} cannot be read any more.", *error.problems) from error


def confirm(database: Database, plan_id: str, by: str) -> dict[str, int]:
    """A second person agrees; what has changed since it was planned is left out. How many items are in each state."""
    with database.read() as work:
        plan, items = known_plan(work, plan_id), purging.items(work, plan_id)
    if same_person(plan.planned_by, by):
        raise Failure(f"{plan_id} was planned by {plan.planned_by}: somebody else has to confirm it.")
    if plan.confirmed_by:
        raise Failure(f"{plan_id} was confirmed by {plan.confirmed_by} already.")
    if digest_of(items) != plan.digest:
        raise Failure(f"The items of {plan_id} are not those that were planned.", "Make a new plan.")
    # In portions, so that no submission waits for long; nothing goes before the last line of this is done.
    open_ = [each for each in items if each.state in (State.PLANNED.value, State.CONFIRMED.value)]
    patients = [list(group) for _, group in groupby(open_, key=lambda each: each.patient_id)]
    for start in range(0, len(patients), _AT_ONCE):
        with database.write() as work:
            for group in patients[start : start + _AT_ONCE]:
                settle(work, plan, group, State.CONFIRMED)
            work.commit()
    with database.write() as work:
        if not purging.confirm(work, plan_id, by=by, at=utc_now()):
            raise Failure(f"{plan_id} was confirmed by somebody else at this moment.")
        work.commit()
    with database.read() as work:
        return purging.counts(work, plan_id)


def same_person(one: str, other: str) -> bool:
    """Whether two names are those of one person, however they are written."""
    return "".join(one.split()).casefold() == "".join(other.split()).casefold()


def settle(work: Work, plan: Plan, items: list[Item], to: State) -> list[Item]:
    """Move one patient's items on, but for those that may not go any more; the ones that moved on."""
    excluded = changes(work, plan, items)
    for each in items:
        if reason := excluded.get(each.entry_uuid):
            purging.move(work, [each], State.EXCLUDED, reason, utc_now())
    going = [each for each in items if each.entry_uuid not in excluded]
    purging.move(work, going, to, "", utc_now())
    return going


def changes(work: Work, plan: Plan, items: list[Item]) -> dict[str, str]:
    """Why some of one patient's items may not go any more: the world is looked at once again."""
    entries = retaining.of_patient(work, items[0].patient_id)
    verdicts = {
        each.entry.entry_uuid: each
        for each in (judge(work, entries, policy_of(plan), date.fromisoformat(plan.as_of)) if entries else [])
    }
    found = {}
    for item in items:
        now = verdicts.get(item.entry_uuid)
        if now is None:
            found[item.entry_uuid] = "it is not registered any more"
        elif now.entry.state != item.state_digest:
            found[item.entry_uuid] = "its metadata changed since it was planned"
        elif not now.verdict.may_go:
            found[item.entry_uuid] = now.verdict.reason
    return found
