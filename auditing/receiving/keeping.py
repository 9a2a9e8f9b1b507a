"""Keeps what comes in: records of all connections are committed together, in groups, by one thread.

A record that the database refuses for what it is, and not for being busy, is kept without an index: the trail drops no
evidence. While the database is away, everybody waits, and senders' records with them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from auditing.indexing import Indexed, indexed
from auditing.store.records import Kept, Received
from common.db import DatabaseBusy, DatabaseError, DatabaseFull

log = logging.getLogger("portolan.auditing")

Append = Callable[[list[Received]], Kept]
Count = Callable[[str, int], None]

_MOST_RECORDS: Final = 1_000
_MOST_BYTES: Final = 8 * 2**20
_MOST_WAITING: Final = 32 * 2**20
_PAUSE: Final = 0.5


class Stopped(Exception):  # noqa: N818
    """Nothing more is kept."""


@dataclass(slots=True)
class Arrivals:
    """How many records a connection has handed over, and how many of these are on disk."""

    received: int = 0
    kept: int = 0


class Keeper:
    """Takes records of many threads, and commits them in groups."""

    def __init__(self, append: Append, count: Count = lambda _outcome, _number: None) -> None:
        self._append, self._count = append, count
        self._changed = threading.Condition()
        self._waiting: deque[tuple[bytes, int, Arrivals]] = deque()
        self._bytes = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def take(self, raw: bytes, arrivals: Arrivals) -> None:
        """Hand one over; waits while too much waits already. Stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._bytes < _MOST_WAITING or self._stopping)
            if self._stopping:
                raise Stopped
            self._waiting.append((raw, time.time_ns() // 1000, arrivals))
            self._bytes += len(raw)
            arrivals.received += 1
            self._changed.notify_all()

    def settle(self, arrivals: Arrivals, seconds: float) -> bool:
        """Wait until everything that a connection handed over is on disk; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: arrivals.kept == arrivals.received, seconds)

    def stop(self, seconds: float) -> None:
        """Keep what has been handed over, and end."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopping)
                if not self._waiting:
                    return
                group = self._group()
            if not self._keep([Received(raw, at, indexed(raw, at)) for raw, at, _ in group]):
                return
            with self._changed:
                for raw, _, arrivals in group:
                    arrivals.kept += 1
                    self._bytes -= len(raw)
                self._changed.notify_all()

    def _group(self) -> list[tuple[bytes, int, Arrivals]]:
        found: list[tuple[bytes, int, Arrivals]] = []
        size = 0
        while self._waiting and len(found) < _MOST_RECORDS and size < _MOST_BYTES:
            found.append(self._waiting.popleft())
            size += len(found[-1][0])
        return found

    def _keep(self, group: list[Received]) -> bool:
        """Until it is kept; False when it could not be by the time of the end."""
        while True:
            try:
                kept = self._append(group)
            except (DatabaseBusy, DatabaseFull) as error:
                log.error("records cannot be kept now, and wait: %s", error)
            except DatabaseError:
                return self._keep_each(group)
            else:
                self._tell(group, kept)
                return True
            if self._stopping:
                return False
            time.sleep(_PAUSE)

    def _keep_each(self, group: list[Received]) -> bool:
        """One of them cannot be kept as it is: it is kept without an index."""
        if len(group) > 1:
            return all(self._keep([each]) for each in group)
        log.exception("a record cannot be indexed, and is kept without")
        bare = replace(group[0], index=Indexed(group[0].at, "it could not be indexed"))
        while not self._stopping:
            try:
                self._tell([bare], self._append([bare]))
            except DatabaseError as error:
                log.error("a record cannot be kept now, and waits: %s", error)
                time.sleep(_PAUSE)
            else:
                return True
        return False

    def _tell(self, group: list[Received], kept: Kept) -> None:
        self._count("kept", len(kept.numbers))
        self._count("known", kept.known)
        self._count("unreadable", sum(1 for each in group if each.index.problem))
