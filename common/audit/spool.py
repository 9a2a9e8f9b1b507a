"""Records on stable storage until every audit repository has them (ITI TF-2 3.20.4.1.2.2).

A process writes to files of its own, so that no process waits for another. Room is taken before it is needed: while a
file is being written the next one is there, and a request for which there is no room is refused before it is begun.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from common.audit.quick import QuickWriter
from common.audit.segments import created, make_folder, size_of
from common.faults import checkpoint
from common.observe import metrics

log = logging.getLogger("portolan.audit")

SEGMENT: Final = 8 * 1024 * 1024
MOST_RECORD: Final = 2 * 1024 * 1024
SYNC_EVERY: Final = 0.1
_MEASURE_EVERY: Final = 1.0


class Sync(StrEnum):
    """When records are on stable storage: before the answer leaves, or a moment after."""

    ALWAYS = "always"
    OS = "os"


class SpoolFailed(Exception):  # noqa: N818
    """A record cannot be kept; the text says why, without anything of it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large the whole spool may be, and each file of it, in bytes."""

    most: int
    segment: int = SEGMENT


class Spool:
    """The files of one process, for use by any thread; a process that forks opens its own afterwards."""

    def __init__(self, folder: Path, name: str, *, sync: Sync, bounds: Bounds, brief: bool = False) -> None:
        """A ``brief`` one has no thread that looks after it: for a few records, closed at once."""
        self._brief = brief
        self._folder, self._name, self._sync, self._bounds = folder, name, sync, bounds
        self._lock = threading.Lock()
        self._writer = QuickWriter()
        self._syncing = threading.Lock()
        self._fd, self._end = -1, 0
        self._spare = -1
        self._retired: list[int] = []
        self._written = self._synced = self._counted = 0
        self._dirty = threading.Event()
        self._failure = ""
        self._full = False
        self._measure_at = 0.0
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def failure(self) -> str:
        """Why nothing can be kept now; empty while all is well."""
        if self._full:
            return f"the audit spool has reached its limit of {self._bounds.most} bytes"
        return self._failure

    def check(self) -> None:
        """See that there is room for a record; SpoolFailed."""
        if self._fd >= 0 and (self._spare >= 0 or self._bounds.segment - self._end > MOST_RECORD) and not self._full:
            return
        with self._lock:
            try:
                self._begin()
                if self._full:
                    self._measure()
                if self._full:
                    raise SpoolFailed(self.failure)
                if self._fd < 0:
                    self._fd, self._end = self._created(), 0
                if self._bounds.segment - self._end <= MOST_RECORD and self._spare < 0:
                    self._spare = self._created()
            except OSError as error:
                raise self._failed(error) from error
            self._failure = ""

    def append(self, frames: Sequence[bytes]) -> None:
        """Keep records, in order, all or none; what is kept survives this process. SpoolFailed."""
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        if len(data) > self._bounds.segment:
            for each in frames:
                if len(each) > min(MOST_RECORD, self._bounds.segment):
                    raise SpoolFailed("a record is too large to be kept")
                self.append([each])
            return
        with self._lock:
            try:
                if self._fd < 0 or self._end + len(data) > self._bounds.segment:
                    self._turn_over()
                if self._writer.write(self._fd, data, self._end) != len(data):
                    raise OSError(0, "only a part of a record was written")
            except OSError as error:
                self._abandon()
                raise self._failed(error) from error
            self._end += len(data)
            self._written += len(data)
            self._counted += len(frames)
            mine = self._written
        if self._sync is Sync.ALWAYS:
            self._sync_up_to(mine)
        elif not self._dirty.is_set():
            self._dirty.set()
        checkpoint("audit.spooled")

    def _created(self) -> int:
        make_folder(self._folder)
        fd, _ = created(self._folder, self._name, self._bounds.segment)
        return fd

    def _begin(self) -> None:
        if self._thread is None and not (self._closed or self._brief):
            self._thread = threading.Thread(target=self._look_after, name="audit-spool", daemon=True)
            self._thread.start()

    def _turn_over(self) -> None:
        """Go on in the next file."""
        fd, self._fd, self._end = self._fd, -1, 0
        if fd >= 0:
            self._retired.append(fd)
        self._fd, self._spare = (self._spare if self._spare >= 0 else self._created()), -1
        self._begin()

    def _abandon(self) -> None:
        """A file that could not be written to is not written to again; what is in it is sent all the same."""
        if self._fd >= 0:
            self._retired.append(self._fd)
            self._fd, self._end = -1, 0

    def _failed(self, error: OSError) -> SpoolFailed:
        told = f"the audit spool cannot be written: {error.strerror}"
        if told != self._failure:
            log.error("%s", told)
        self._failure = told
        metrics.audit_failed("spool")
        return SpoolFailed(told)

    def _sync_up_to(self, mine: int) -> None:
        """Whoever comes first syncs for all who have written meanwhile. SpoolFailed."""
        with self._syncing:
            if self._synced >= mine:
                return
            try:
                self._sync_all()
            except OSError as error:
                raise self._failed(error) from error

    def _sync_all(self) -> None:
        with self._lock:
            target, fd = self._written, os.dup(self._fd) if self._fd >= 0 else -1
            retired, self._retired = self._retired, []
        try:
            for each in (*retired, *((fd,) if fd >= 0 else ())):
                os.fdatasync(each)
        except OSError:
            with self._lock:
                self._abandon()  # what the kernel could not write it may have dropped
            raise
        finally:
            for each in (*retired, *((fd,) if fd >= 0 else ())):
                os.close(each)
        self._synced = max(self._synced, target)

    def _look_after(self) -> None:
        while not self._closed:
            self._dirty.wait(_MEASURE_EVERY)
            self._dirty.clear()
            try:
                if self._synced < self._written:
                    with self._syncing:
                        self._sync_all()
                self._look_ahead()
            except OSError as error:
                self._failed(error)
            time.sleep(SYNC_EVERY)

    def _look_ahead(self) -> None:
        """Have the next file there in time, and see how much there is of them all."""
        with self._lock:  # files are sent in the order in which they were made
            if self._spare < 0 and self._end > self._bounds.segment // 2:
                self._spare = self._created()
        if time.monotonic() >= self._measure_at:
            self._measure()
            counted, self._counted = self._counted, 0
            metrics.audit_spooled(self._name, counted)

    def _measure(self) -> None:
        self._measure_at = time.monotonic() + _MEASURE_EVERY
        full = size_of(self._folder) + self._bounds.segment > self._bounds.most
        if full != self._full:
            log.log(
                logging.ERROR if full else logging.INFO, "the audit spool %s", "is full" if full else "has room again"
            )
        self._full = full

    def close(self) -> None:
        """Sync, and write no more: what waits is for others to send."""
        self._closed = True
        self._dirty.set()
        with self._syncing, contextlib.suppress(OSError):
            self._sync_all()
        with self._lock:
            counted, self._counted = self._counted, 0
            metrics.audit_spooled(self._name, counted)
            for fd, end in ((self._fd, self._end), (self._spare, 0), *((fd, -1) for fd in self._retired)):
                if fd >= 0:
                    with contextlib.suppress(OSError):
                        if end >= 0:
                            os.ftruncate(fd, end)  # room that nobody will use
                    os.close(fd)
            self._fd = self._spare = -1
            self._retired = []
