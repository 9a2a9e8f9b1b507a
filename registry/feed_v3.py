"""ITI-44: patient feeds in HL7 v3, the body of a message in and that of its answer out (ITI TF-2 3.44)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from common.clock import utc_now
from common.hl7.refusals import TEXTS, Condition
from common.hl7v3.identity import IdentityMessage, read_identity, write_acknowledgement
from common.hl7v3.wrapper import NOBODY, Detail, Element, Id
from common.standard.transactions import ITI_44_ADD, ITI_44_MERGE, ITI_44_REVISE, Transaction
from registry.patients import Patients
from registry.rules.patients import Problem, Side

_PATIENT: Final = "/controlActProcess/subject/registrationEvent/subject1/patient/id"
_PRIOR: Final = (
    "/controlActProcess/subject/registrationEvent/replacementOf/priorRegistration/subject1/priorRegisteredRole/id"
)
_PLACES: Final = {Side.SURVIVOR: _PATIENT, Side.SUBSUMED: _PRIOR}
_LONGEST_ID: Final = 256


@dataclass(frozen=True, slots=True)
class Answered:
    """The body of the answer, and whether the message was accepted."""

    body: bytes
    accepted: bool


class FeedV3:
    """Carries out the three interactions."""

    def __init__(self, patients: Patients, authority: str, *, now: Callable[[], str] = utc_now) -> None:
        self._patients = patients
        self._authority = authority
        self._now = now
        self._interactions: Mapping[Transaction, Callable[[IdentityMessage], Problem | None]] = {
            ITI_44_ADD: self._known,
            ITI_44_REVISE: self._known,
            ITI_44_MERGE: self._merged,
        }

    def answer(self, transaction: Transaction, body: Element, correlation: str) -> Answered:
        """The acknowledgement of one message; what was accepted is durable."""
        message = read_identity(body)
        problem = self._interactions[transaction](message)
        return self._answered(transaction, message, problem, correlation)

    def failed(self, transaction: Transaction, told: str) -> Answered:
        """The acknowledgement for a breakdown of ours."""
        problem = Problem(Side.SURVIVOR, Condition.INTERNAL, told)
        return self._answered(transaction, IdentityMessage(NOBODY), problem, "")

    def _answered(
        self, transaction: Transaction, message: IdentityMessage, problem: Problem | None, correlation: str
    ) -> Answered:
        detail = None
        if problem:
            interaction = transaction.root.rpartition("}")[2]
            place = f"/{interaction}{_PLACES[problem.side]}"
            told = f"{problem.reason} [{correlation}]" if correlation else problem.reason
            detail = Detail(problem.condition.value, TEXTS[problem.condition], told, place)
        own_id = Id(str(uuid4()).upper())  # a UUID is a root by itself (data type II)
        return Answered(
            write_acknowledgement(message.wrapper, own_id=own_id, now=self._now(), detail=detail), problem is None
        )

    def _known(self, message: IdentityMessage) -> Problem | None:
        """Every id of the affinity domain; demographics are none of a registry's business."""
        ours, problem = self._ours(message.patients, Side.SURVIVOR)
        return problem or self._patients.make_known(ours)

    def _merged(self, message: IdentityMessage) -> Problem | None:
        survivor, problem = self._ours(message.patients, Side.SURVIVOR, only_one=True)
        if problem:
            return problem
        subsumed, problem = self._ours(message.prior, Side.SUBSUMED, only_one=True)
        return problem or self._patients.merge(subsumed[0], survivor[0], _name(message))

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


def _name(message: IdentityMessage) -> str:
    """What the sender calls the message: the same again is the same message."""
    return f"{message.sender.root}|{message.id.root}|{message.id.extension}"
