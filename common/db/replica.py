"""Questions answered by a read replica: a PostgreSQL standby that follows the database by streaming.

Whoever was told that something was written finds it, whichever process is asked next: a question goes to the
replica only once the replica has replayed all that the database had made durable when the question came. One
that is behind or away costs no answer, since the database itself is asked then. Decision 17 tells why so.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from sqlalchemy import literal_column, select

from common.db.database import Database, DatabaseBusy, DatabaseError, Work, open_database
from common.db.statement import Statement

log = logging.getLogger("portolan.db")

Result = TypeVar("Result")

PATIENCE: Final = 0.03
"""Seconds that a question waits for the replica to catch up."""
PAUSES: Final = {"behind": 0.2, "away": 1.0}
"""Seconds for which a replica that was found so is not asked again."""
WATCH_EVERY: Final = 1.0


def _asking(*columns: str) -> Statement:
    return Statement(select(*(literal_column(column) for column in columns)))


_BYTES: Final = "({} - '0/0'::pg_lsn)::bigint"
_SYSTEM: Final = "(SELECT system_identifier FROM pg_control_system())"
# The name of a file of the log begins with the timeline that is being written.
_WRITTEN: Final = _asking(
    "('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::int",
    _BYTES.format("pg_current_wal_flush_lsn()"),
)
_REPLAYED: Final = _asking("pg_is_in_recovery()", _BYTES.format("pg_last_wal_replay_lsn()"))
_DATABASE: Final = _asking(_SYSTEM, "pg_is_in_recovery()")
_REPLICA: Final = _asking(
    _SYSTEM,
    "pg_is_in_recovery()",
    "greatest((SELECT timeline_id FROM pg_control_checkpoint()),"
    " (SELECT min_recovery_end_timeline FROM pg_control_recovery()))",
)


class Reader(Protocol):
    """Whoever answers questions that change nothing: a database, or a replica with its database behind it."""

    def ask(self, question: Callable[[Work], Result], *, snapshot: bool = False) -> Result:
        """The answer; with ``snapshot`` all statements of the question see the same state."""


class _BehindError(Exception):
    """The replica has not replayed what it has to, or follows nobody any more."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a database's log reaches; positions compare within one timeline only."""

    timeline: int
    written: int


def open_reader(
    database: Database, replica: str, *, pool: int, wait: float, note: Callable[[str], None] = lambda _: None
) -> Reader:
    """What answers questions: the replica at a URL, or the database itself where there is none.

    ``note`` hears of each question's lot: ``replica``, or why the database answered, ``behind`` or ``away``.
    """
    if not replica:
        return database
    return Replica(database, open_database(_bounded(replica), pool=pool, wait=wait), note=note)


def _bounded(url: str) -> str:
    """A machine that vanished is given up within seconds, not when the kernel would."""
    joint = "&" if "?" in url else "?"
    return url if "tcp_user_timeout" in url else f"{url}{joint}tcp_user_timeout=3000"


class Replica:
    """A replica, and the database that it follows."""

    def __init__(
        self, database: Database, replica: Database, *, patience: float = PATIENCE, note: Callable[[str], None]
    ) -> None:
        self._database, self._replica = database, replica
        self._patience, self._note = patience, note
        self._timeline: int | None = None
        self._not_before = 0.0
        self._lock = threading.Lock()
        self._watcher: threading.Thread | None = None
        self._closed = threading.Event()

    def ask(self, question: Callable[[Work], Result], *, snapshot: bool = False) -> Result:
        """The replica's answer once it has caught up, else the database's."""
        if self._watcher is None:
            self._watch()
        lot = "away"
        timeline = self._timeline if time.monotonic() >= self._not_before else None
        if timeline is not None:
            position = self._position()
            try:
                if position.timeline == timeline:
                    return self._answered(question, position, snapshot=snapshot)
            except _BehindError:
                lot = "behind"
            except DatabaseBusy:
                log.warning("the read replica failed; the database is asked")
            self._not_before = time.monotonic() + PAUSES[lot]
        self._note(lot)
        return self._database.ask(question, snapshot=snapshot)

    def _position(self) -> Position:
        """All that anybody was told to be written by now lies before this."""
        with self._database.read() as work:
            [(timeline, written)] = work.rows(_WRITTEN)
        return Position(timeline, written)

    def _answered(self, question: Callable[[Work], Result], position: Position, *, snapshot: bool) -> Result:
        # The statements that answer see a state that is later than the one that was found to be new enough.
        with self._replica.read(snapshot=snapshot, first=lambda work: self._caught_up(work, position)) as work:
            found = question(work)
        self._note("replica")
        return found

    def _caught_up(self, work: Work, position: Position) -> None:
        """Return when the replica has replayed all that lies before a position; or fail, and soon."""
        until, pause = time.monotonic() + self._patience, 0.0005
        while True:
            [(follows, replayed)] = work.rows(_REPLAYED)
            if follows and replayed is not None and replayed >= position.written:
                return
            if not follows or time.monotonic() >= until:
                raise _BehindError
            time.sleep(pause)
            pause = min(2 * pause, 0.005)

    def _watch(self) -> None:
        """Start to look after the replica; no question waits for one that does not answer."""
        with self._lock:
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watching, name="replica", daemon=True)
                self._watcher.start()

    def _watching(self) -> None:
        self._look()
        while not self._closed.wait(WATCH_EVERY):
            self._look()

    def _look(self) -> None:
        """Note the replica's timeline, if it follows this very database."""
        before, now = self._timeline, None
        try:
            with self._replica.read() as work:
                [(replica, follows, timeline)] = work.rows(_REPLICA)
            with self._database.read() as work:
                [(database, is_replica_too)] = work.rows(_DATABASE)
            if replica == database and follows and not is_replica_too:
                now = timeline
        except DatabaseError:
            pass
        self._timeline = now
        if (before is None) != (now is None):
            log.warning("the read replica is %s", "used" if now is not None else "not used: away, or no replica")

    def close(self) -> None:
        """Ask the replica no more."""
        self._closed.set()
        if self._watcher is not None:
            self._watcher.join()
        self._replica.close()
