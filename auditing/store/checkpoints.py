"""Checkpoints in the database."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import bindparam, insert, select

from auditing.chain import Checkpoint
from auditing.store.tables import checkpoint
from common.db import Conflict, Database, Statement, Work

_COLUMNS: Final = (
    checkpoint.c.number,
    checkpoint.c.hash,
    checkpoint.c.at,
    checkpoint.c.key,
    checkpoint.c.signature,
)
_LAST: Final = Statement(select(*_COLUMNS).order_by(checkpoint.c.number.desc()).limit(1))
_AFTER: Final = Statement(
    select(*_COLUMNS).where(checkpoint.c.number > bindparam("after")).order_by(checkpoint.c.number).limit(1_000)
)
_INSERT: Final = Statement(insert(checkpoint))


def last(work: Work) -> Checkpoint | None:
    """The newest one."""
    found = work.rows(_LAST)
    return _made(found[0]) if found else None


def after(work: Work, number: int) -> list[Checkpoint]:
    """Those after a record, a thousand at most, in their order."""
    return [_made(row) for row in work.rows(_AFTER, {"after": number})]


def add(database: Database, point: Checkpoint) -> bool:
    """Keep one; False where another process was first."""
    row = {
        "number": point.number,
        "hash": point.hash,
        "at": point.at,
        "key": point.key,
        "signature": point.signature,
    }
    try:
        with database.write() as work:
            work.run(_INSERT, row)
            work.commit()
    except Conflict:
        return False
    return True


def _made(row: tuple[Any, ...]) -> Checkpoint:
    number, hashed, at, key, signature = row
    return Checkpoint(number, bytes(hashed), at, key, bytes(signature))
