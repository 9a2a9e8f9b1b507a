"""Statements that name a varying number of values, made once per size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import CTE, Column, ColumnElement, Text, bindparam, case, cast, insert, select
from sqlalchemy.schema import Table

from common.db import Row, Statement, Work
from registry.store.tables import patient, submission_set

CHUNK = 256


def among(column: Column[str], size: int, name: str = "v") -> ColumnElement[bool]:
    """``column`` is one of ``size`` values, bound as ``v0``, ``v1`` …"""
    if size == 1:
        return column == bindparam(f"{name}0")
    return column.in_([bindparam(f"{name}{number}") for number in range(size)])


def bound(values: Sequence[str], size: int, name: str = "v") -> dict[str, str]:
    """Values for ``among``; the last one is repeated to fill up."""
    return {f"{name}{number}": values[min(number, len(values) - 1)] for number in range(size)}


def rounded(count: int) -> int:
    """The next power of two, so that few distinct statements are ever made."""
    return 1 << (count - 1).bit_length() if count > 1 else 1


def fetch(work: Work, statement: Callable[[int], Statement], values: Iterable[str]) -> list[Row]:
    """The rows of a statement made for sizes, asked in portions; values in order against deadlocks."""
    ordered = sorted(set(values))
    found: list[Row] = []
    for start in range(0, len(ordered), CHUNK):
        part = ordered[start : start + CHUNK]
        size = rounded(len(part))
        found += work.rows(statement(size), bound(part, size))
    return found


def run(work: Work, statement: Callable[[int], Statement], values: Iterable[str], **more: Any) -> int:
    """As ``fetch``, for a statement that changes rows; the number of rows changed."""
    ordered = sorted(set(values))
    count = 0
    for start in range(0, len(ordered), CHUNK):
        part = ordered[start : start + CHUNK]
        size = rounded(len(part))
        count += work.run(statement(size), {**bound(part, size), **more})
    return count


Rows = Sequence[Mapping[str, Any]]
MOST_AT_ONCE = 40
"""Rows that one statement inserts; a submission with more is inserted table by table."""


@dataclass(frozen=True, slots=True)
class Guard:
    """The patient for whom rows are inserted, so that no merge comes in between; whether the patient has a row."""

    patient_id: str
    has_row: bool


def insert_all(work: Work, batches: Sequence[tuple[Table, Rows]], guard: Guard) -> None:
    """Insert rows into several tables: in one round trip where the database has statements for that.

    That one statement guards itself: it holds the patient's row, or makes it, and fails with Conflict where the
    patient was merged away meanwhile. Whoever inserts table by table has to hold the patient before.
    """
    filled = [(table, rows) for table, rows in batches if rows]
    if work.takes_many_inserts_at_once and sum(len(rows) for _, rows in filled) <= MOST_AT_ONCE:
        values = {
            f"{table.name}_{number}_{name}": value
            for table, rows in filled
            for number, row in enumerate(rows)
            for name, value in row.items()
        }
        values["guarded"] = guard.patient_id
        shape = tuple((table, len(rows)) for table, rows in filled)
        work.run(_inserting_all(shape, guard.has_row), values)
        return
    for table, rows in filled:
        work.run_each(_inserting(table), rows)


def _inserted(table: Table) -> list[Column[Any]]:
    """The columns of a new row; what a merge notes later is not there yet."""
    return [column for column in table.columns if column.name != "filed_under"]


@lru_cache
def _inserting(table: Table) -> Statement:
    """INSERT of a whole row of a table."""
    return Statement(insert(table).values({column.name: bindparam(column.name) for column in _inserted(table)}))


@lru_cache(maxsize=256)
def _inserting_all(shape: tuple[tuple[Table, int], ...], has_row: bool) -> Statement:
    """INSERT of so many rows into each of several tables, as one statement with common table expressions."""
    guard: ColumnElement[Any] | None = None
    guarding: list[CTE] = []
    if has_row:
        # A merge holds this row alone until it has committed. Whoever waited for that sees where the patient went,
        # puts NULL where the patient id has to be, and so undoes all of it.
        held = (
            select(patient.c.merged_into)
            .where(patient.c.patient_id == bindparam("guarded"))
            .with_for_update(read=True)
            .cte("held")
        )
        kept = case((held.c.merged_into.is_(None), cast(bindparam("guarded"), Text)))
        guard = select(kept).select_from(held).scalar_subquery()
    else:
        # A merge of a patient without a row makes one first: whoever comes second fails on its key.
        guarding = [insert(patient).values(patient_id=bindparam("guarded")).cte("into_patient")]
    inserts = [insert(table).values(_placed(table, count, guard)) for table, count in shape]
    last = inserts[-1]
    others = [each.cte(f"into_{table.name}") for each, (table, _) in zip(inserts[:-1], shape[:-1], strict=True)]
    return Statement(last.add_cte(*guarding, *others))


def _placed(table: Table, count: int, guard: ColumnElement[Any] | None) -> list[dict[str, ColumnElement[Any]]]:
    made: list[dict[str, ColumnElement[Any]]] = [
        {
            column.name: bindparam(f"{table.name}_{number}_{column.name}", type_=column.type)
            for column in _inserted(table)
        }
        for number in range(count)
    ]
    if guard is not None and table is submission_set:
        for row in made:
            row["patient_id"] = guard
    return made
