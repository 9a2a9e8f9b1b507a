"""Makes signed checkpoints as the trail grows, and writes them to a file that can be kept elsewhere."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from auditing.chain import Checkpoint, Signer
from auditing.store import checkpoints
from auditing.store.records import the_head
from common.db import Database, DatabaseError
from common.faults import checkpoint

log = logging.getLogger("portolan.auditing")

_LOOK_EVERY: Final = 1.0
_LONGEST_LINE: Final = 4096


@dataclass(frozen=True, slots=True)
class Pace:
    """A checkpoint is due after so many records, or so many seconds where there is any new record."""

    records: int
    seconds: float


class Checkpointer:
    """Signs what is there; several may run at once, of whom one is first."""

    def __init__(self, database: Database, signer: Callable[[], Signer], pace: Pace, file: Path | None = None) -> None:
        """``signer`` is the one of now: its key may be changed while this runs."""
        self._database, self._signer, self._pace, self._file = database, signer, pace, file

    def look(self, now: float | None = None, *, whatever: bool = False) -> Checkpoint | None:
        """Make a checkpoint where one is due, or with ``whatever`` where there is any new record."""
        now = time.time() if now is None else now
        with self._database.read(snapshot=True) as work:
            number, hashed = the_head(work)
            before = checkpoints.last(work)
        point = None
        if self._is_due(number, before, now) or (whatever and number > (before.number if before else 0)):
            point = self._signer().sign(number, hashed, int(now * 1_000_000))
            checkpoint("trail.signed")
            if not checkpoints.add(self._database, point):
                point = None
        if self._file is not None:
            self._write(self._file)
        return point

    def _is_due(self, number: int, before: Checkpoint | None, now: float) -> bool:
        since, at = (before.number, before.at / 1_000_000) if before else (0, 0.0)
        return number > since and (number - since >= self._pace.records or not 0 <= now - at < self._pace.seconds)

    def _write(self, file: Path) -> None:
        """Add those that the file does not have, whoever made them, even one that died before it wrote."""
        with self._database.read() as work:
            newest = checkpoints.last(work)
        with file.open("a+b") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            there = _last_number(stream.fileno())
            if newest is None or newest.number <= there:
                return
            while True:
                with self._database.read() as work:
                    missing = checkpoints.after(work, there)
                if not missing:
                    break
                stream.write("".join(f"{each.line()}\n" for each in missing).encode("ascii"))
                there = missing[-1].number
            stream.flush()
            os.fsync(stream.fileno())

    def start(self) -> Callable[[], None]:
        """Look again and again, in a thread; what is returned ends it, with a last checkpoint."""
        ended = threading.Event()

        def run() -> None:
            while not ended.wait(_LOOK_EVERY):
                self._try(whatever=False)
            self._try(whatever=True)

        thread = threading.Thread(target=run, name="checkpoints", daemon=True)
        thread.start()

        def end() -> None:
            ended.set()
            thread.join(10)

        return end

    def _try(self, *, whatever: bool) -> None:
        try:
            self.look(whatever=whatever)
        except (DatabaseError, OSError) as error:
            log.error("a checkpoint could not be made: %s", getattr(error, "strerror", None) or error)


def _last_number(descriptor: int) -> int:
    """The number in the last whole line; a line that was cut off by a crash is ended, and stands as none."""
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, _LONGEST_LINE, max(0, size - _LONGEST_LINE))
    if tail and not tail.endswith(b"\n"):
        os.write(descriptor, b"\n")
    for line in reversed(tail.splitlines()):
        try:
            return Checkpoint.of_line(line.decode("ascii")).number
        except ValueError:
            continue
    return 0
