"""ITI-8 and ITI-64: patient feeds in HL7 v2, a message in and its acknowledgement out (ITI TF-2 3.8, 3.64)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from common.clock import utc_now
from common.db import DatabaseBusy, DatabaseFull
from common.faults import checkpoint
from common.hl7.acknowledgement import acknowledgement
from common.hl7.events import check_header, identifiers, message_id, only
from common.hl7.identifiers import Identifier
from common.hl7.message import Message, read_header, read_message
from common.hl7.refusals import Ack, Condition, Hl7Refused, Refusal, wrong
from common.observe import correlation, metrics
from registry.patients import Patients
from registry.relink import LinkChange, Relink
from registry.rules.patients import Problem, Side

log = logging.getLogger("portolan.feed")

_PID: Final = "PID^1^3"
_MRG: Final = "MRG^1^1"
_SIDES: Final[Mapping[Side, str]] = {Side.SUBSUMED: _MRG, Side.SURVIVOR: _PID}
_BREAKDOWNS: Final = (
    (DatabaseBusy, "the registry is busy: send the same message again later"),
    (DatabaseFull, "the registry has no room: its operator has to make some"),
    (Exception, "the registry failed: send the same message again, or tell its operator"),
)


@dataclass(frozen=True, slots=True)
class Authority:
    """The patient identifier domain: its OID, and names by which it is meant as well."""

    oid: str
    namespaces: frozenset[str]

    def is_ours(self, identifier: Identifier) -> bool:
        """Whether an id is the affinity domain's."""
        return identifier.oid == self.oid if identifier.oid else identifier.namespace in self.namespaces

    def cx(self, identifier: Identifier) -> str:
        """An id of ours as XDS writes it."""
        return Identifier(identifier.id, oid=self.oid).cx()


class Feed:
    """Carries out events; one more is one more line of the table."""

    def __init__(
        self, patients: Patients, relink: Relink, authority: Authority, *, now: Callable[[], str] = utc_now
    ) -> None:
        self._patients = patients
        self._relink = relink
        self._authority = authority
        self._now = now
        self._events: Mapping[str, tuple[str, Callable[[Message], Problem | None]]] = {
            "A01": ("ITI-8", self._known),
            "A04": ("ITI-8", self._known),
            "A05": ("ITI-8", self._known),
            "A08": ("ITI-8", self._demographics),
            "A40": ("ITI-8", self._merged),
            "A43": ("ITI-64", self._link_changed),
        }

    def answer(self, data: bytes) -> bytes:
        """The acknowledgement of one message; what was accepted is durable."""
        started = time.perf_counter()
        with correlation.bind(correlation.new()) as name, metrics.in_flight("registry"):
            label, message, refusal = self._carried_out(data)
            outcome = refusal.ack.value if refusal else Ack.ACCEPT.value
            seconds = time.perf_counter() - started
            metrics.request("registry", label, outcome, seconds)
            told = {"transaction": label, "outcome": outcome, "duration_ms": round(seconds * 1000, 2)}
            if refusal:
                log.warning("refused: %s", refusal.reason)
                refusal = Refusal(refusal.ack, refusal.condition, refusal.where, f"{refusal.reason} [{name}]")
            log.info("answered", extra=told)
            checkpoint("answer.started")
            # MSH-10 of an acknowledgement has 20 characters before version 2.7.
            return acknowledgement(message, now=self._now(), control_id=name[:20], refusal=refusal)

    def _carried_out(self, data: bytes) -> tuple[str, Message | None, Refusal | None]:
        """The transaction's name, as much of the message as could be read, and what is wrong."""
        label, message = "unknown", None
        try:
            message = read_header(data)
            message = read_message(data)
            label, act = self._event(message)
            if problem := act(message):
                return label, message, Refusal(Ack.ERROR, problem.condition, _SIDES[problem.side], problem.reason)
        except Hl7Refused as refused:
            return label, message, refused.refusal
        except Exception as error:
            log.exception("broke down in %s", label)
            told = next(told for kind, told in _BREAKDOWNS if isinstance(error, kind))
            return label, message, Refusal(Ack.ERROR, Condition.INTERNAL, "MSH^1", told)
        return label, message, None

    def _event(self, message: Message) -> tuple[str, Callable[[Message], Problem | None]]:
        check_header(message, self._events)
        return self._events[message.event]

    def _known(self, message: Message) -> Problem | None:
        return self._patients.make_known([self._patient(message, "PID", 3, _PID)])

    def _demographics(self, message: Message) -> Problem | None:
        """A registry keeps no demographics (ITI TF-2 3.8.4.1.3)."""
        self._patient(message, "PID", 3, _PID)
        return None

    def _merged(self, message: Message) -> Problem | None:
        only(message, "MRG")
        only(message, "PID")
        survivor = self._patient(message, "PID", 3, _PID)
        subsumed = self._patient(message, "MRG", 1, _MRG)
        return self._patients.merge(subsumed, survivor, message_id(message))

    def _link_changed(self, message: Message) -> Problem | None:
        """The affinity domain's id stands first, and the local one second (ITI TF-2 3.64.4.1.2)."""
        only(message, "MRG")
        only(message, "PID")
        new, new_local = self._linked(message, "PID", 3, _PID)
        old, old_local = self._linked(message, "MRG", 1, _MRG)
        if new_local is None:
            raise wrong(Condition.MISSING, _PID, "PID-3 needs a second repetition: the local id that moves")
        return self._relink.change(LinkChange(old, new, old_local or new_local, new_local))

    def _linked(self, message: Message, segment: str, field: int, where: str) -> tuple[str, str | None]:
        found = identifiers(message, segment, field, where)
        if not self._authority.is_ours(found[0]):
            told = f"the first repetition of {segment}-{field} must be an id of the affinity domain"
            raise wrong(Condition.UNKNOWN_KEY, where, told)
        local = found[1] if len(found) > 1 else None
        if local and not local.oid:
            raise wrong(Condition.DATA_TYPE, where, "a local id needs its assigning authority as an OID (CX.4)")
        return self._authority.cx(found[0]), local.cx() if local else None

    def _patient(self, message: Message, segment: str, field: int, where: str) -> str:
        """The one id of the affinity domain in a field; ids of others are none of a registry's business."""
        ours = {self._authority.cx(each) for each in identifiers(message, segment, field, where)
                if self._authority.is_ours(each)}  # fmt: skip
        if not ours:
            raise wrong(Condition.UNKNOWN_KEY, where, f"{segment}-{field} has no id of the affinity domain")
        if len(ours) > 1:
            raise wrong(Condition.DUPLICATE_KEY, where, f"{segment}-{field} has several ids of the affinity domain")
        return ours.pop()
