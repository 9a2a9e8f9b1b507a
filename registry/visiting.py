"""Relationships made of ADT: what messages tell of visits is kept, and says in whose care a patient is."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Final

from common.access.places import Places
from common.access.records import RELATIONSHIPS
from common.db import Conflict, Work
from common.faults import checkpoint
from common.hl7.visits import Told, has_number
from common.observe import metrics
from registry.access import store, visits
from registry.access.senders import Senders
from registry.access.store import Record
from registry.access.visits import Noted
from registry.rules.visits import EFFECTS, LAST, Effect, VisitEvent, stays
from registry.store import merging

log = logging.getLogger("portolan.visits")
BY: Final = "patient feed"
"""Who changes relationships, in the journal."""


@dataclass(frozen=True, slots=True)
class Visits:
    """Opens and closes relationships; ``grace_days`` are those for which one goes on after a discharge.

    With ``senders`` not everybody who is let in may tell of them.
    """

    places: Places
    grace_days: int
    senders: Senders | None = None

    def take(
        self, work: Work, told: Told, patient_id: str, *, message: str, local_ids: Iterable[str], now: str
    ) -> None:
        """Carry out what a message tells of a visit; the patient is taken alone until the unit of work ends."""
        organisation = self._organisation(told)
        known = visits.of_visit(work, _held(work, patient_id), told.visit)
        # Whoever knows the number of a visit elsewhere must not end it.
        touched = {organisation, *(each.event.organisation for each in known)}
        if self.senders is not None and not self.senders.may_tell(work, touched, patient_id):
            log.warning("the sender of a message may not tell of relationships there", extra={"event": told.event})
            metrics.visit_event("refused")
            return
        event = VisitEvent(
            told.event, organisation, told.recorded_at, told.happened_at, arrived_at=now, message=message
        )
        news = False
        for owner in _owners(event, told.visit, patient_id, {each.patient_id for each in known}):
            mine = [each for each in known if each.patient_id == owner]
            if any(_is_same(each.event, event) for each in mine):
                continue
            noted = Noted(owner, told.visit, _next(mine), event, tuple(sorted(local_ids)))
            visits.note(work, noted)
            self._change(work, owner, told.visit, mine, [*mine, noted], now)
            news = True
        checkpoint("visit.noted")
        metrics.visit_event("noted" if news else "again")

    def relink(self, work: Work, old: str, new: str, moving: str, local: str, now: str) -> None:
        """The visits in which a patient had a local id go with it to another patient; both are taken alone already."""
        known = visits.of_patients(work, {old, *merging.all_subsumed(work, old)})
        filed = {(each.patient_id, each.visit) for each in known if moving in each.local_ids}
        for owner, visit in sorted(filed):
            mine = [each for each in known if (each.patient_id, each.visit) == (owner, visit)]
            # Messages without a number may be about visits of several local ids.
            going = [each for each in mine if has_number(visit) or moving in each.local_ids]
            theirs = visits.of_visit(work, [new], visit) if old != new else []
            moved = [
                replace(
                    each,
                    patient_id=new,
                    number=_next(theirs) + number if old != new else each.number,
                    local_ids=tuple(local if name == moving else name for name in each.local_ids),
                )
                for number, each in enumerate(going)
            ]
            for was, each in zip(going, moved, strict=True):
                visits.move(work, was, each)
            if old != new:
                self._change(work, owner, visit, mine, [each for each in mine if each not in going], now)
                self._change(work, new, visit, theirs, [*theirs, *moved], now)

    def _organisation(self, told: Told) -> str:
        found = self.places.organisation(told.places)
        if not found:
            # Not what stands there: a message that is out of step may have anything in its place.
            log.warning("a place in a message stands for no organisation of the table", extra={"field": told.field})
            metrics.visit_event("unmapped")
        return found

    def _records(self, patient_id: str, visit: str, noted: Sequence[Noted]) -> dict[str, Record]:
        """The relationships that events of a visit come to, by their ids, which other messages do not change."""
        made: dict[str, Record] = {}
        for stay in stays((each.event for each in noted), self.grace_days):
            same = sum(each["organisation"] == stay.organisation for each in made.values())
            name = "\0".join((patient_id, visit, stay.organisation, str(same)))
            key = f"adt-{hashlib.sha256(name.encode()).hexdigest()[:24]}"
            told = {"patient_id": patient_id, "organisation": stay.organisation, "source": stay.source}
            made[key] = store.with_key(RELATIONSHIPS, {"id": key, **told, "begins": stay.begins, "ends": stay.ends})
        return made

    def _change(
        self, work: Work, patient_id: str, visit: str, was: Sequence[Noted], noted: Sequence[Noted], now: str
    ) -> None:
        """Let relationships be as events say now; those that somebody has ended by hand stay ended."""
        before, after = (self._records(patient_id, visit, each) for each in (was, noted))
        gone = {
            key: {**each, "ends": max(each["begins"], min(each["ends"] or now, now))}
            for key, each in before.items()
            if key not in after
        }
        wanted = {**after, **gone}
        changed = [key for key, each in wanted.items() if before.get(key) != each]
        if not changed:
            return
        kept = {each["id"]: each for each in store.by_keys(work, RELATIONSHIPS, changed)}
        taken = [key for key in changed if not _was_ended(kept.get(key), before.get(key))]
        store.put(work, RELATIONSHIPS, [wanted[key] for key in taken], by=BY, at=now)


def _owners(event: VisitEvent, visit: str, patient_id: str, known: AbstractSet[str]) -> list[str]:
    """By which ids of a patient an event is kept: where a visit is known by one that was merged it goes on there.

    Who reads has all ids of a patient. Without a number nothing tells of which visit an event is, and all of them end.
    """
    if has_number(visit):
        return sorted(known) or [patient_id]
    ends = EFFECTS[event.event] in (Effect.LEAVES, Effect.NEVER_CAME)
    return sorted({patient_id, *(known if ends else ())})


def _next(noted: Sequence[Noted]) -> int:
    return max((each.number for each in noted), default=0) + 1


def _is_same(one: VisitEvent, other: VisitEvent) -> bool:
    """Whether it is one message, which was sent again."""
    return (one.message, one.event, one.recorded_at) == (other.message, other.event, other.recorded_at)


def _was_ended(kept: Record | None, ours: Record | None) -> bool:
    """Whether somebody has ended what by the messages went on, or went on for longer."""
    return kept is not None and ours is not None and bool(kept["ends"]) and kept["ends"] < (ours["ends"] or LAST)


def _held(work: Work, patient_id: str) -> frozenset[str]:
    """All ids of a patient, each taken alone."""
    persons = merging.same_person(work, [patient_id])[patient_id]
    merging.lock(work, persons)
    if merging.same_person(work, [patient_id])[patient_id] != persons:
        raise Conflict("the patient was merged meanwhile")
    return persons
