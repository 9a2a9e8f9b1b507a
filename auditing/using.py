"""Notes in the trail itself that it was read, or that somebody tried."""

from __future__ import annotations

import time
from collections.abc import Callable

from auditing.indexing import indexed
from auditing.own import Attempt, Deed, Use, attempt, deed, message
from auditing.store.records import Kept, Received, append
from common.audit.events import TRAIL_ARCHIVED, Other
from common.db import Database, decided


def note(database: Database, use: Use, trail: str) -> Kept:
    """On disk when this returns; DatabaseError where it could not be, and nothing may be shown then."""
    return _kept(database, lambda: message(use, trail))


def note_attempt(database: Database, kind: Other, tried: Attempt, trail: str) -> Kept:
    """The same of somebody who is not let in."""
    return _kept(database, lambda: attempt(kind, tried, trail))


def note_deed(database: Database, done: Deed, trail: str) -> Kept:
    """That something was archived."""
    return _kept(database, lambda: deed(TRAIL_ARCHIVED, done, trail))


def _kept(database: Database, make: Callable[[], bytes]) -> Kept:
    def once() -> Kept:
        raw = make()
        now = time.time_ns() // 1000
        return append(database, [Received(raw, now, indexed(raw, now))])

    while not (kept := decided(once)).numbers:
        pass  # two in one microsecond, which differ in nothing else: the next one differs in its time
    return kept
