"""Walks through the whole trail in its order, a page at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import bindparam, select

from auditing.chain import Checkpoint
from auditing.indexing import Indexed
from auditing.store import checkpoints
from auditing.store.records import the_head
from auditing.store.tables import event, record, term
from common.db import Database, Statement

PAGE: Final = 2_000

_RECORDS: Final = Statement(
    select(record.c.number, record.c.received_at, record.c.raw, record.c.hash)
    .where(record.c.number > bindparam("after"))
    .order_by(record.c.number)
    .limit(PAGE)
)
_FIRST: Final = Statement(select(record.c.number).order_by(record.c.number).limit(1))
_EVENTS: Final = Statement(
    select(
        event.c.number,
        event.c.at,
        event.c.problem,
        event.c.event,
        event.c.action,
        event.c.outcome,
        event.c.source,
        event.c.site,
        event.c.kinds,
    ).where(event.c.number > bindparam("after"), event.c.number <= bindparam("to"))
)
_TERMS: Final = Statement(
    select(term.c.number, term.c.kind, term.c.value, term.c.at).where(
        term.c.number > bindparam("after"), term.c.number <= bindparam("to")
    )
)

_LAST_EVENT: Final = Statement(select(event.c.number).order_by(event.c.number.desc()).limit(1))
_LAST_TERM: Final = Statement(select(term.c.number).order_by(term.c.number.desc()).limit(1))

Walked = tuple[int, int, bytes, bytes]
"""Number, time, bytes and hash of a record."""


def pages(database: Database, after: int | None = None) -> Iterator[Sequence[Walked]]:
    """All records after one, or from the very first; each page is a read of its own."""
    if after is None:
        with database.read() as work:
            first = work.rows(_FIRST)
        after = first[0][0] - 1 if first else 0
    while True:
        with database.read() as work:
            rows: Sequence[Any] = work.rows(_RECORDS, {"after": after})
        if not rows:
            return
        yield rows
        after = rows[-1][0]


def entries(database: Database, after: int, to: int) -> dict[int, tuple[Indexed, frozenset[int]]]:
    """The index of some records as it stands, and at which times their terms stand."""
    with database.read() as work:
        rows = work.rows(_EVENTS, {"after": after, "to": to})
        found = work.rows(_TERMS, {"after": after, "to": to})
    terms: dict[int, set[tuple[str, str]]] = defaultdict(set)
    times: dict[int, set[int]] = defaultdict(set)
    for number, kind, value, at in found:
        terms[number].add((kind, value))
        times[number].add(at)
    made: dict[int, tuple[Indexed, frozenset[int]]] = {}
    for number, *rest in rows:
        entry = Indexed(*rest, frozenset(terms.pop(number, ())))  # type: ignore[call-arg]
        made[number] = (entry, frozenset(times.get(number, ())))
    for number, left in terms.items():  # terms of a record that has no other entry
        made[number] = (Indexed(0, terms=frozenset(left)), frozenset(times[number]))
    return made


def entries_beyond(database: Database) -> int:
    """A number beyond the head of the chain that the index has an entry of; 0 where it has none."""
    with database.read(snapshot=True) as work:
        number, _ = the_head(work)
        found = [row[0] for statement in (_LAST_EVENT, _LAST_TERM) for row in work.rows(statement)]
    return max((each for each in found if each > number), default=0)


def stated(database: Database, after: int = -(2**62)) -> Iterator[Checkpoint]:
    """The checkpoints after a record, in their order."""
    while True:
        with database.read() as work:
            found = checkpoints.after(work, after)
        if not found:
            return
        yield from found
        after = found[-1].number
