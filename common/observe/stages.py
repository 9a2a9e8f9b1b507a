"""Where the time of a request goes: each moment of it belongs to one stage.

A request goes through stages one after another (`enter`). What is done within one on somebody else's time, such as a
statement or a call of a neighbour, is a stage of its own, and not counted to the one around it (`aside`, `note`).
Outside of a request nothing is noted.

To watch a request takes some ten microseconds of it. So of very many small ones only one every few milliseconds is
watched (`sample`): where the time goes is the same in the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from types import TracebackType
from typing import Final, Protocol, Self


class Stage(StrEnum):
    """What a request's time can be spent on."""

    RECEIVE = "receive"
    PARSE = "parse"
    RULES = "rules"
    WAIT = "wait"
    SQL = "sql"
    COMMIT = "commit"
    STORAGE = "storage"
    REGISTRY = "registry"
    SERIALISE = "serialise"
    SEND = "send"


_TRANSFER: Final = (Stage.RECEIVE, Stage.SEND)


class Trace(Protocol):
    """Hears of stages as they come, where requests are traced."""

    @property
    def trace_id(self) -> str:
        """As logs show it."""
        ...

    def stage(self, name: str, at: float) -> None:
        """A stage begins, and the one before it ends."""
        ...

    def leaf(self, name: str, began: float, ended: float, rows: int | None = None) -> None:
        """Something was done within the stage."""
        ...

    def end(self, transaction: str, outcome: str, at: float) -> None:
        """The request is over."""
        ...


class Watch:
    """The times of one request, in seconds of `time.perf_counter`."""

    __slots__ = ("_away", "_began", "_stage", "outcome", "service", "spent", "started", "trace", "transaction")

    def __init__(self, service: str, trace: Trace | None) -> None:
        self.service = service
        self.trace = trace
        self.transaction = self.outcome = "unknown"
        self.spent: dict[str, float] = {}
        self.started = self._began = time.perf_counter()
        self._stage: str = Stage.RECEIVE
        self._away = 0.0
        if trace is not None:
            trace.stage(Stage.RECEIVE, self.started)

    def enter(self, stage: str) -> None:
        """Go on to a stage; one may be entered more than once."""
        now = time.perf_counter()
        spent, last = self.spent, self._stage
        spent[last] = spent.get(last, 0.0) + now - self._began - self._away
        self._began, self._away, self._stage = now, 0.0, stage
        if self.trace is not None:
            self.trace.stage(stage, now)

    def note(self, stage: str, began: float, ended: float, name: str = "", rows: int | None = None) -> None:
        """Something was done that counts to another stage; a trace calls it by its name."""
        seconds = ended - began
        spent = self.spent
        spent[stage] = spent.get(stage, 0.0) + seconds
        self._away += seconds
        if self.trace is not None:
            self.trace.leaf(name or stage, began, ended, rows)

    @property
    def ours(self) -> float:
        """The seconds that the request took so far, without those that its sender and its receiver took."""
        total = time.perf_counter() - self.started
        return total - sum(self.spent.get(stage, 0.0) for stage in _TRANSFER)

    def milliseconds(self) -> dict[str, float]:
        """What is known so far, for a log."""
        return {stage: round(seconds * 1000, 2) for stage, seconds in self.spent.items()}

    def end(self) -> None:
        """All is sent."""
        if _current.get() is self:
            _current.set(None)
        now = time.perf_counter()
        spent, last = self.spent, self._stage
        spent[last] = spent.get(last, 0.0) + now - self._began - self._away
        _record(self.service, self.transaction, spent)
        if self.trace is not None:
            self.trace.end(self.transaction, self.outcome, now)


Record = Callable[[str, str, Mapping[str, float]], None]


def _forget(service: str, transaction: str, spent: Mapping[str, float]) -> None:
    """Before the metrics are there."""


_record: Record = _forget


def recorded_by(record: Record) -> None:
    """Have the times of ended requests taken by the metrics, which must not be imported here: see its package."""
    global _record
    _record = record


_current: ContextVar[Watch | None] = ContextVar("watch", default=None)
current: Final = _current.get
"""The watch of the request that is being carried out, if it is one."""


def begin(service: str, trace: Trace | None = None) -> Watch:
    """Begin to watch a request in this thread, until its `end`."""
    watch = Watch(service, trace)
    _current.set(watch)
    return watch


_EVERY: Final = 0.005
_next = 0.0


def sample(service: str, trace: Trace | None = None, *, small: bool) -> Watch | None:
    """As `begin`; None for a small request that comes soon after one that is watched, unless it is traced."""
    global _next
    now = time.perf_counter()
    if small and trace is None and now < _next:
        if _current.get() is not None:  # one whose sending nobody told of
            _current.set(None)
        return None
    _next = now + _EVERY
    return begin(service, trace)


@contextmanager
def watched(service: str, trace: Trace | None = None) -> Iterator[Watch]:
    """Watch what is done in the block as one request."""
    watch = begin(service, trace)
    try:
        yield watch
    finally:
        watch.end()


def enter(stage: str) -> None:
    """Have the current request go on to a stage."""
    watch = _current.get()
    if watch is not None:
        watch.enter(stage)


def trace_id() -> str | None:
    """The id of the current request's trace, if it has one."""
    watch = _current.get()
    return watch.trace.trace_id if watch is not None and watch.trace is not None else None


class aside:  # noqa: N801 (reads as a statement)
    """Count the block to a stage; one within another counts to its own only."""

    __slots__ = ("_away", "_began", "_name", "_stage", "_watch")

    def __init__(self, stage: str, name: str | None = "") -> None:
        """A trace calls the block by its ``name``; with None it does not show it."""
        self._stage, self._name = stage, name

    def __enter__(self) -> Self:
        watch = self._watch = _current.get()
        if watch is not None:
            self._away, self._began = watch._away, time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        watch = self._watch
        if watch is None:
            return
        ended = time.perf_counter()
        inner = watch._away - self._away
        spent, stage = watch.spent, self._stage
        spent[stage] = spent.get(stage, 0.0) + ended - self._began - inner
        watch._away = self._away + ended - self._began
        if watch.trace is not None and self._name is not None:
            watch.trace.leaf(self._name or stage, self._began, ended)
