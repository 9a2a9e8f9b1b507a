"""What to look for in the trail, as plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to find; times are microseconds since 1970, ``since`` counted in and ``until`` not.

    ``terms`` are pairs of a kind and its values, any of which will do; a value that ends in a bar is of any authority.
    """

    terms: tuple[tuple[str, tuple[str, ...]], ...] = ()
    since: int | None = None
    until: int | None = None
    transactions: tuple[str, ...] = ()
    """Codes of an event's type, or of the event itself."""
    events: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    outcomes: tuple[int, ...] = ()
    sources: tuple[str, ...] = ()
    object_types: tuple[str, ...] = ()
    object_roles: tuple[str, ...] = ()
    unreadable: bool = False
