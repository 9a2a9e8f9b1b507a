"""ITI-8: patient feeds in HL7 v2, a message in and its acknowledgement out (ITI TF-2 3.8)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from common.clock import utc_now
from common.db import DatabaseBusy, DatabaseFull
from common.faults import checkpoint
from common.hl7.acknowledgement import acknowledgement
from common.hl7.demographics import read_demographics
from common.hl7.events import check_header, identifiers, message_id, only, the_segment
from common.hl7.identifiers import Identifier
from common.hl7.message import Message, read_header, read_message
from common.hl7.refusals import Ack, Condition, Hl7Refused, Refusal
from common.observe import correlation, metrics
from identity.checking import Checking
from identity.crossreference import CrossReference, Told
from identity.rules.identifiers import Domain, Key, Problem, Side

log = logging.getLogger("portolan.feed")

_PID: Final = "PID^1^3"
_MRG: Final = "MRG^1^1"
_SIDES: Final[Mapping[Side, str]] = {Side.SUBSUMED: _MRG, Side.SURVIVOR: _PID}
_BREAKDOWNS: Final = (
    (DatabaseBusy, "the service is busy: send the same message again later"),
    (DatabaseFull, "the service has no room: its operator has to make some"),
    (Exception, "the service failed: send the same message again, or tell its operator"),
)
_LABEL: Final = "ITI-8"


class Feed:
    """Carries out events; one more is one more line of the table."""

    def __init__(self, reference: CrossReference, checking: Checking, *, now: Callable[[], str] = utc_now) -> None:
        self._reference = reference
        self._checking = checking
        self._now = now
        self._events: Mapping[str, Callable[[Message], Problem | None]] = {
            **dict.fromkeys(("A01", "A04", "A05", "A08"), self._told),
            "A40": self._merged,
        }

    def answer(self, data: bytes) -> bytes:
        """The acknowledgement of one message; what was accepted is durable."""
        started = time.perf_counter()
        with correlation.bind(correlation.new()) as name, metrics.in_flight("identity"):
            message, refusal = self._carried_out(data)
            outcome = refusal.ack.value if refusal else Ack.ACCEPT.value
            seconds = time.perf_counter() - started
            metrics.request("identity", _LABEL, outcome, seconds)
            told = {"transaction": _LABEL, "outcome": outcome, "duration_ms": round(seconds * 1000, 2)}
            if refusal:
                log.warning("refused: %s", refusal.reason)
                refusal = Refusal(refusal.ack, refusal.condition, refusal.where, f"{refusal.reason} [{name}]")
            log.info("answered", extra=told)
            checkpoint("answer.started")
            # MSH-10 of an acknowledgement has 20 characters before version 2.7.
            return acknowledgement(message, now=self._now(), control_id=name[:20], refusal=refusal)

    def _carried_out(self, data: bytes) -> tuple[Message | None, Refusal | None]:
        """As much of the message as could be read, and what is wrong."""
        message = None
        try:
            message = read_header(data)
            message = read_message(data)
            check_header(message, self._events)
            if problem := self._events[message.event](message):
                return message, Refusal(Ack.ERROR, problem.condition, _SIDES[problem.side], problem.reason)
        except Hl7Refused as refused:
            return message, refused.refusal
        except Exception as error:
            log.exception("broke down in %s", _LABEL)
            told = next(told for kind, told in _BREAKDOWNS if isinstance(error, kind))
            return message, Refusal(Ack.ERROR, Condition.INTERNAL, "MSH^1", told)
        return message, None

    def _said(self, message: Message) -> Told:
        only(message, "PID")
        keys = keys_of(identifiers(message, "PID", 3, _PID), self._reference.domain)
        return Told(keys, message_id(message), read_demographics(message, the_segment(message, "PID")))

    def _told(self, message: Message) -> Problem | None:
        said = self._said(message)
        problem = self._reference.tell(said)
        if problem is None:
            self._checking.look(said)
        return problem

    def _merged(self, message: Message) -> Problem | None:
        only(message, "MRG")
        prior = keys_of(identifiers(message, "MRG", 1, _MRG), self._reference.domain)
        return self._reference.merge(self._said(message), prior)


def keys_of(found: Iterable[Identifier], domain: Domain) -> tuple[Key, ...]:
    """Identifiers whose authority is an OID, or has a name that is known; of others nothing can be said."""
    keys = (Key(domain.root_of(each.namespace, each.oid), each.id) for each in found)
    return tuple(dict.fromkeys(key for key in keys if key.root))
