"""What a service tells its audit trail by: who took part, and that a record is kept before an answer leaves."""

from __future__ import annotations

import getpass
import logging
import os
import socket
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from common.audit import events
from common.audit.account import Account
from common.audit.events import Other, Row, Side
from common.audit.message import AuditMessage, Code, Participant, Source, Subject
from common.audit.records import Happened, is_plain, records, subjects_of, with_correlation
from common.audit.spool import Spool, SpoolFailed
from common.audit.syslog import Clock, Origin, framed
from common.audit.writing import middle, written, written_around
from common.observe import correlation, metrics
from common.observe.health import Unready
from common.soap.envelope import ANONYMOUS
from common.xua import Caller

log = logging.getLogger("portolan.audit")

_MOST_KNOWN: Final = 4096
_MOST_REFUSALS: Final = 10
"""Connections that are refused, told of one by one in a second: whoever knocks must not fill the spool."""


@dataclass(frozen=True, slots=True)
class Node:
    """Who we are: a service at an address, or a client at none."""

    service: str
    url: str
    source: Source
    host: str = field(default_factory=lambda: socket.gethostname())

    def participant(self, role: Code, *, asks: bool) -> Participant:
        """Us, in a record of our own: with the id of our process."""
        user = ANONYMOUS if asks else self.url or self.service
        return Participant(user, asks, str(os.getpid()), self.service if asks else "", self.host, (role,))

    def application(self) -> Participant:
        """Us, where no transaction is spoken of."""
        return Participant(self.service, False, str(os.getpid()), "", self.host, (events.APPLICATION,))


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the system's address and its certificate's subject, where it wants answers, and the user."""

    address: str = ""
    subject: str = ""
    reply_to: str = ""
    caller: Caller | None = None

    def participants(self, role: Code) -> tuple[Participant, ...]:
        """The system, and the user where one is known."""
        system = _system(self.address, self.subject, self.reply_to, role)
        return (system,) if self.caller is None else (system, user_of(self.caller))

    @property
    def purposes(self) -> tuple[Code, ...]:
        """Why, as the assertion says."""
        if self.caller is None:
            return ()
        return tuple(Code(each.code, each.system, each.display or each.code) for each in self.caller.purposes)


NOBODY: Final = Asker()
"""Of whom nothing is known."""


@lru_cache(maxsize=1024)
def _system(address: str, subject: str, reply_to: str, role: Code) -> Participant:
    return Participant(reply_to or ANONYMOUS, True, "", subject, address, (role,))


def user_of(caller: Caller) -> Participant:
    """A user with their roles (ITI TF-2 3.40.4.2)."""
    roles = tuple(Code(each.code, each.system, each.display or each.code) for each in caller.roles)
    return Participant(caller.user, True, "", f"{caller.name}<{caller.user}@{caller.issuer}>", "", roles)


class Auditor:
    """Writes the records of one process."""

    def __init__(self, node: Node, spool: Spool, *, refuses: bool) -> None:
        """With ``refuses`` nothing is done that cannot be recorded."""
        self._node, self._spool, self._refuses = node, spool, refuses
        self._fields = Origin(node.host, f"portolan-{node.service}", str(os.getpid())).fields
        self._clock = Clock()
        self._ours: dict[tuple[str, Side], Participant] = {}
        self._refusals = _Refusals()
        self._middles: dict[object, str] = {}

    def check(self) -> None:
        """To be called before anything is done: SpoolFailed where what is done could not be recorded."""
        try:
            self._spool.check()
        except SpoolFailed:
            if self._refuses:
                raise

    def probe(self) -> None:
        """Unready while nothing can be recorded."""
        try:
            self._spool.check()
        except SpoolFailed as failed:
            raise Unready(str(failed)) from failed

    def answered(self, key: str, outcome: str, account: Account, asker: Asker, told: str = "") -> None:
        """Record what was answered; durable when this returns. SpoolFailed."""
        row = events.TABLE[key, Side.ANSWERED]
        if not told and is_plain(row, outcome, account):
            self._plain(row, account, asker)
            return
        participants = (*asker.participants(row.asking), self._participant(row))
        self._record(row, outcome, account, participants, asker.purposes, told)

    def _plain(self, row: Row, account: Account, asker: Asker) -> None:
        """The same for what is nearly always the case, at a part of the cost."""
        caller = asker.caller
        known = (row.key, asker.address, asker.subject, asker.reply_to, caller and (caller.issuer, caller.assertion_id))
        between = self._middles.get(known)
        if between is None:
            participants = (*asker.participants(row.asking), self._participant(row))
            message = AuditMessage(
                row.event, row.action, 0, participants, self._node.source, (row.type,), purposes=asker.purposes
            )
            if len(self._middles) >= _MOST_KNOWN:
                self._middles.clear()
            between = self._middles[known] = middle(message)
        subjects = subjects_of(row, account, account.patients[0] if account.patients else "")
        at = self._clock()
        xml = written_around(between, row.action, at, with_correlation(subjects, correlation.current()))
        self._keep([framed(xml, at, self._fields, failed=False)])

    def asked(self, key: str, outcome: str, account: Account, url: str, caller: Caller | None = None) -> None:
        """Record what we asked of somebody at an address. SpoolFailed."""
        row = events.TABLE[key, Side.ASKED]
        other = Participant(url, False, "", "", host_of(url), (row.answering,))
        users = () if caller is None else (user_of(caller),)
        self._record(row, outcome, account, (self._participant(row), *users, other))

    def _participant(self, row: Row) -> Participant:
        key = (row.key, row.side)
        found = self._ours.get(key)
        if found is None:
            asks = row.side is Side.ASKED
            found = self._ours[key] = self._node.participant(row.asking if asks else row.answering, asks=asks)
        return found

    def _record(
        self,
        row: Row,
        outcome: str,
        account: Account,
        participants: tuple[Participant, ...],
        purposes: tuple[Code, ...] = (),
        told: str = "",
    ) -> None:
        source = self._node.source
        happened = Happened(row, outcome, account, participants, source, correlation.current(), purposes, told)
        self.write(records(happened))

    def tell(
        self,
        other: Other,
        told: str = "",
        participants: Sequence[Participant] = (),
        subjects: Iterable[Subject] = (),
        outcome: int | None = None,
    ) -> None:
        """Record an event that is no transaction. SpoolFailed."""
        message = AuditMessage(
            other.event,
            other.action,
            other.outcome if outcome is None else outcome,
            (self._node.application(), *participants),
            self._node.source,
            (other.type,) if other.type else (),
            told,
            (),
            with_correlation(list(subjects), correlation.current()),
        )
        self.write([message])

    def started(self, other: Other) -> None:
        """Record that the service starts, or stops, and by whom."""
        launcher = Participant(_launcher(), True, roles=(events.LAUNCHER,))
        self.tell(other, participants=[launcher])

    def by_user(self, other: Other, told: str) -> None:
        """Record what the user of this machine does."""
        self.tell(other, told, [Participant(_launcher(), True)])

    def refused_message(self, other: Other, asker: Asker, told: str) -> None:
        """Record a message that was not understood, or whose user was not believed."""
        self.tell(other, told, asker.participants(events.SOURCE), [self._address()])

    def not_admitted(self, address: str, told: str) -> None:
        """Record a connection that was refused; many at once are told of together."""
        self._no_connection(told, Participant(address or "unknown", True, network=address), self._address())

    def not_trusted(self, url: str, told: str) -> None:
        """Record that we do not talk to whoever answers at an address."""
        self._no_connection(told, Participant(url, False, network=host_of(url)), Subject(url, "2", "13", events.URI))

    def _no_connection(self, told: str, other: Participant, address: Subject) -> None:
        more = self._refusals.more()
        if more is None:
            return
        description = f"{told} (and {more} more since)" if more else told
        try:
            self.tell(events.NOT_ADMITTED, description, [other], [address])
        except SpoolFailed:
            log.error("a refused connection could not be recorded")

    def _address(self) -> Subject:
        return Subject(self._node.url or self._node.service, "2", "13", events.URI)

    def write(self, messages: Iterable[AuditMessage]) -> None:
        """Keep records. SpoolFailed, where the settings want what cannot be recorded refused."""
        frames = []
        for message in messages:
            at = self._clock()
            frames.append(framed(written(message, at), at, self._fields, failed=message.outcome != 0))
        self._keep(frames)

    def _keep(self, frames: list[bytes]) -> None:
        try:
            self._spool.append(frames)
        except SpoolFailed:
            metrics.audit_failed("record")
            if self._refuses:
                raise

    def close(self) -> None:
        """Nothing more is recorded here."""
        self._spool.close()


class _Refusals:
    """How many refused connections are told of in a second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._second, self._count, self._untold = 0, 0, 0

    def more(self) -> int | None:
        """How many were not told of before this one; None where this one is not either."""
        with self._lock:
            second = int(time.monotonic())
            if second != self._second:
                self._second, self._count = second, 0
            self._count += 1
            if self._count > _MOST_REFUSALS:
                self._untold += 1
                return None
            untold, self._untold = self._untold, 0
            return untold


def host_of(url: str) -> str:
    """The host in an address."""
    return urlsplit(url).hostname or url.rpartition(":")[0]


def _launcher() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
