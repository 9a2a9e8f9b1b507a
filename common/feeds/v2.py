"""A patient feed in HL7 v2: a message in and its acknowledgement out (ITI TF-2 3.8, 3.64)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Final, Protocol

from common.audit import account
from common.audit.account import Account
from common.audit.events import NOT_UNDERSTOOD, Other, is_answered
from common.audit.parties import NOBODY, Asker
from common.audit.spool import SpoolFailed
from common.clock import utc_now
from common.db import told_of
from common.faults import checkpoint
from common.feeds.problem import Problem, Side
from common.hl7.acknowledgement import acknowledgement
from common.hl7.events import check_header
from common.hl7.message import Message, read_header, read_message
from common.hl7.refusals import Ack, Condition, Hl7Refused, Refusal
from common.observe import correlation, metrics, slow, spans, stages
from common.observe.stages import Stage

log = logging.getLogger("portolan.feed")

PID: Final = "PID^1^3"
MRG: Final = "MRG^1^1"
_SIDES: Final[Mapping[Side, str]] = {Side.SUBSUMED: MRG, Side.SURVIVOR: PID}


@dataclass(frozen=True, slots=True)
class Event:
    """A trigger event: the transaction it belongs to, and what it does. Hl7Refused, or the problem, when it may not."""

    transaction: str
    act: Callable[[Message], Problem | None]


class Audit(Protocol):
    """Keeps a record of everything that is answered; SpoolFailed where it cannot."""

    def check(self) -> None:
        """Whether it could, before anything is done."""
        ...

    def answered(self, key: str, outcome: str, account: Account, asker: Asker, told: str = "") -> None:
        """A message, carried out or refused."""
        ...

    def refused_message(self, other: Other, asker: Asker, told: str) -> None:
        """A message of which it cannot be told what it is."""
        ...


class Events:
    """Carries out the events of one service; one more is one more line of its table."""

    def __init__(
        self,
        service: str,
        table: Mapping[str, Event],
        *,
        audit: Audit | None = None,
        now: Callable[[], str] = utc_now,
    ) -> None:
        """``table`` is by the event's code, as A40; ``service`` is what metrics call it."""
        self._service = service
        self._audit = audit
        self._table = table
        self._now = now

    def answer(self, data: bytes, asker: Asker = NOBODY) -> bytes:
        """The acknowledgement of one message; what was accepted is durable."""
        started = time.perf_counter()
        with (
            correlation.bind(correlation.new()) as name,
            metrics.in_flight(self._service),
            stages.watched(self._service, spans.asked()) as watch,
            nullcontext() if self._audit is None else account.bind(),
        ):
            watch.enter(Stage.RULES)
            label, message, refusal = self._recorded(data, asker)
            watch.enter(Stage.SERIALISE)
            outcome = refusal.ack.value if refusal else Ack.ACCEPT.value
            watch.transaction, watch.outcome = label, outcome
            seconds = time.perf_counter() - started
            metrics.request(self._service, label, outcome, seconds)
            told = {"transaction": label, "outcome": outcome, "duration_ms": round(seconds * 1000, 2)}
            if refusal:
                log.warning("refused: %s", refusal.reason)
                refusal = Refusal(refusal.ack, refusal.condition, refusal.where, f"{refusal.reason} [{name}]")
            log.info("answered", extra=told)
            if seconds >= slow.BOUNDS.request:
                slow.tell_request(label, outcome, seconds, watch)
            checkpoint("answer.started")
            # MSH-10 of an acknowledgement has 20 characters before version 2.7.
            return acknowledgement(message, now=self._now(), control_id=name[:20], refusal=refusal)

    def _recorded(self, data: bytes, asker: Asker) -> tuple[str, Message | None, Refusal | None]:
        """As ``_carried_out``, and in the audit trail; nothing is done that could not be."""
        if self._audit is None:
            return self._carried_out(data)
        label, message = "unknown", None
        try:
            self._audit.check()
            label, message, refusal = self._carried_out(data)
            self._tell(self._audit, label, message, refusal, asker)
        except SpoolFailed as error:
            told = told_of(error, f"{self._service} service", label)
            if message is None:
                with suppress(Hl7Refused):
                    message = read_header(data)
            return label, message, Refusal(Ack.ERROR, Condition.INTERNAL, "MSH^1", told)
        return label, message, refusal

    @staticmethod
    def _tell(audit: Audit, label: str, message: Message | None, refusal: Refusal | None, asker: Asker) -> None:
        told = account.current()
        if refusal is not None:
            told.problems.append(refusal.condition.value)
        event = message.event if message is not None else ""
        if message is None or not is_answered(f"{label} {event}"):
            audit.refused_message(NOT_UNDERSTOOD, asker, refusal.reason if refusal is not None else "")
            return
        told.message_id = message.control_id
        outcome = refusal.ack.value if refusal else Ack.ACCEPT.value
        audit.answered(f"{label} {event}", outcome, told, asker, refusal.reason if refusal else "")

    def _carried_out(self, data: bytes) -> tuple[str, Message | None, Refusal | None]:
        """The transaction's name, as much of the message as could be read, and what is wrong."""
        label, message = "unknown", None
        try:
            with stages.aside(Stage.PARSE):
                message = read_header(data)
                message = read_message(data)
            check_header(message, self._table)
            event = self._table[message.event]
            label = event.transaction
            if problem := event.act(message):
                return label, message, Refusal(Ack.ERROR, problem.condition, _SIDES[problem.side], problem.reason)
        except Hl7Refused as refused:
            return label, message, refused.refusal
        except Exception as error:
            told = told_of(error, f"{self._service} service", label)
            return label, message, Refusal(Ack.ERROR, Condition.INTERNAL, "MSH^1", told)
        return label, message, None
