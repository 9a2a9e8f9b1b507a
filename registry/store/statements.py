"""Statements that name a varying number of values, made once per size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from sqlalchemy import Column, ColumnElement, bindparam, insert
from sqlalchemy.schema import Table

from common.db import Row, Statement, Work

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


def run(work: Work, statement: Callable[[int], Statement], values: Iterable[str], **more: str) -> int:
    """As ``fetch``, for a statement that changes rows; the number of rows changed."""
    ordered = sorted(set(values))
    count = 0
    for start in range(0, len(ordered), CHUNK):
        part = ordered[start : start + CHUNK]
        size = rounded(len(part))
        count += work.run(statement(size), {**bound(part, size), **more})
    return count


@lru_cache
def inserting(table: Table) -> Statement:
    """INSERT of all columns of a table."""
    return Statement(
        insert(table).values({column.name: bindparam(column.name) for column in table.columns}), returns=False
    )
