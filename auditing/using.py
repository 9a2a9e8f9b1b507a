"""Notes in the trail itself that it was read."""

from __future__ import annotations

import time

from auditing.indexing import indexed
from auditing.own import Use, message
from auditing.store.records import Kept, Received, append
from common.db import Database, decided


def note(database: Database, use: Use, trail: str) -> Kept:
    """On disk when this returns; DatabaseError where it could not be, and nothing may be shown then."""

    def once() -> Kept:
        raw = message(use, trail)
        now = time.time_ns() // 1000
        return append(database, [Received(raw, now, indexed(raw, now))])

    while not (kept := decided(once)).numbers:
        pass  # two in one microsecond, which differ in nothing else: the next one differs in its time
    return kept
