"""Taking a wrong link apart, by an administrator: one identifier becomes a person's of its own.

The feeds' standards know no such message. It lasts until a feed tells of both together again, so the source has to be
put right first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from common.clock import utc_now
from common.db import Database, decided
from common.faults import checkpoint
from identity.rules.identifiers import Key
from identity.store import conflicts, finding
from identity.store import linking as store

log = logging.getLogger("portolan.identity")

_KIND: Final = "separated"


class NotSeparated(Exception):  # noqa: N818
    """Why an identifier stays where it is; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Separated:
    """What came of it: the identifiers that left, the first of them the one that was named, and those that stayed."""

    left: tuple[Key, ...]
    stayed: tuple[Key, ...]


def separate(
    database: Database,
    key: Key,
    *,
    by: str,
    reason: str,
    now: Callable[[], str] = utc_now,
    new_name: Callable[[], str] = lambda: uuid4().hex,
) -> Separated:
    """Make an identifier, with those that were merged into it, a person of its own; it is kept who said so and why.

    Raises NotSeparated for one that no feed has told of, that was merged into another, or that stands alone.
    """
    done = decided(lambda: _separated(database, key, f"{by}: {reason}", now(), new_name()))
    log.info("took identifiers apart")
    return done


def _separated(database: Database, key: Key, why: str, now: str, name: str) -> Separated:
    with database.write() as work:
        found = store.known(work, [key])
        if key not in found.persons:
            raise NotSeparated("no feed has told of it")
        if key in found.survivors:
            raise NotSeparated(f"it was merged into {found.survivors[key].cx()}, which may be taken apart instead")
        owner = found.persons[key]
        [person] = finding.persons(work, [owner])
        stays = tuple(each for each in person.keys if each != key)
        if not stays:
            raise NotSeparated("it is the only id of its person")
        store.new_person(work, name)
        store.move_one(work, key, owner, name)
        kept = conflicts.keep(work, _KIND, (key, *stays), why, "", now)
        conflicts.settle(work, kept, now)
        checkpoint("identity.separated")
        work.commit()
    merged = tuple(each for each, survivor in person.subsumed.items() if survivor == key)
    return Separated((key, *merged), stays)
