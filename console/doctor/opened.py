"""Looks at a service's database as far as all have it in common: its disk, whether it is there, and opens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from common.db import Database
from console.doctor.disk import existing, room, syncing
from console.doctor.finding import Findings, fail, warn
from console.failure import Failure

_MIB: Final = 1024 * 1024
_SQLITE: Final = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Place:
    """A database: what findings are about, its URL, what makes it; MiB that its disk needs, and better has."""

    about: str
    url: str
    made_by: str = "portolan serve"
    least: int = 64
    better: int = 1024


def within(
    place: Place, opening: Callable[[], AbstractContextManager[Database]], look: Callable[[Database], Findings]
) -> Findings:
    """What is found of it from outside, and, once it is open, by ``look``."""
    if place.url.startswith(_SQLITE):
        file = Path(place.url.removeprefix(_SQLITE))
        yield from room(place.about, file.parent, least=place.least * _MIB, better=place.better * _MIB)
        yield from syncing(place.about, file.parent, shared_memory=True)
        if not file.exists():
            # Looking must not make a database.
            made = f"`{place.made_by}` or `portolan migrate` makes it, in {existing(file.parent)}."
            yield warn(place.about, f"{file} is not there yet", made)
            return
    try:
        with opening() as opened:
            yield from look(opened)
    except Failure as failure:
        told, advice = failure.message.splitlines()
        yield fail(place.about, told, advice)
