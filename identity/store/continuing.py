"""Queries whose answers are taken in portions: whom they found and how far they were answered, for a while."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, delete, select, text, update

from common.db import Statement, Work
from common.outbox.tables import now_ms
from identity.store.tables import query

_KEEP: Final = {
    is_sqlite: Statement(
        text(
            "INSERT INTO pix_query (query, echo, persons, scopes, position, until) "  # noqa: S608 - no value in it
            f"VALUES (:query, :echo, :persons, :scopes, :position, {now} + :ms) "
            "ON CONFLICT (query) DO UPDATE SET echo = excluded.echo, persons = excluded.persons, "
            "scopes = excluded.scopes, position = excluded.position, until = excluded.until"
        )
    )
    for is_sqlite, now in {
        False: "(extract(epoch FROM statement_timestamp()) * 1000)::bigint",
        True: "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
    }.items()
}
_SWEEP: Final = Statement(delete(query).where(query.c.until < now_ms()))
_FIND: Final = Statement(
    select(query.c.echo, query.c.persons, query.c.scopes, query.c.position).where(
        query.c.query == bindparam("b_query"), query.c.until >= now_ms()
    )
)
_ADVANCE: Final = Statement(
    update(query)
    .where(query.c.query == bindparam("b_query"))
    .values(position=bindparam("position"), until=now_ms() + bindparam("b_ms"))
)
_END: Final = Statement(delete(query).where(query.c.query == bindparam("b_query"), query.c.until >= now_ms()))


@dataclass(frozen=True, slots=True)
class Kept:
    """A query as it is kept: queryByParameter, whom it found, which domains' ids it wants, how many were told."""

    echo: bytes
    persons: tuple[str, ...]
    scopes: tuple[str, ...]
    position: int


def keep(work: Work, name: str, kept: Kept, seconds: float) -> None:
    """Keep a query; one of the same name gives way, and those whose time is over go."""
    work.run(_SWEEP)
    values = {"persons": json.dumps(kept.persons), "scopes": json.dumps(kept.scopes), "position": kept.position}
    statement = _KEEP[not work.takes_many_inserts_at_once]
    work.run(statement, {"query": name, "echo": kept.echo, **values, "ms": round(seconds * 1000)})


def find(work: Work, name: str) -> Kept | None:
    """A query whose time is not over."""
    rows = work.rows(_FIND, {"b_query": name})
    if not rows:
        return None
    echo, persons, scopes, position = rows[0]
    return Kept(bytes(echo), tuple(json.loads(persons)), tuple(json.loads(scopes)), int(position))


def advance(work: Work, name: str, position: int, seconds: float) -> None:
    """How many have been told by now; its time begins again."""
    work.run(_ADVANCE, {"b_query": name, "position": position, "b_ms": round(seconds * 1000)})


def end(work: Work, name: str) -> bool:
    """Whether there was such a query, which is forgotten."""
    return work.run(_END, {"b_query": name}) > 0


def names_of(values: Sequence[str]) -> str:
    """The name of a query: who asked, and what they call it."""
    return "|".join(values)
