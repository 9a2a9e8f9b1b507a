"""Relationships made of ADT: what messages tell of visits is kept, and says in whose care a patient is."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from common.access.places import Places
from common.access.records import RELATIONSHIPS
from common.db import Conflict, Work
from common.faults import checkpoint
from common.hl7.visits import Told
from common.observe import metrics
from registry.access import store, visits
from registry.access.senders import Senders
from registry.access.store import Record
from registry.access.visits import Noted
from registry.rules.visits import VisitEvent, stays
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
        if self.senders is not None and not self.senders.may_tell(work, organisation, patient_id):
            log.warning("the sender of a message may not tell of relationships there", extra={"event": told.event})
            metrics.visit_event("refused")
            return
        persons = _held(work, patient_id)
        event = VisitEvent(
            told.event, organisation, told.recorded_at, told.happened_at, arrived_at=now, message=message
        )
        known = visits.of_visit(work, persons, told.visit)
        if any(_is_same(each.event, event) for each in known):
            metrics.visit_event("again")
            return
        # Where the visit is known by an id that was merged it goes on there: who reads has all ids of a patient.
        owner = known[0].patient_id if known else patient_id
        mine = [each for each in known if each.patient_id == owner]
        noted = Noted(owner, told.visit, len(mine) + 1, event, tuple(sorted(local_ids)))
        visits.note(work, noted)
        before = self._records(owner, told.visit, mine)
        self._put(work, before, self._records(owner, told.visit, [*mine, noted]), now)
        checkpoint("visit.noted")
        metrics.visit_event("noted")

    def relink(self, work: Work, old: str, new: str, moving: str, local: str, now: str) -> None:
        """The visits in which a patient had a local id go with it to another patient; both are taken alone already."""
        known = visits.of_patients(work, {old, *merging.all_subsumed(work, old)})
        filed = {(each.patient_id, each.visit) for each in known if moving in each.local_ids}
        for owner, visit in sorted(filed):
            mine = [each for each in known if (each.patient_id, each.visit) == (owner, visit)]
            theirs = visits.of_visit(work, [new], visit) if old != new else []
            moved = [
                replace(
                    each,
                    patient_id=new,
                    number=len(theirs) + number,
                    local_ids=tuple(local if name == moving else name for name in each.local_ids),
                )
                for number, each in enumerate(mine, 1)
            ]
            for was, each in zip(mine, moved, strict=True):
                visits.move(work, was, new, each.number if old != new else was.number, each.local_ids)
            if old != new:
                self._put(work, self._records(owner, visit, mine), {}, now)
                before = self._records(new, visit, theirs)
                self._put(work, before, self._records(new, visit, [*theirs, *moved]), now)

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

    @staticmethod
    def _put(work: Work, before: dict[str, Record], after: dict[str, Record], now: str) -> None:
        """Let relationships be as they are now; those that somebody has ended by hand stay ended."""
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


def _is_same(one: VisitEvent, other: VisitEvent) -> bool:
    """Whether it is one message, which was sent again."""
    return (one.message, one.event, one.recorded_at) == (other.message, other.event, other.recorded_at)


def _was_ended(kept: Record | None, ours: Record | None) -> bool:
    """Whether somebody has ended what by the messages went on."""
    return kept is not None and ours is not None and bool(kept["ends"]) and not ours["ends"]


def _held(work: Work, patient_id: str) -> frozenset[str]:
    """All ids of a patient, each taken alone."""
    persons = merging.same_person(work, [patient_id])[patient_id]
    merging.lock(work, persons)
    if merging.same_person(work, [patient_id])[patient_id] != persons:
        raise Conflict("the patient was merged meanwhile")
    return persons
