"""ITI-8: patient feeds in HL7 v2, a message in and its acknowledgement out (ITI TF-2 3.8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from common.clock import utc_now
from common.feeds.problem import Problem
from common.feeds.v2 import MRG, PID, Audit, Event, Events, Refused
from common.hl7.demographics import read_demographics
from common.hl7.events import identifiers, message_id, only, the_segment
from common.hl7.identifiers import Identifier
from common.hl7.message import Message
from identity.checking import Checking
from identity.crossreference import CrossReference, Told
from identity.rules.identifiers import Domain, Key


class Feed:
    """The cross-reference's events."""

    def __init__(
        self,
        reference: CrossReference,
        checking: Checking,
        *,
        audit: Audit | None = None,
        refused: Refused | None = None,
        now: Callable[[], str] = utc_now,
    ) -> None:
        self._reference = reference
        self._checking = checking
        told, merged = Event("ITI-8", self._told), Event("ITI-8", self._merged)
        table = {"A01": told, "A04": told, "A05": told, "A08": told, "A40": merged}
        self.answer = Events("identity", table, audit=audit, refused=refused, now=now).answer

    def _said(self, message: Message) -> Told:
        only(message, "PID")
        keys = keys_of(identifiers(message, "PID", 3, PID), self._reference.domain)
        return Told(keys, message_id(message), read_demographics(message, the_segment(message, "PID")))

    def _told(self, message: Message) -> Problem | None:
        said = self._said(message)
        problem = self._reference.tell(said)
        if problem is None:
            self._checking.look(said)
        return problem

    def _merged(self, message: Message) -> Problem | None:
        only(message, "MRG")
        prior = keys_of(identifiers(message, "MRG", 1, MRG), self._reference.domain)
        return self._reference.merge(self._said(message), prior)


def keys_of(found: Iterable[Identifier], domain: Domain) -> tuple[Key, ...]:
    """Identifiers whose authority is an OID, or has a name that is known; of others nothing can be said."""
    keys = (Key(domain.root_of(each.namespace, each.oid), each.id) for each in found)
    return tuple(dict.fromkeys(key for key in keys if key.root))
