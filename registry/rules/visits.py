"""In whose care a patient is, by what ADT messages tell of one visit.

The same events give the same stays in whatever order they have arrived: they are put in the order in which the sender
has recorded them, and gone through from the beginning each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from types import MappingProxyType
from typing import Final

_DTM: Final = "%Y%m%d%H%M%S"
LAST: Final = "99991231235959"


class Effect(Enum):
    """What an event says of where a patient is."""

    ENTERS = "is, or will be, in the care of the organisation"
    LEAVES = "is in its care no longer, but for the days of grace"
    NEVER_CAME = "has never been in it"
    IS_STILL_THERE = "has not left"


EFFECTS: Final[Mapping[str, Effect]] = MappingProxyType({
    "A01": Effect.ENTERS,
    "A02": Effect.ENTERS,
    "A04": Effect.ENTERS,
    "A05": Effect.ENTERS,
    "A12": Effect.ENTERS,
    "A03": Effect.LEAVES,
    "A11": Effect.NEVER_CAME,
    "A38": Effect.NEVER_CAME,
    "A13": Effect.IS_STILL_THERE,
})  # fmt: skip
"""By trigger event: admit, transfer, register, pre-admit, cancel transfer; discharge; cancel admit, cancel pre-admit;
cancel discharge."""


@dataclass(frozen=True, slots=True)
class VisitEvent:
    """One event of a visit; times are DTM in UTC, and ``organisation`` is empty where it is not known here.

    ``recorded_at`` orders the events of a sender, ``arrived_at`` is by the clock here, which nothing is later than.
    """

    event: str
    organisation: str
    recorded_at: str
    happened_at: str
    arrived_at: str
    message: str

    @property
    def at(self) -> str:
        """When it happened, as far as it can have."""
        return min(self.happened_at or self.arrived_at, self.arrived_at)

    @property
    def told(self) -> str:
        """What it is the evidence of, for people."""
        return f"ADT {self.event} {self.recorded_at} {self.message}"


@dataclass(frozen=True, slots=True)
class Stay:
    """A time in the care of one organisation; ``ends`` is empty while it goes on."""

    organisation: str
    begins: str
    ends: str = ""
    begun_by: str = ""
    changed_by: str = ""

    @property
    def source(self) -> str:
        """The messages that it comes from: the first, and the last that has changed it."""
        return "; ".join(filter(None, (self.begun_by, self.changed_by)))


def stays(events: Iterable[VisitEvent], grace_days: int) -> list[Stay]:
    """The stays that events of one visit, in the order of their arrival, come to."""
    made = _Made(grace_days)
    for event in sorted(events, key=lambda each: each.recorded_at or each.arrived_at):
        made.take(event)
    return [each for each in made.stays if each.organisation]


class _Made:
    """Stays so far; the last one goes on where ``is_open``. One without an organisation is at a place unknown here."""

    def __init__(self, grace_days: int) -> None:
        self.stays: list[Stay] = []
        self._is_open = False
        self._has_left = False
        self._grace = grace_days

    def take(self, event: VisitEvent) -> None:
        match EFFECTS[event.event]:
            case Effect.ENTERS:
                self._enters(event)
            case Effect.LEAVES:
                if not self._is_open and not self.stays:
                    self._begins(event)
                if self._is_open:
                    self._ends(event, self._grace)
                    self._has_left = True
            case Effect.NEVER_CAME:
                if self._is_open:
                    self._ends(replace(event, happened_at=event.arrived_at), 0)
            case Effect.IS_STILL_THERE:
                self._is_still_there(event)

    def _enters(self, event: VisitEvent) -> None:
        if self._is_open and self.stays[-1].organisation == event.organisation:
            return
        if self._is_open:
            self._ends(event, self._grace)
        self._begins(event)

    def _begins(self, event: VisitEvent) -> None:
        self.stays.append(Stay(event.organisation, event.at, "", event.told))
        self._is_open, self._has_left = True, False

    def _ends(self, event: VisitEvent, days: int) -> None:
        last = self.stays[-1]
        ends = max(later(event.at, days), last.begins)
        self.stays[-1] = replace(last, ends=ends, changed_by=event.told)
        self._is_open = False

    def _is_still_there(self, event: VisitEvent) -> None:
        if self._is_open:
            return
        if self._has_left and event.organisation in ("", self.stays[-1].organisation):
            last = self.stays[-1]
            self.stays[-1] = replace(last, ends="", changed_by=event.told)
            self._is_open, self._has_left = True, False
        else:
            self._begins(event)


def later(at: str, days: int) -> str:
    """A time some days later."""
    try:
        return (datetime.strptime(at, _DTM) + timedelta(days=days)).strftime(_DTM).zfill(14)
    except (OverflowError, ValueError):
        return LAST
