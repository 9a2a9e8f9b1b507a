"""What was taken out of the trail, and taking it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, delete, func, insert, select

from auditing.archive import Stretch
from auditing.chain import GENESIS
from auditing.store.tables import archive, event, record, term
from common.db import Database, Statement, Work
from common.faults import checkpoint

AT_ONCE: Final = 2_000
"""Records that go in one transaction, while nobody else can write to SQLite."""

_ALL: Final = Statement(
    select(archive.c.first, archive.c.number, archive.c.hash, archive.c.at, archive.c.file, archive.c.sha256).order_by(
        archive.c.number
    )
)
_INSERT: Final = Statement(insert(archive))
_SINCE: Final = Statement(select(func.min(record.c.number)).where(record.c.received_at >= bindparam("at")))
_TABLES: Final = (term, event, record)
_OLDEST: Final = tuple(Statement(select(func.min(table.c.number))) for table in _TABLES)
_DELETE: Final = tuple(
    Statement(delete(table).where(table.c.number > bindparam("after"), table.c.number <= bindparam("to")))
    for table in _TABLES
)


@dataclass(frozen=True, slots=True)
class Archive:
    """A stretch that is in a file; ``at`` is when it was put there, in microseconds since 1970."""

    first: int
    last: int
    hash: bytes
    at: int
    file: str
    sha256: str


def known(work: Work) -> list[Archive]:
    """Those that there are, in their order."""
    return [Archive(first, last, bytes(hashed), *rest) for first, last, hashed, *rest in work.rows(_ALL)]


def end(archives: list[Archive]) -> tuple[int, bytes]:
    """The last record that is archived, and its hash; where none is, what is before the first."""
    return (archives[-1].last, archives[-1].hash) if archives else (0, GENESIS)


def before(work: Work, at: int) -> int | None:
    """The last record of those that all came before a time; None where all that are there did."""
    found = work.rows(_SINCE, {"at": at})[0][0]
    return None if found is None else int(found) - 1


def oldest(work: Work) -> int | None:
    """The lowest number of anything that is there."""
    found = [number for statement in _OLDEST for (number,) in work.rows(statement) if number is not None]
    return min(found, default=None)


def keep(database: Database, stretch: Stretch, at: int, sha256: str) -> None:
    """From now on these records may go; Conflict where somebody else was first."""
    row = {
        "number": stretch.last,
        "first": stretch.first,
        "hash": stretch.hash,
        "at": at,
        "file": stretch.file,
        "sha256": sha256,
    }
    with database.write() as work:
        work.run(_INSERT, row)
        checkpoint("trail.archived")
        work.commit()


def take_out(database: Database) -> int:
    """Delete what is archived, a part at a time, also what an earlier run left; how many records went."""
    with database.read() as work:
        last, _ = end(known(work))
        at = oldest(work)
    gone = 0
    at = last if at is None else at - 1
    while at < last:
        to = min(at + AT_ONCE, last)
        with database.write() as work:
            counts = [work.run(statement, {"after": at, "to": to}) for statement in _DELETE]
            checkpoint("trail.taken")
            work.commit()
        gone, at = gone + counts[-1], to
    return gone
