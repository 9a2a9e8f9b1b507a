"""Fault points: named steps at which a test can make this process die, fail or wait.

Every step that changes something durable calls `checkpoint` with its name. Unless PORTOLAN_FAULT or
PORTOLAN_FAULT_TRACE was set when the process began, or a test has armed a plan, that is a call to nothing.

PORTOLAN_FAULT is a comma-separated list of `NAME[:COUNT]=ACTION`: `blob.synced=kill`, `blob.synced:2=kill` (the
second time), `*:3=raise` (the third step of any name), `db.flushed=raise:ENOSPC`, `iti42.sent=wait:5` (seconds).
PORTOLAN_FAULT_TRACE names a file to which each name met is appended, a line each.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

_FOREVER = 3600.0


class FaultRaised(Exception):  # noqa: N818 - it is no error of the program
    """What a fault point raises when it is told to raise and no errno is named."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One instruction: at the `count`-th meeting of `name` (`*` for any), do `action` with `argument`."""

    name: str
    count: int
    action: str
    argument: str

    def happen(self) -> None:
        """Die, raise or wait, as told."""
        if self.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(_FOREVER)  # the signal may take a moment to arrive; nothing more may happen here meanwhile
        if self.action == "wait":
            time.sleep(float(self.argument or _FOREVER))
            return
        if self.argument:
            number = int(getattr(errno, self.argument))
            raise OSError(number, os.strerror(number))
        raise FaultRaised(f"told to fail at {self.name}")


class Plan:
    """What shall happen at which fault point, and which have been met."""

    def __init__(self, faults: tuple[Fault, ...] = (), trace: str = "") -> None:
        self._faults = faults
        self._trace = trace
        self._met: Counter[str] = Counter()
        self._lock = threading.Lock()

    def meet(self, name: str) -> None:
        """Count one meeting, write it to the trace, and let happen what was planned for it."""
        with self._lock:
            self._met[name] += 1
            self._met["*"] += 1
            due = [fault for fault in self._faults if self._is_due(fault, name)]
            self._write(name)
        for fault in due:
            fault.happen()

    def _is_due(self, fault: Fault, name: str) -> bool:
        return fault.name in (name, "*") and self._met[fault.name] == fault.count

    def _write(self, name: str) -> None:
        if self._trace:
            with open(self._trace, "a", encoding="utf-8") as trace:
                trace.write(f"{name}\n")


def parsed(text: str) -> tuple[Fault, ...]:
    """The faults that a PORTOLAN_FAULT value describes; raises ValueError where it is not understood."""
    return tuple(_fault(entry.strip()) for entry in text.split(",") if entry.strip())


def _fault(entry: str) -> Fault:
    where, _, what = entry.partition("=")
    name, _, count = where.partition(":")
    action, _, argument = what.partition(":")
    if not name or action not in ("kill", "raise", "wait"):
        raise ValueError(f"not a fault: {entry!r} (NAME[:COUNT]=kill, raise[:ERRNO] or wait[:SECONDS])")
    return Fault(name, int(count or 1), action, argument)


def _planned(environment: Mapping[str, str]) -> Plan | None:
    faults, trace = environment.get("PORTOLAN_FAULT", ""), environment.get("PORTOLAN_FAULT_TRACE", "")
    return Plan(parsed(faults), trace) if faults or trace else None


_plan: Plan | None = _planned(os.environ)


def checkpoint(name: str) -> None:
    """Say that the step of this name has been done."""
    if _plan is not None:
        _plan.meet(name)


@contextmanager
def armed(faults: str = "", trace: str = "") -> Iterator[None]:
    """Let these faults happen in this process while the context lasts."""
    global _plan
    before, _plan = _plan, Plan(parsed(faults), trace)
    try:
        yield
    finally:
        _plan = before
