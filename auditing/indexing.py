"""What a record is found by: a row of the index, and its terms, all from the record's own bytes and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from auditing.event import Event
from auditing.reading import Unreadable, read_event, terms

_LONGEST: Final = 500
_MOST_TERMS: Final = 2_000
_OUTCOMES: Final = frozenset(("0", "4", "8", "12"))


@dataclass(frozen=True, slots=True)
class Indexed:
    """One record's entry; ``at`` is the event's time, ``problem`` why the record cannot be read."""

    at: int
    problem: str = ""
    event: str = ""
    action: str = ""
    outcome: int = -1
    source: str = ""
    site: str = ""
    kinds: str = ""
    terms: frozenset[tuple[str, str]] = field(default_factory=frozenset)


def indexed(raw: bytes, received_at: int) -> Indexed:
    """The entry of a record; one that cannot be read is found by when it came."""
    try:
        return of_event(read_event(raw), received_at)
    except Unreadable as error:
        return Indexed(received_at, _bounded(str(error)))


def of_event(event: Event, received_at: int) -> Indexed:
    """The entry of a record that was read."""
    kinds = dict.fromkeys(f"{each.type}/{each.role}" for each in event.objects[:_MOST_TERMS])
    found = {(kind, _bounded(value)) for kind, value in terms(event) if value}
    return Indexed(
        at=received_at if event.at is None else event.at,
        event=_bounded(event.id.code),
        action=_bounded(event.action),
        outcome=int(event.outcome) if event.outcome in _OUTCOMES else -1,
        source=_bounded(event.source),
        site=_bounded(event.site),
        kinds=_bounded(" " + " ".join(kinds) + " ") if kinds else "",
        terms=frozenset(sorted(found)[:_MOST_TERMS]),
    )


def _bounded(text: str) -> str:
    """As much as an index takes."""
    return text[:_LONGEST]
