"""SQLAlchemy Core statements, compiled once per dialect and then sent straight to the driver.

Building and compiling a statement costs more than the database needs to answer it. A ``Statement``
does that once; what is left per call is binding values. All values are bound, never pasted.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Boolean, ColumnElement, Executable, FunctionElement, LargeBinary
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

Row = tuple[Any, ...]

SEPARATOR = "\x1f"
"""Stands before, between and after the values of an attribute that has several (ASCII unit separator)."""

# Neither a function nor the words after FOR UPDATE and DO UPDATE are tables.
_DOES: Final = re.compile(
    r"\b(INSERT INTO|UPDATE|DELETE FROM|FROM|JOIN)\s+(?!(?:SET|SKIP|OF|NOWAIT)\b)([a-z_][a-z0-9_]*+)(?!\()",
    re.IGNORECASE,
)
_WITH: Final = re.compile(r"\b([a-z_][a-z0-9_]*)(?:\s*\([^()]*\))? AS (?:NOT )?(?:MATERIALIZED )?\(", re.IGNORECASE)
_MOST_NAMED: Final = 4


class Statement:
    """One statement with named parameters; safe to share between threads."""

    __slots__ = ("_by_dialect", "_home", "_name", "clause")

    def __init__(self, clause: Executable) -> None:
        self.clause = clause
        self._home = str(sys._getframe(1).f_globals.get("__name__", "")).rpartition(".")[2]
        self._name = ""
        self._by_dialect: dict[str, tuple[str, tuple[str, ...] | None, dict[str, Any]]] = {}

    def bound(self, dialect: Dialect, values: Mapping[str, Any]) -> tuple[str, Sequence[Any] | Mapping[str, Any]]:
        """The SQL text and its parameters as the driver wants them."""
        found = self._by_dialect.get(dialect.name)
        if found is None:
            found = self._by_dialect[dialect.name] = self._compile(dialect)
        sql, order, literals = found
        named = {**literals, **values} if literals else values
        if order is None:
            return sql, named
        return sql, [named[name] for name in order]

    def name(self, dialect: Dialect) -> str:
        """What it is called in traces and logs: the module it stands in, what it does, and to which tables."""
        if not self._name:
            self._name = f"{self._home}: {summary(self.bound_text(dialect))}"
        return self._name

    def bound_text(self, dialect: Dialect) -> str:
        """The SQL text, with places for values."""
        found = self._by_dialect.get(dialect.name)
        if found is None:
            found = self._by_dialect[dialect.name] = self._compile(dialect)
        return found[0]

    def _compile(self, dialect: Dialect) -> tuple[str, tuple[str, ...] | None, dict[str, Any]]:
        compiled = self.clause.compile(dialect=dialect)  # type: ignore[attr-defined]
        literals = {name: value for name, value in compiled.params.items() if value is not None}
        order = tuple(compiled.positiontup) if compiled.positional else None
        return compiled.string, order, literals


def summary(sql: str) -> str:
    """What a statement does to which tables, such as ``SELECT identifier``."""
    within = set(_WITH.findall(sql))
    found: dict[str, None] = {}
    for verb, table in _DOES.findall(sql):
        if table in within:
            continue
        short = {"FROM": "SELECT", "JOIN": "SELECT"}.get(verb.upper(), verb.split()[0].upper())
        if short == "SELECT" and any(told.endswith(f" {table}") for told in found):
            continue
        found[f"{short} {table}"] = None
    named = list(found)[:_MOST_NAMED]
    more = ["…"] if len(found) > len(named) else []
    return ", ".join(named + more) or sql.split(maxsplit=1)[0].upper()


class matches_any(FunctionElement[bool]):  # noqa: N801 (reads as SQL)
    """Whether one of the separated values of a column is LIKE a pattern that has no escape character."""

    type = Boolean()
    inherit_cache = True
    name = "matches_any"


@compiles(matches_any, "postgresql")
def _matches_any_postgresql(element: FunctionElement[bool], compiler: SQLCompiler, **kw: Any) -> str:
    column, pattern = _two(element)
    return (
        f"EXISTS (SELECT 1 FROM unnest(string_to_array({compiler.process(column, **kw)}, E'\\x1f')) AS one_value "
        f"WHERE one_value <> '' AND one_value LIKE {compiler.process(pattern, **kw)} ESCAPE '')"
    )


@compiles(matches_any)
def _matches_any_default(element: FunctionElement[bool], compiler: SQLCompiler, **kw: Any) -> str:
    column, pattern = _two(element)
    return f"matches_any({compiler.process(column, **kw)}, {compiler.process(pattern, **kw)})"


class value_contains(FunctionElement[bool]):  # noqa: N801 (reads as SQL)
    """Whether the separated values of a column hold exactly this one (given with its separators)."""

    type = Boolean()
    inherit_cache = True
    name = "value_contains"


@compiles(value_contains, "postgresql")
def _contains_postgresql(element: FunctionElement[bool], compiler: SQLCompiler, **kw: Any) -> str:
    column, value = _two(element)
    return f"strpos({compiler.process(column, **kw)}, {compiler.process(value, **kw)}) > 0"


@compiles(value_contains)
def _contains_default(element: FunctionElement[bool], compiler: SQLCompiler, **kw: Any) -> str:
    column, value = _two(element)
    return f"instr({compiler.process(column, **kw)}, {compiler.process(value, **kw)}) > 0"


def _two(element: FunctionElement[bool]) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    clauses: Sequence[ClauseElement] = list(element.clauses)
    return clauses[0], clauses[1]  # type: ignore[return-value]


def like(value: str, pattern: str) -> bool:
    """SQL LIKE without escape, in time proportional to the product of the two lengths at worst.

    The greedy walk remembers the last ``%`` only, so that no pattern makes it slow.
    """
    at = begin = 0
    star, retry = -1, 0
    while at < len(value):
        if begin < len(pattern) and pattern[begin] == "%":
            star, retry = begin, at
            begin += 1
        elif begin < len(pattern) and pattern[begin] in ("_", value[at]):
            at += 1
            begin += 1
        elif star >= 0:
            retry += 1
            at, begin = retry, star + 1
        else:
            return False
    return all(rest == "%" for rest in pattern[begin:])


def sqlite_matches_any(values: str | None, pattern: str | None) -> bool:
    """``matches_any`` for SQLite, whose own LIKE folds case."""
    if values is None or pattern is None:
        return False
    return any(like(value, pattern) for value in values.split(SEPARATOR) if value)


def joined(values: Sequence[str]) -> str | None:
    """Several values in one column; ``None`` for none."""
    return SEPARATOR + SEPARATOR.join(values) + SEPARATOR if values else None


class bytes_replaced(FunctionElement[bytes]):  # noqa: N801
    """A column of UTF-8 bytes in which one text is replaced by another wherever it stands."""

    type = LargeBinary()
    inherit_cache = True
    name = "bytes_replaced"


@compiles(bytes_replaced, "postgresql")
def _replaced_postgresql(element: FunctionElement[bytes], compiler: SQLCompiler, **kw: Any) -> str:
    column, old, new = (compiler.process(each, **kw) for each in element.clauses)
    # As text: the search for bytes that PostgreSQL has is three times as slow.
    return f"convert_to(replace(convert_from({column}, 'UTF8'), {old}, {new}), 'UTF8')"


@compiles(bytes_replaced)
def _replaced_default(element: FunctionElement[bytes], compiler: SQLCompiler, **kw: Any) -> str:
    column, old, new = (compiler.process(each, **kw) for each in element.clauses)
    return f"CAST(replace(CAST({column} AS TEXT), {old}, {new}) AS BLOB)"


class bytes_contain(FunctionElement[bool]):  # noqa: N801
    """Whether a column of UTF-8 bytes holds a text."""

    type = Boolean()
    inherit_cache = True
    name = "bytes_contain"


@compiles(bytes_contain, "postgresql")
def _contain_postgresql(element: FunctionElement[bool], compiler: SQLCompiler, **kw: Any) -> str:
    column, value = (compiler.process(each, **kw) for each in element.clauses)
    return f"position(convert_to({value}, 'UTF8') in {column}) > 0"


@compiles(bytes_contain)
def _contain_default(element: FunctionElement[bool], compiler: SQLCompiler, **kw: Any) -> str:
    column, value = (compiler.process(each, **kw) for each in element.clauses)
    return f"instr({column}, CAST({value} AS BLOB)) > 0"
