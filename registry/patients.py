"""Patients as feeds tell of them: who is known, who was merged into whom (ITI TF-2 3.8.4, 3.44.4)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from common.audit import account
from common.clock import utc_now
from common.db import Conflict, Database, Work, decided
from common.ebxml.fragments import new_uuid
from common.faults import checkpoint
from common.feeds.problem import Problem, Side
from common.hl7.refusals import Condition
from registry.known import Domain
from registry.rules.patients import PatientState, merge_problem
from registry.rules.unmerging import Undoing, objections
from registry.store import feeding, merging

log = logging.getLogger("portolan.patients")


def states(work: Work, patient_ids: Iterable[str]) -> dict[str, PatientState]:
    """Patients, locked until the unit of work ends."""
    found = merging.lock(work, patient_ids)
    return {name: PatientState(bool(fed_at), merged_into) for name, (fed_at, merged_into) in found.items()}


class Patients:
    """Makes patients known, and merges them."""

    def __init__(
        self,
        database: Database,
        domain: Domain,
        *,
        new_id: Callable[[], str] = new_uuid,
        now: Callable[[], str] = utc_now,
    ) -> None:
        self._database = database
        self._domain = domain
        self._new_id = new_id
        self._now = now

    def make_known(self, patient_ids: Iterable[str]) -> Problem | None:
        """Durable when this returns; whoever is known already, or was merged away, stays as it is."""
        wanted = sorted(set(patient_ids))
        account.current().concerns(*wanted)
        for patient_id in wanted:
            if problem := self._domain.patient_problem(patient_id):
                return Problem(Side.SURVIVOR, Condition.UNKNOWN_KEY, problem)
        for patient_id in wanted:
            decided(lambda patient_id=patient_id: self._feed(patient_id))  # type: ignore[misc]
        return None

    def _feed(self, patient_id: str) -> None:
        with self._database.write(single=True) as work:
            feeding.make_known(work, patient_id, self._now())
            work.commit()

    def visited(self, patient_id: str, note: Callable[[Work, str], None], *, makes_known: bool) -> Problem | None:
        """As ``make_known`` for one patient, with whatever else their message tells, in one transaction."""
        account.current().concerns(patient_id)
        if problem := self._domain.patient_problem(patient_id):
            return Problem(Side.SURVIVOR, Condition.UNKNOWN_KEY, problem)
        decided(lambda: self._visited(patient_id, note, makes_known=makes_known))
        return None

    def _visited(self, patient_id: str, note: Callable[[Work, str], None], *, makes_known: bool) -> None:
        with self._database.write() as work:
            now = self._now()
            note(work, now)  # first, since that takes all ids of a patient in the one order
            if makes_known:
                feeding.make_known(work, patient_id, now)
            work.commit()

    def merge(self, subsumed: str, survivor: str, message_id: str) -> Problem | None:
        """Everything of one patient becomes another's, in one transaction; the same message again changes nothing."""
        account.current().merges(subsumed, survivor)
        for side, patient_id in ((Side.SUBSUMED, subsumed), (Side.SURVIVOR, survivor)):
            if problem := self._domain.patient_problem(patient_id):
                return Problem(side, Condition.UNKNOWN_KEY, f"{side.value} cannot be used: {problem}")
        return decided(lambda: self._merge(subsumed, survivor, message_id))

    def _merge(self, subsumed: str, survivor: str, message_id: str) -> Problem | None:
        with self._database.write() as work:
            found = states(work, (subsumed, survivor))
            if found[subsumed].merged_into == survivor and self._was_told(work, subsumed, message_id):
                return None
            if problem := merge_problem(subsumed, survivor, found, self._domain):
                return problem
            made = merging.Merge(self._new_id(), subsumed, survivor, self._now(), message_id, None)
            merging.merge(work, made)
            checkpoint("merge.moved")
            work.commit()
        log.info("merged two patients")
        return None

    @staticmethod
    def _was_told(work: Work, subsumed: str, message_id: str) -> bool:
        """Whether the merge that stands was this very message's."""
        standing = merging.standing_merge(work, subsumed)
        return standing is not None and standing.message_id == message_id

    def unmerge(self, subsumed: str) -> list[str]:
        """Undo a merge; sentences when that cannot be, and then nothing has changed."""
        return decided(lambda: self._unmerge(subsumed))

    def _unmerge(self, subsumed: str) -> list[str]:
        with self._database.write() as work:
            standing = merging.standing_merge(work, subsumed)
            if standing is None:
                return ["no merge of this patient into another stands"]
            found = states(work, (subsumed, standing.survivor))
            if merging.standing_merge(work, subsumed) != standing:
                raise Conflict("somebody else undid it")
            filed_under = {subsumed} | merging.all_subsumed(work, subsumed)
            going = merging.moving(work, standing.survivor, filed_under)
            undoing = Undoing(
                survivor_merged_away=found[standing.survivor].merged_into is not None,
                moving=going,
                ties=merging.ties(work, standing.survivor, filed_under),
                with_later_version=merging.split_versions(work, standing.survivor, filed_under),
            )
            if problems := list(objections(undoing)):
                return problems
            merging.unmerge(work, standing, filed_under, self._now())
            checkpoint("unmerge.moved")
            work.commit()
        return []
