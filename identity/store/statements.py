"""Statements about several identifiers or persons at once, in portions of a few sizes, so that few are compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, and_, bindparam, or_

from common.db import Row, Statement, Work
from identity.rules.identifiers import Key
from identity.store.tables import identifier

_SIZES: Final = (1, 2, 4, 16, 64)
Item = TypeVar("Item")


def portions(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Items in portions of the sizes above, the last filled up with itself."""
    rest = list(dict.fromkeys(items))
    while rest:
        taken, rest = rest[: _SIZES[-1]], rest[_SIZES[-1] :]
        size = next(size for size in _SIZES if size >= len(taken))
        yield taken + taken[-1:] * (size - len(taken))


def is_one_of_keys(size: int) -> ColumnElement[bool]:
    """Whether an identifier is one of these."""
    c = identifier.c
    return or_(*(and_(c.root == bindparam(f"b_root{n}"), c.extension == bindparam(f"b_ext{n}")) for n in range(size)))


def is_one_of(column: ColumnElement[str], size: int) -> ColumnElement[bool]:
    """Whether a column is one of these values."""
    return column.in_([bindparam(f"b_value{number}") for number in range(size)])


def bound_keys(keys: list[Key]) -> dict[str, Any]:
    """The values of ``is_one_of_keys``."""
    named = {f"b_root{number}": key.root for number, key in enumerate(keys)}
    return named | {f"b_ext{number}": key.extension for number, key in enumerate(keys)}


def bound(values: list[str]) -> dict[str, Any]:
    """The values of ``is_one_of``."""
    return {f"b_value{number}": value for number, value in enumerate(values)}


Made = Callable[[int], Statement]


def made(make: Made) -> Made:
    """A maker of statements that remembers them by their size."""
    return lru_cache(maxsize=len(_SIZES))(make)


def rows_of_keys(work: Work, make: Made, keys: Iterable[Key]) -> list[Row]:
    """The rows of a statement over identifiers."""
    return [row for portion in portions(keys) for row in work.rows(make(len(portion)), bound_keys(portion))]


def rows_of(work: Work, make: Made, values: Iterable[str]) -> list[Row]:
    """The rows of a statement over values of one column."""
    return [row for portion in portions(values) for row in work.rows(make(len(portion)), bound(portion))]
