"""What feeds said that cannot be, for an administrator to look into: each once, however often it was said."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, select, text, update

from common.db import Statement, Work
from identity.rules.identifiers import Key
from identity.store.tables import conflict

_KEEP: Final = Statement(
    text(
        "INSERT INTO pix_conflict (conflict, kind, identifiers, reason, message_id, first_at, last_at, times) "
        "VALUES (:conflict, :kind, :identifiers, :reason, :message_id, :first_at, :first_at, 1) "
        "ON CONFLICT (conflict) DO UPDATE SET last_at = excluded.last_at, message_id = excluded.message_id, "
        "times = pix_conflict.times + 1, settled_at = NULL"
    )
)
_columns = tuple(conflict.c)
_OPEN: Final = Statement(select(*_columns).where(conflict.c.settled_at.is_(None)).order_by(conflict.c.first_at))
_ALL: Final = Statement(select(*_columns).order_by(conflict.c.first_at))
_SETTLE: Final = Statement(
    update(conflict)
    .where(conflict.c.conflict == bindparam("b_conflict"), conflict.c.settled_at.is_(None))
    .values(settled_at=bindparam("now"))
)


@dataclass(frozen=True, slots=True)
class Conflict:
    """One of them; ``identifiers`` are CX."""

    name: str
    kind: str
    identifiers: tuple[str, ...]
    reason: str
    message_id: str
    first_at: str
    last_at: str
    times: int
    settled_at: str | None


def keep(work: Work, kind: str, keys: Sequence[Key], reason: str, message_id: str, now: str) -> str:
    """Note a conflict, and return its name; one that was settled and comes again is open again."""
    names = sorted({key.cx() for key in keys})
    name = hashlib.sha256(json.dumps([kind, *names]).encode()).hexdigest()[:12]
    values = {"kind": kind, "identifiers": json.dumps(names), "reason": reason, "message_id": message_id}
    work.run(_KEEP, {"conflict": name, **values, "first_at": now})
    return name


def conflicts(work: Work, *, settled: bool = False) -> list[Conflict]:
    """Those that are open, or all."""
    rows = work.rows(_ALL if settled else _OPEN)
    return [Conflict(row[0], row[1], tuple(json.loads(row[2])), *row[3:]) for row in rows]


def settle(work: Work, name: str, now: str) -> bool:
    """Whether there was one, which an administrator has dealt with."""
    return work.run(_SETTLE, {"b_conflict": name, "now": now}) > 0
