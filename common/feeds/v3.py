"""A patient feed in HL7 v3: the body of a message in and that of its answer out (ITI TF-2 3.44)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from common.audit import account
from common.clock import utc_now
from common.feeds.problem import Problem, Side
from common.hl7.refusals import TEXTS, Condition
from common.hl7v3.identity import IdentityMessage, read_identity, write_acknowledgement
from common.hl7v3.wrapper import NOBODY, Detail, Element, own_id
from common.standard.transactions import Transaction

_PATIENT: Final = "/controlActProcess/subject/registrationEvent/subject1/patient/id"
_PRIOR: Final = (
    "/controlActProcess/subject/registrationEvent/replacementOf/priorRegistration/subject1/priorRegisteredRole/id"
)
_PLACES: Final = {Side.SURVIVOR: _PATIENT, Side.SUBSUMED: _PRIOR}

Act = Callable[[IdentityMessage], Problem | None]


@dataclass(frozen=True, slots=True)
class Answered:
    """The body of the answer, and whether the message was accepted."""

    body: bytes
    accepted: bool


class Interactions:
    """Carries out the interactions of one service."""

    def __init__(self, table: Mapping[Transaction, Act], *, now: Callable[[], str] = utc_now) -> None:
        self._table = table
        self._now = now

    def answer(self, transaction: Transaction, body: Element, correlation: str) -> Answered:
        """The acknowledgement of one message; what was accepted is durable."""
        message = read_identity(body)
        account.current().message_id = message.wrapper.id.extension or message.wrapper.id.root
        return self._answered(transaction, message, self._table[transaction](message), correlation)

    def failed(self, transaction: Transaction, told: str) -> Answered:
        """The acknowledgement for a breakdown of ours."""
        problem = Problem(Side.SURVIVOR, Condition.INTERNAL, told)
        return self._answered(transaction, IdentityMessage(NOBODY), problem, "")

    def _answered(
        self, transaction: Transaction, message: IdentityMessage, problem: Problem | None, correlation: str
    ) -> Answered:
        detail = None
        if problem:
            account.current().problems.append(problem.condition.value)
            place = f"/{transaction.root.rpartition('}')[2]}{_PLACES[problem.side]}"
            told = f"{problem.reason} [{correlation}]" if correlation else problem.reason
            detail = Detail(problem.condition.value, TEXTS[problem.condition], told, place)
        body = write_acknowledgement(message.wrapper, own_id=own_id(), now=self._now(), detail=detail)
        return Answered(body, problem is None)


def name_of(message: IdentityMessage) -> str:
    """What the sender calls the message: the same again is the same message."""
    wrapper = message.wrapper
    return f"{wrapper.sender.root}|{wrapper.id.root}|{wrapper.id.extension}"
