"""ITI-8 and ITI-64: patient feeds in HL7 v2, a message in and its acknowledgement out (ITI TF-2 3.8, 3.64).

Where relationships are made of ADT, messages about encounters (those of ITI-31) are taken as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from common.audit import account
from common.clock import utc_now
from common.db import Work
from common.feeds.problem import Problem
from common.feeds.v2 import MRG, PID, Audit, Event, Events
from common.hl7.events import identifiers, message_id, only
from common.hl7.identifiers import Identifier
from common.hl7.message import Message
from common.hl7.refusals import Condition, wrong
from common.hl7.visits import read_visit
from registry.patients import Patients
from registry.relink import LinkChange, Relink
from registry.rules.visits import EFFECTS
from registry.visiting import Visits

_KNOWN: Final = ("A01", "A04", "A05")
"""Events by which a patient is made known (ITI TF-2 3.8.4.1)."""


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
    """The Registry's events."""

    def __init__(
        self,
        patients: Patients,
        relink: Relink,
        authority: Authority,
        visits: Visits | None = None,
        *,
        audit: Audit | None = None,
        now: Callable[[], str] = utc_now,
    ) -> None:
        """With ``visits`` messages about visits open and close relationships; others of them are taken for that."""
        self._visits = visits
        self._patients = patients
        self._relink = relink
        self._authority = authority
        moves = [each for each in EFFECTS if each not in _KNOWN] if visits is not None else []
        table = {
            **dict.fromkeys(_KNOWN, Event("ITI-8", self._known)),
            **dict.fromkeys(moves, Event("ITI-31", self._visited)),
            "A08": Event("ITI-8", self._demographics),
            "A40": Event("ITI-8", self._merged),
            "A43": Event("ITI-64", self._link_changed),
        }
        self.answer = Events("registry", table, audit=audit, now=now).answer

    def _known(self, message: Message) -> Problem | None:
        if self._visits is not None:
            return self._visited(message)
        return self._patients.make_known([self._patient(message, "PID", 3, PID)])

    def _visited(self, message: Message) -> Problem | None:
        """What a message tells of a visit, with its other effects in one transaction (ITI TF-2 3.31 for its form)."""
        assert self._visits is not None
        patient_id, told = self._patient(message, "PID", 3, PID), read_visit(message)
        given = identifiers(message, "PID", 3, PID)
        local_ids = [each.cx() for each in given if each.oid and not self._authority.is_ours(each)]
        visits, name = self._visits, message_id(message)

        def note(work: Work, now: str) -> None:
            visits.take(work, told, patient_id, message=name, local_ids=local_ids, now=now)

        return self._patients.visited(patient_id, note, makes_known=message.event in _KNOWN)

    def _demographics(self, message: Message) -> Problem | None:
        """A registry keeps no demographics (ITI TF-2 3.8.4.1.3)."""
        account.current().concerns(self._patient(message, "PID", 3, PID))
        return None

    def _merged(self, message: Message) -> Problem | None:
        only(message, "MRG")
        only(message, "PID")
        survivor = self._patient(message, "PID", 3, PID)
        subsumed = self._patient(message, "MRG", 1, MRG)
        return self._patients.merge(subsumed, survivor, message_id(message))

    def _link_changed(self, message: Message) -> Problem | None:
        """The affinity domain's id stands first, and the local one second (ITI TF-2 3.64.4.1.2)."""
        only(message, "MRG")
        only(message, "PID")
        new, new_local = self._linked(message, "PID", 3, PID)
        old, old_local = self._linked(message, "MRG", 1, MRG)
        if new_local is None:
            raise wrong(Condition.MISSING, PID, "PID-3 needs a second repetition: the local id that moves")
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
