"""Sends what is in a spool to the audit repositories, in order, until each has confirmed it.

One process of those that share a spool sends; when it dies, another takes its place. Each destination is served by a
thread of its own, so that one that is away holds up no other.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from common.audit.delivery import Connection, NotArrived
from common.audit.segments import (
    Destination,
    Segment,
    Waiting,
    confirm,
    make_folder,
    position,
    remove,
    segments,
    sweep,
    waiting,
)
from common.faults import checkpoint
from common.observe import metrics

log = logging.getLogger("portolan.audit")

Connect = Callable[[Destination], Connection]

_PIECE: Final = 256 * 1024
_LOOK_EVERY: Final = 0.2
_MEASURE_EVERY: Final = 5.0
_SHARE: Final = 50  # of its time that the sender does something else than to measure
_FIRST_PAUSE: Final = 0.5
_MOST_PAUSE: Final = 30.0
_TURN_EVERY: Final = 0.5


@dataclass(frozen=True, slots=True)
class Portion:
    """When what was sent on a connection is confirmed: after so many records, or seconds since the first."""

    records: int = 20_000
    seconds: float = 5.0
    quiet: float = 0.0


class Delivery:
    """One destination."""

    def __init__(self, folder: Path, destination: Destination, connect: Connect, portion: Portion) -> None:
        self._folder, self.destination, self._connect, self._portion = folder, destination, connect, portion
        self._open: dict[str, Segment] = {}
        self._ends: dict[str, int] = {}
        self._sent: dict[str, int] = {}
        self._last: set[str] = set()
        self._connection: Connection | None = None
        self._count, self._since = 0, 0.0
        self._tries = 0

    def run(self, stop: threading.Event, ending: Callable[[], bool] = lambda: False) -> None:
        """Until told to stop; once ``ending``, until all that is there has been sent."""
        while not stop.is_set():
            try:
                idle = self.step()
                if idle and ending():
                    self.settle()
                    return
            except NotArrived as problem:
                self._failed(problem)
                if ending():
                    return
                stop.wait(min(_FIRST_PAUSE * 2 ** min(self._tries - 1, 10), _MOST_PAUSE))
                continue
            except OSError as error:
                log.error("the audit spool cannot be read: %s", error.strerror)
                stop.wait(_MOST_PAUSE)
                continue
            if idle:
                stop.wait(_LOOK_EVERY)
        self._forget()

    def step(self) -> bool:
        """Send some, and have it confirmed when it is time; whether there is nothing more to send. NotArrived."""
        sent = False
        for path in segments(self._folder):
            sent = self._send_some(path) or sent
        late = time.monotonic() - self._since >= self._portion.seconds
        if self._sent and (late or not self._count or self._count >= self._portion.records):
            self.settle()
        return not sent

    def _send_some(self, path: Path) -> bool:
        if path.name in self._last:
            return False
        segment = self._open.get(path.name)
        if segment is None:
            try:
                segment = self._open[path.name] = Segment(path)
            except FileNotFoundError:
                return False
            self._ends[path.name] = position(path, self.destination)
        piece = segment.read(self._sent.get(path.name, self._ends[path.name]), _PIECE)
        if piece.skipped:
            log.error("%d bytes of the audit spool cannot be read, as a power cut leaves them", piece.skipped)
            metrics.audit_failed("damage")
        if piece.data:
            self._send(piece.data, piece.count)
        if piece.data or piece.is_last:
            self._sent[path.name] = piece.end
        if piece.is_last:
            self._last.add(path.name)
        return bool(piece.data)

    def _send(self, data: bytes, count: int) -> None:
        if self._connection is None:
            self._connection = self._connect(self.destination)
        if not self._count:
            self._since = time.monotonic()
        self._count += count
        self._connection.send(data)

    def settle(self) -> None:
        """Have what was sent confirmed; NotArrived, and then it is all sent again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.finish(self._portion.quiet)
            checkpoint("audit.confirmed")
        if self._tries:
            log.info("the audit repository %s takes records again", self.destination)
        self._tries = 0
        for name, end in self._sent.items():
            if end > self._ends[name] or name in self._last:
                confirm(self._folder / name, self.destination, end)
                self._ends[name] = end
        metrics.audit_sent(self.destination.label, self._count)
        self._count = 0
        self._sent.clear()

    def has(self, path: Path) -> bool:
        """Whether it has confirmed a file that is finished, to its end."""
        return path.name in self._last and path.name not in self._sent

    def let_go(self, path: Path) -> None:
        """Of a file that is removed."""
        segment = self._open.pop(path.name, None)
        if segment is not None:
            segment.close()
        self._last.discard(path.name)
        self._ends.pop(path.name, None)

    def _failed(self, problem: NotArrived) -> None:
        self._forget()
        self._tries += 1
        metrics.audit_failed("delivery")
        told = log.warning if self._tries == 1 else log.info
        told("the audit repository %s: %s; what waits for it is kept", self.destination, problem)

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.drop()
        self._connection = None
        self._last.difference_update(self._sent)
        self._sent.clear()
        self._count = 0


