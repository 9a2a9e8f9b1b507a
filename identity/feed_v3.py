"""ITI-44: patient feeds in HL7 v3, the body of a message in and that of its answer out (ITI TF-2 3.44)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from common.clock import utc_now
from common.hl7.refusals import TEXTS, Condition
from common.hl7v3.identity import IdentityMessage, read_identity, write_acknowledgement
from common.hl7v3.wrapper import NOBODY, Detail, Element, Id
from common.standard.transactions import ITI_44_ADD, ITI_44_MERGE, ITI_44_REVISE, Transaction
from identity.checking import Checking
from identity.crossreference import CrossReference, Told
from identity.rules.identifiers import Key, Problem, Side

_PATIENT: Final = "/controlActProcess/subject/registrationEvent/subject1/patient/id"
_PRIOR: Final = (
    "/controlActProcess/subject/registrationEvent/replacementOf/priorRegistration/subject1/priorRegisteredRole/id"
)
_PLACES: Final = {Side.SURVIVOR: _PATIENT, Side.SUBSUMED: _PRIOR}
_MOST_PRIOR: Final = 1


@dataclass(frozen=True, slots=True)
class Answered:
    """The body of the answer, and whether the message was accepted."""

    body: bytes
    accepted: bool


def own_id() -> Id:
    """A new message's id: a UUID is a root by itself (data type II)."""
    return Id(str(uuid4()).upper())


def keys_of(found: Iterable[Id]) -> tuple[Key, ...]:
    """Ids as the cross-reference knows them; one without an extension, or a root, names nobody."""
    return tuple(dict.fromkeys(Key(each.root, each.extension) for each in found if each.root and each.extension))


class FeedV3:
    """Carries out the three interactions."""

    def __init__(self, reference: CrossReference, checking: Checking, *, now: Callable[[], str] = utc_now) -> None:
        self._reference = reference
        self._checking = checking
        self._now = now
        self._interactions: Mapping[Transaction, Callable[[IdentityMessage], Problem | None]] = {
            ITI_44_ADD: self._told,
            ITI_44_REVISE: self._told,
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
            place = f"/{transaction.root.rpartition('}')[2]}{_PLACES[problem.side]}"
            told = f"{problem.reason} [{correlation}]" if correlation else problem.reason
            detail = Detail(problem.condition.value, TEXTS[problem.condition], told, place)
        body = write_acknowledgement(message.wrapper, own_id=own_id(), now=self._now(), detail=detail)
        return Answered(body, problem is None)

    def _said(self, message: IdentityMessage) -> Told:
        keys = keys_of((*message.patients, *message.others))
        name = f"{message.wrapper.sender.root}|{message.wrapper.id.root}|{message.wrapper.id.extension}"
        return Told(keys, name, message.person)

    def _told(self, message: IdentityMessage) -> Problem | None:
        if not message.patients:
            return Problem(Side.SURVIVOR, Condition.MISSING, f"{Side.SURVIVOR.value} is missing")
        said = self._said(message)
        problem = self._reference.tell(said)
        if problem is None:
            self._checking.look(said)
        return problem

    def _merged(self, message: IdentityMessage) -> Problem | None:
        for found, side in ((message.patients, Side.SURVIVOR), (message.prior, Side.SUBSUMED)):
            if not found:
                return Problem(side, Condition.MISSING, f"{side.value} is missing")
        if len(message.prior) > _MOST_PRIOR:
            told = "one message merges one patient into one other"
            return Problem(Side.SUBSUMED, Condition.DUPLICATE_KEY, told)
        return self._reference.merge(self._said(message), keys_of(message.prior))
