"""Finds records, a page at a time in the order of their events; newest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, func, or_, select, tuple_

from auditing.search import Wanted
from auditing.store.tables import event, record, term
from common.db import Database, Statement, Work

PAGE: Final = 500
_BAR: Final = "|"
_AFTER_BAR: Final = "}"  # the next character after the bar: what begins with `id|` lies between


@dataclass(frozen=True, slots=True)
class Found:
    """A record as it came."""

    number: int
    at: int
    received_at: int
    raw: bytes = field(repr=False)


Place = tuple[int, int]
"""Where a page ended: time and number of its last record."""


def page(work: Work, wanted: Wanted, before: Place | None = None, most: int = PAGE) -> list[Found]:
    """The newest ones before a place."""
    statement, values = _asked(wanted, before, most)
    rows = work.rows(statement, values)
    return [Found(number, at, received, bytes(raw)) for number, at, received, raw in rows]


def search(database: Database, wanted: Wanted, most: int | None = None) -> Iterator[Found]:
    """All of them, or so many at most; streamed."""
    before: Place | None = None
    left = most
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        with database.read() as work:
            found = page(work, wanted, before, size)
        yield from found
        if len(found) < size:
            return
        before = (found[-1].at, found[-1].number)
        left = None if left is None else left - len(found)


def one(work: Work, number: int) -> Found | None:
    """The record of a number."""
    rows = work.rows(_ONE, {"number": number})
    return Found(rows[0][0], rows[0][1], rows[0][2], bytes(rows[0][3])) if rows else None


# A record is shown also where the index has lost it.
_ONE: Final = Statement(
    select(record.c.number, func.coalesce(event.c.at, record.c.received_at), record.c.received_at, record.c.raw)
    .select_from(record.outerjoin(event, event.c.number == record.c.number))
    .where(record.c.number == bindparam("number"))
)


def _asked(wanted: Wanted, before: Place | None, most: int) -> tuple[Statement, Mapping[str, Any]]:
    """The statement; of one kind of term the newest are read in the order of its own index."""
    values: dict[str, Any] = {}

    def bound(value: Any) -> Any:
        name = f"v{len(values)}"
        values[name] = value
        return bindparam(name)

    query: Select[Any] = select(event.c.number, event.c.at, record.c.received_at, record.c.raw)
    query = query.join_from(event, record, record.c.number == event.c.number)
    for kind, any_of in wanted.terms:
        places = [(each, value) for value in any_of for each in _KINDS.get(kind, (kind,))]
        matches = [and_(term.c.kind == bound(each), _is(_form(each, value), bound)) for each, value in places]
        query = query.where(exists(select(term.c.number).where(term.c.number == event.c.number, or_(*matches))))
    if wanted.transactions:
        query = query.where(
            or_(
                *(event.c.event == bound(code) for code in wanted.transactions),
                exists(
                    select(term.c.number).where(
                        term.c.number == event.c.number,
                        term.c.kind == bound("type"),
                        or_(*(term.c.value == bound(code) for code in wanted.transactions)),
                    )
                ),
            )
        )
    for condition in _conditions(wanted, before, bound):
        query = query.where(condition)
    query = query.order_by(event.c.at.desc(), event.c.number.desc()).limit(bound(most))
    return Statement(query), values


_KINDS: Final = {"entity": ("object", "patient")}
"""What is asked for by one name and stands under several."""


def _form(kind: str, value: str) -> str:
    return value if kind != "patient" or _BAR in value else f"{value}{_BAR}"


def _is(value: str, bound: Any) -> ColumnElement[bool]:
    if value.endswith(_BAR):
        return and_(term.c.value >= bound(value), term.c.value < bound(value[:-1] + _AFTER_BAR))
    found: ColumnElement[bool] = term.c.value == bound(value)
    return found


def _conditions(wanted: Wanted, before: Place | None, bound: Any) -> Iterator[ColumnElement[bool]]:
    if wanted.since is not None:
        yield event.c.at >= bound(wanted.since)
    if wanted.until is not None:
        yield event.c.at < bound(wanted.until)
    if before is not None:
        yield tuple_(event.c.at, event.c.number) < tuple_(bound(before[0]), bound(before[1]))
    chosen: tuple[tuple[ColumnElement[Any], tuple[Any, ...]], ...] = (
        (event.c.event, wanted.events),
        (event.c.action, wanted.actions),
        (event.c.outcome, wanted.outcomes),
        (event.c.source, wanted.sources),
    )
    for column, any_of in chosen:
        if any_of:
            yield or_(*(column == bound(value) for value in any_of))
    for form, any_of in (("% {}/%", wanted.object_types), ("%/{} %", wanted.object_roles)):
        if any_of:
            yield or_(*(event.c.kinds.like(bound(form.format(value))) for value in any_of))
    if wanted.unreadable:
        yield event.c.problem != bound("")
