"""ITI-44: patient feeds in HL7 v3, the body of a message in and that of its answer out (ITI TF-2 3.44)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from common.clock import utc_now
from common.feeds.problem import Problem, Side
from common.feeds.v3 import Interactions, name_of
from common.hl7.refusals import Condition
from common.hl7v3.identity import IdentityMessage
from common.hl7v3.wrapper import Id
from common.standard.transactions import ITI_44_ADD, ITI_44_MERGE, ITI_44_REVISE
from registry.patients import Patients

_LONGEST_ID: Final = 256


class FeedV3:
    """The Registry's interactions."""

    def __init__(self, patients: Patients, authority: str, *, now: Callable[[], str] = utc_now) -> None:
        self._patients = patients
        self._authority = authority
        table = {ITI_44_ADD: self._known, ITI_44_REVISE: self._known, ITI_44_MERGE: self._merged}
        interactions = Interactions(table, now=now)
        self.answer, self.failed = interactions.answer, interactions.failed

    def _known(self, message: IdentityMessage) -> Problem | None:
        """Every id of the affinity domain; demographics are none of a registry's business."""
        ours, problem = self._ours(message.patients, Side.SURVIVOR)
        return problem or self._patients.make_known(ours)

    def _merged(self, message: IdentityMessage) -> Problem | None:
        survivor, problem = self._ours(message.patients, Side.SURVIVOR, only_one=True)
        if problem:
            return problem
        subsumed, problem = self._ours(message.prior, Side.SUBSUMED, only_one=True)
        return problem or self._patients.merge(subsumed[0], survivor[0], name_of(message))

    def _ours(self, found: tuple[Id, ...], side: Side, *, only_one: bool = False) -> tuple[list[str], Problem | None]:
        if not found:
            return [], Problem(side, Condition.MISSING, f"{side.value} is missing")
        ours = sorted({each.extension for each in found if each.root == self._authority and each.extension})
        if not ours:
            return [], Problem(side, Condition.UNKNOWN_KEY, f"{side.value} is not of this affinity domain")
        if only_one and len(ours) > 1:
            return [], Problem(side, Condition.DUPLICATE_KEY, "one message merges one patient into one other")
        if any(len(each) > _LONGEST_ID for each in ours):
            return [], Problem(side, Condition.DATA_TYPE, f"{side.value} has more than {_LONGEST_ID} characters")
        return [f"{each}^^^&{self._authority}&ISO" for each in ours], None
