"""What a door tells the audit trail: a record of each message, before its answer leaves (ITI TF-2 3.20)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from common.audit import account
from common.audit.account import Account
from common.audit.events import NOT_IDENTIFIED, NOT_UNDERSTOOD, TOO_OFTEN, Other, key_of
from common.audit.parties import Asker
from common.audit.spool import SpoolFailed
from common.caller import Caller
from common.observe import correlation, stages
from common.observe.stages import Stage
from common.soap.addressing import Way
from common.soap.envelope import Envelope
from common.soap.faults import OF_SECURITY, RECEIVER, SoapFault
from common.standard.transactions import Transaction
from common.tls import Peer
from common.web.answers import Reply
from common.web.pacing import TooOften, name_of
from common.web.sparing import Sparing, with_count

log = logging.getLogger("portolan.door")


class Audit(Protocol):
    """Keeps a record of everything that is answered; SpoolFailed where it cannot."""

    def check(self) -> None:
        """Whether it could, before anything is done."""
        ...

    def answered(self, key: str, outcome: str, account: Account, asker: Asker, told: str = "") -> None:
        """A transaction, carried out or refused."""
        ...

    def refused_message(self, other: Other, asker: Asker, told: str) -> None:
        """A message that did not come to that."""
        ...


@dataclass(slots=True)
class Heard:
    """What is known of a message while it is read, for the fault that may end it, and for its record.

    ``way`` is set once nothing more of the message has to come: whoever is still sending listens for the answer.
    ``transaction`` is what it asks for, as soon as that is known; ``is_recorded`` once its record is kept.
    """

    label: str = "unknown"
    peer: Peer | None = None
    address: str = ""
    envelope: Envelope | None = None
    way: Way | None = None
    transaction: Transaction | None = None
    caller: Caller | None = None
    is_recorded: bool = False

    @property
    def asker(self) -> Asker:
        """Who asks; an address for answers tells more than that there is none."""
        reply_to = self.envelope.reply_to if self.envelope is not None and self.way is not None else None
        return Asker(self.address, self.peer.subject if self.peer is not None else "", reply_to or "", self.caller)


class Recording:
    """The records of one door; without ``audit`` there are none, and nothing here costs anything."""

    def __init__(self, audit: Audit | None, sparing: Sparing | None = None) -> None:
        self._audit, self._sparing = audit, sparing or Sparing()

    def account(self) -> AbstractContextManager[Account | None]:
        """The account of one message."""
        return nullcontext() if self._audit is None else account.bind()

    def carried_out(
        self,
        transaction: Transaction,
        heard: Heard,
        act: Callable[[], Reply],
        fail: Callable[[Transaction, Exception, str], Reply],
    ) -> Reply:
        """What ``act`` answers, recorded; nothing is done that could not be."""
        if self._audit is None:
            return act()
        reply: Reply | None = None
        try:
            self._audit.check()
            reply = act()
            with stages.aside(Stage.SERIALISE):
                self._audit.answered(key_of(transaction), reply.outcome, account.current(), heard.asker)
        except SpoolFailed as error:
            # What was done stays done: the same message again changes nothing, and is recorded once that works again.
            for document in reply.documents if reply is not None else ():
                document.close()
            return fail(transaction, error, correlation.current())
        heard.is_recorded = True
        return reply

    def refused(self, fault: SoapFault, heard: Heard) -> SoapFault:
        """The fault, recorded; one that cannot be is one that says so."""
        if self._audit is None or heard.is_recorded:
            return fault
        if isinstance(fault, TooOften):
            self._too_often(self._audit, fault, heard)
            return fault
        told = account.current()
        told.problems.append(fault.code)
        try:
            if fault.subcode is not None and fault.subcode.namespace in OF_SECURITY:
                told.problems.append(fault.subcode.local)
                self._audit.refused_message(NOT_IDENTIFIED, heard.asker, f"{fault.subcode.local}: {fault.reason}")
            if heard.transaction is not None:
                self._audit.answered(key_of(heard.transaction), "Fault", told, heard.asker, fault.reason)
            else:
                self._audit.refused_message(NOT_UNDERSTOOD, heard.asker, f"{fault.code}: {fault.reason}")
        except SpoolFailed:
            return SoapFault(RECEIVER, f"Nothing can be recorded, so nothing is done [{correlation.current()}].")
        return fault

    def _too_often(self, audit: Audit, fault: TooOften, heard: Heard) -> None:
        """Recorded once in a while: that somebody is not listened to is meant to cost nothing."""
        left_out = self._sparing.more(TOO_OFTEN.name, name_of(heard.peer, heard.address))
        if left_out is None:
            return
        try:
            audit.refused_message(TOO_OFTEN, heard.asker, with_count(fault.reason, left_out))
        except SpoolFailed:
            log.error("that a client asks too often could not be recorded")
