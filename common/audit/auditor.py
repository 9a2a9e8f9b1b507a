"""What a service tells its audit trail by: who took part, and that a record is kept before an answer leaves."""

from __future__ import annotations

import getpass
import logging
import os
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Final

from common.audit import events
from common.audit.account import Account
from common.audit.events import Other, Row, Side
from common.audit.forms import Forms, is_usual
from common.audit.message import AuditMessage, Code, Participant, Subject
from common.audit.parties import Asker, Node, host_of, user_of
from common.audit.records import Happened, records, with_correlation
from common.audit.spool import Spool, SpoolFailed
from common.audit.syslog import Clock, Origin, framed
from common.audit.writing import written
from common.caller import Caller
from common.observe import correlation, metrics
from common.observe.health import Unready

log = logging.getLogger("portolan.audit")

_MOST_REFUSALS: Final = 10
"""Connections that are refused, told of one by one in a second: whoever knocks must not fill the spool."""


class Auditor:
    """Writes the records of one process."""

    def __init__(self, node: Node, spool: Spool, *, refuses: bool) -> None:
        """With ``refuses`` nothing is done that cannot be recorded."""
        self._node, self._spool, self._refuses = node, spool, refuses
        self._fields = Origin(node.host, f"portolan-{node.service}", str(os.getpid())).fields
        self._clock = Clock()
        self._ours: dict[tuple[str, Side], Participant] = {}
        self._refusals = _Refusals()
        self._forms = Forms(node.source, self._fields, self._participant)

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
        row = events.ANSWERED[key]
        if not told and is_usual(row, outcome, account):
            self._keep([self._forms.frame(row, account, asker, correlation.current(), self._clock())])
            return
        participants = (*asker.participants(row.asking), self._participant(row))
        self._record(row, outcome, account, participants, asker.purposes, told)

    def asked(self, key: str, outcome: str, account: Account, url: str, caller: Caller | None = None) -> None:
        """Record what we asked of somebody at an address. SpoolFailed."""
        row = events.ASKED[key]
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


def _launcher() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
