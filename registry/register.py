"""ITI-42 and ITI-61: registers a submission, all of it or nothing (ITI TF-2 3.42, 3.61)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from common.audit import account
from common.clock import utc_now
from common.db import Database, Work, decided
from common.ebxml.fragments import new_uuid
from common.faults import checkpoint
from common.model import RegistryResponse, Status, Submission
from common.rules import Objection, Rulebook, as_errors
from common.standard.errors import ErrorCode
from registry.access.touching import Hidden, nothing_hidden
from registry.known import Domain, Known, Wanted, wanted
from registry.rules import effects
from registry.rules.meaning import MEANING
from registry.rules.on_demand import ON_DEMAND_MEANING, ON_DEMAND_STRUCTURE
from registry.rules.structure import STRUCTURE
from registry.store import registering, removing
from registry.store.statements import MOST_AT_ONCE

log = logging.getLogger("portolan.register")

_SUCCESS = RegistryResponse(Status.SUCCESS)


@dataclass(frozen=True, slots=True)
class Rules:
    """What is demanded of a submission by the transaction that it came by."""

    structure: Rulebook[[Submission, Known]]
    meaning: Rulebook[[Submission, Known, Domain]]


STABLE: Final = Rules(STRUCTURE, MEANING)
"""ITI-42."""
ON_DEMAND: Final = Rules(ON_DEMAND_STRUCTURE, ON_DEMAND_MEANING)
"""ITI-61."""


class Register:
    """Decides on submissions, and keeps those that are good."""

    def __init__(
        self,
        database: Database,
        domain: Domain,
        *,
        max_objects: int,
        new_id: Callable[[], str] = new_uuid,
        now: Callable[[], str] = utc_now,
    ) -> None:
        self._database = database
        self._domain = domain
        self._max_objects = max_objects
        self._new_id = new_id
        self._now = now

    def register(
        self,
        read: Callable[[], Submission],
        *,
        message_id: str | None,
        digest: str,
        correlation: str,
        rules: Rules = STABLE,
        hidden: Hidden = nothing_hidden,
    ) -> RegistryResponse:
        """Success, or every objection; the same message again gets the same answer, and changes nothing.

        ``read`` makes the submission anew, since a race lost to another message is run again from the start.
        What is ``hidden`` of that which the submission refers to is as if unknown.
        """
        submission = read()
        account.current().submits((each.patient_id, each.unique_id) for each in submission.submission_sets)
        if (count := len(submission.objects())) > self._max_objects:
            told = f"the submission has {count} objects; at most {self._max_objects} are taken"
            return refusal([Objection(ErrorCode.XDSRegistryOutOfResources, "", told)], correlation)
        first = [submission]
        return decided(
            lambda: self._once(first.pop() if first else read(), rules, message_id, digest, correlation, hidden)
        )

    def _once(
        self,
        submission: Submission,
        rules: Rules,
        message_id: str | None,
        digest: str,
        correlation: str,
        hidden: Hidden,
    ) -> RegistryResponse:
        needs = wanted(submission)
        plain = _is_plain(submission, needs)
        with self._database.write(single=plain) as work:
            if not plain:
                registering.hold(work, needs.patient_ids)
            known = registering.known(work, needs)
            known.forget(hidden(work, known.objects))
            objections = [
                *rules.structure.check(submission, known),
                *rules.meaning.check(submission, known, self._domain),
            ]
            if objections:
                if registering.is_repeated(work, submission, message_id, digest):
                    return _SUCCESS
                return refusal(_told_of_removals(work, objections), correlation)
            now = self._now()
            self._take_effect(work, submission, now)
            registering.insert(
                work,
                submission,
                known,
                submitted=needs.submitted_ids,
                message_id=message_id,
                digest=digest,
                now=now,
                new_id=self._new_id,
            )
            work.commit()
        checkpoint("answer.started")
        return _SUCCESS

    def _take_effect(self, work: Work, submission: Submission, now: str) -> None:
        """Names, versions, deprecations and folders (ITI TF-2 3.42.4.1.3.3)."""
        effects.name_objects(submission, self._new_id)
        effects.complete_memberships(submission, self._new_id)
        effects.stamp(submission.folders, now)
        if replaced := effects.replaced(submission):
            effects.join_folders(submission, replaced, registering.folders_holding(work, replaced), self._new_id)
            registering.deprecate(work, registering.with_derived(work, replaced))
        new = {folder.entry_uuid for folder in submission.folders}
        registering.touch_folders(work, effects.touched_folders(submission) - new, now)


def _told_of_removals(work: Work, objections: list[Objection]) -> list[Objection]:
    """Where a uniqueId is taken by what was removed, the sender hears that: sending again does not bring it back."""
    taken = [each.where for each in objections if each.code is ErrorCode.XDSDuplicateUniqueIdInRegistry]
    gone = removing.unique_ids_removed(work, taken) if taken else {}
    return [
        replace(each, what=f"{each.what}, which was removed at {gone[each.where]} UTC and is not taken again")
        if each.code is ErrorCode.XDSDuplicateUniqueIdInRegistry and each.where in gone
        else each
        for each in objections
    ]


def _is_plain(submission: Submission, needs: Wanted) -> bool:
    """Whether nothing registered is touched, and one statement writes everything.

    An entry has rows for itself, its uniqueId and its own UUID, so three for each object are enough.
    """
    return not needs.references and 3 * len(submission.objects()) <= MOST_AT_ONCE


def refusal(objections: list[Objection], correlation: str) -> RegistryResponse:
    """Failure, with every objection."""
    return RegistryResponse(Status.FAILURE, as_errors(objections, correlation))
