"""Adds records to the chain: one group, one transaction, one holder of its head at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import any_, bindparam, insert, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA

from auditing.chain import link
from auditing.indexing import Indexed
from auditing.store.tables import event, head, record, term
from common.db import Database, Statement, Work
from common.faults import checkpoint

TRAIL: Final = "trail"

_HEAD: Final = Statement(select(head.c.number, head.c.hash).where(head.c.name == TRAIL))
_HOLD: Final = Statement(select(head.c.number, head.c.hash).where(head.c.name == TRAIL).with_for_update())
_MOVE: Final = Statement(
    update(head).where(head.c.name == TRAIL).values(number=bindparam("new_number"), hash=bindparam("new_hash"))
)
_ANY: Final = any_(bindparam("digests", type_=ARRAY(BYTEA)))
_KNOWN: Final = Statement(select(record.c.digest).where(record.c.digest == _ANY))
_IS_KNOWN: Final = Statement(select(record.c.number).where(record.c.digest == bindparam("digest")))
_RECORD: Final = Statement(insert(record))
_EVENT: Final = Statement(insert(event))
_TERM: Final = Statement(insert(term))


def _of_arrays(table: str, columns: dict[str, str]) -> Statement:
    """All rows by one statement that is given a column at a time: an eighth of the time of as many statements."""
    arrays = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in columns.items())
    return Statement(text(f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({arrays})"))  # noqa: S608


_RECORDS: Final = _of_arrays(
    "arr_record", {"number": "bigint", "received_at": "bigint", "raw": "bytea", "digest": "bytea", "hash": "bytea"}
)
_EVENTS: Final = _of_arrays(
    "arr_event",
    {
        "number": "bigint",
        "at": "bigint",
        "problem": "text",
        "event": "text",
        "action": "text",
        "outcome": "smallint",
        "source": "text",
        "site": "text",
        "kinds": "text",
    },
)
_TERMS: Final = _of_arrays("arr_term", {"kind": "text", "value": "text", "at": "bigint", "number": "bigint"})


@dataclass(frozen=True, slots=True)
class Received:
    """A syslog message as it came, and what it is found by; the time is in microseconds since 1970."""

    raw: bytes
    at: int
    index: Indexed

    @property
    def digest(self) -> bytes:
        """What a message that comes again is known by."""
        return hashlib.sha256(self.raw).digest()


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a group: the numbers that records were given, and how many had been there before."""

    numbers: tuple[int, ...]
    known: int


def the_head(work: Work) -> tuple[int, bytes]:
    """Number and hash of the last record."""
    found = work.rows(_HEAD)
    return (found[0][0], bytes(found[0][1])) if found else (0, b"")


def append(database: Database, group: Sequence[Received]) -> Kept:
    """Add records in their order, those that are there already left out; on disk when this returns."""
    with database.write() as work:
        [(number, hashed)] = work.rows(_HEAD if database.is_sqlite else _HOLD)
        new = _new(work, group)
        if not new:
            return Kept((), len(group))
        rows, last = _chained(new, number, bytes(hashed))
        _insert(work, _RECORD, _RECORDS, rows)
        numbered = [(row["number"], each) for row, each in zip(rows, new.values(), strict=True)]
        _insert(work, _EVENT, _EVENTS, [_event_row(each.index, at) for at, each in numbered])
        _insert(work, _TERM, _TERMS, [row for at, each in numbered for row in _term_rows(each.index, at)])
        work.run(_MOVE, {"new_number": number + len(rows), "new_hash": last})
        checkpoint("trail.written")
        work.commit()
    return Kept(tuple(row["number"] for row in rows), len(group) - len(rows))


def _new(work: Work, group: Sequence[Received]) -> dict[bytes, Received]:
    """By digest, those of which no equal is in the trail; nobody can add one meanwhile."""
    found: dict[bytes, Received] = {}
    for each in group:
        found.setdefault(each.digest, each)
    if work.takes_many_inserts_at_once:
        known = {bytes(row[0]) for row in work.rows(_KNOWN, {"digests": list(found)})}
    else:
        known = {digest for digest in found if work.rows(_IS_KNOWN, {"digest": digest})}
    return {digest: each for digest, each in found.items() if digest not in known}


def _chained(new: dict[bytes, Received], number: int, hashed: bytes) -> tuple[list[dict[str, Any]], bytes]:
    rows = []
    for digest, each in new.items():
        number += 1
        hashed = link(hashed, number, each.at, each.raw)
        rows.append({"number": number, "received_at": each.at, "raw": each.raw, "digest": digest, "hash": hashed})
    return rows, hashed


def _insert(work: Work, one: Statement, many: Statement, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    if work.takes_many_inserts_at_once:
        work.run(many, {name: [row[name] for row in rows] for name in rows[0]})
    else:
        work.run_each(one, rows)


def _event_row(index: Indexed, number: int) -> dict[str, Any]:
    return {
        "number": number,
        "at": index.at,
        "problem": index.problem,
        "event": index.event,
        "action": index.action,
        "outcome": index.outcome,
        "source": index.source,
        "site": index.site,
        "kinds": index.kinds,
    }


def _term_rows(index: Indexed, number: int) -> list[dict[str, Any]]:
    return [{"kind": kind, "value": value, "at": index.at, "number": number} for kind, value in sorted(index.terms)]