class Sender:
    """Sends for all processes that share a spool, while it is this one's turn."""

    def __init__(
        self, folder: Path, destinations: Sequence[Destination], connect: Connect, portion: Portion | None = None
    ) -> None:
        self._folder = folder
        self._deliveries = [Delivery(folder, each, connect, portion or Portion()) for each in destinations]
        self._stop = threading.Event()
        self._ending = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="audit-sender", daemon=True)

    def start(self) -> None:
        """Begin, in threads of its own."""
        self._thread.start()

    def stop(self, seconds: float = 3.0) -> None:
        """Send what is there, as far as that goes in some seconds, and end."""
        self._ending = True
        self._thread.join(seconds)
        self._stop.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                make_folder(self._folder)
                turn = os.open(self._folder / "sender.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                log.error("the audit spool cannot be used: %s", error.strerror)
                self._stop.wait(_MEASURE_EVERY)
                continue
            try:
                fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(turn)
                if self._ending:
                    return  # whoever has the turn sends
                self._stop.wait(_TURN_EVERY)
                continue
            try:
                self._serve()
            except Exception:
                log.exception("sending of audit records broke down")
                self._stop.wait(_TURN_EVERY)
            finally:
                os.close(turn)
            if self._ending:
                return

    def _serve(self) -> None:
        """Send; files that every destination has are removed."""
        ended = threading.Event()
        threads = [
            threading.Thread(
                target=each.run, args=(self._stop, lambda: self._ending), name="audit-delivery", daemon=True
            )
            for each in self._deliveries
        ]
        for thread in threads:
            thread.start()
        measure_at = 0.0
        while any(thread.is_alive() for thread in threads):
            self._clean()
            if (began := time.monotonic()) >= measure_at:
                self._measure()
                # What waits is counted by reading it, which takes long where much does.
                ended_at = time.monotonic()
                measure_at = ended_at + max(_MEASURE_EVERY, _SHARE * (ended_at - began))
            ended.wait(_LOOK_EVERY)
        self._clean()
        self._measure()

    def _clean(self) -> None:
        with contextlib.suppress(OSError):
            sweep(self._folder)
            for path in segments(self._folder):
                if all(each.has(path) for each in self._deliveries):
                    remove(path)
                    for each in self._deliveries:
                        each.let_go(path)

    def _measure(self) -> None:
        for each in self._deliveries:
            with contextlib.suppress(OSError):
                told(each.destination, waiting(self._folder, each.destination))


def told(destination: Destination, found: Waiting) -> None:
    """Show what waits for a destination."""
    age = age_of(found.oldest)
    metrics.audit_waiting(destination.label, found.records, age)


def age_of(at: str) -> float:
    """Seconds since a record's time; 0 for none."""
    if not at:
        return 0.0
    return max((datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds(), 0.0)
