"""Persons looked up by an identifier, or searched for by what was told of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, or_, select, tuple_

from common.db import Row, Statement, Work
from common.demographics import UNKNOWN, Demographics
from identity.rules.identifiers import Key
from identity.store.statements import is_one_of, made, rows_of
from identity.store.tables import demographics, identifier, searched
from identity.store.telling import read

_c = identifier.c
_OWNER: Final = Statement(
    select(_c.person).where(_c.root == bindparam("b_root"), _c.extension == bindparam("b_extension"))
)
_HAS_ROOT: Final = Statement(select(_c.root).where(_c.root == bindparam("b_root")).limit(1))
_identifiers = made(
    lambda size: Statement(
        select(_c.person, _c.root, _c.extension, _c.merged_into_root, _c.merged_into_extension)
        .where(is_one_of(_c.person, size))
        .order_by(_c.national.desc(), _c.root, _c.extension)
    )
)
_told = made(
    lambda size: Statement(
        select(_c.person, _c.root, _c.extension, demographics.c.content)
        .join_from(
            identifier,
            demographics,
            and_(_c.root == demographics.c.root, _c.extension == demographics.c.extension),
        )
        .where(is_one_of(_c.person, size), _c.merged_into_root.is_(None))
        .order_by(demographics.c.told_at, _c.root, _c.extension)
    )
)


@dataclass(frozen=True, slots=True)
class Person:
    """Current identifiers, the subsumed ones with their survivors, and what each authority told last."""

    name: str
    keys: tuple[Key, ...]
    subsumed: dict[Key, Key] = field(default_factory=dict)
    told: dict[Key, Demographics] = field(default_factory=dict)

    @property
    def latest(self) -> Demographics:
        """What was told last by anybody."""
        return next(reversed(self.told.values()), UNKNOWN)


def owner(work: Work, key: Key) -> str | None:
    """The person of an identifier, current or subsumed."""
    rows = work.rows(_OWNER, {"b_root": key.root, "b_extension": key.extension})
    return rows[0][0] if rows else None


def has_root(work: Work, root: str) -> bool:
    """Whether any identifier is of an authority."""
    return bool(work.rows(_HAS_ROOT, {"b_root": root}))


def persons(work: Work, names: Iterable[str]) -> list[Person]:
    """Persons by name, in that order; those that joined another meanwhile are left out."""
    wanted = list(dict.fromkeys(names))
    by_person: dict[str, list[Row]] = {}
    for row in _unique(rows_of(work, _identifiers, wanted)):
        by_person.setdefault(row[0], []).append(row)
    told: dict[str, dict[Key, Demographics]] = {}
    for row in _unique(rows_of(work, _told, wanted)):
        told.setdefault(row[0], {})[Key(row[1], row[2])] = read(row[3])
    return [_person(name, by_person[name], told.get(name, {})) for name in wanted if name in by_person]


def _unique(rows: list[Row]) -> list[Row]:
    return list(dict.fromkeys(tuple(row) for row in rows))


def _person(name: str, rows: Sequence[Row], told: dict[Key, Demographics]) -> Person:
    current = tuple(Key(row[1], row[2]) for row in rows if row[3] is None)
    subsumed = {Key(row[1], row[2]): Key(row[3], row[4]) for row in rows if row[3] is not None}
    return Person(name, current, subsumed, told)


@dataclass(frozen=True, slots=True)
class Criterion:
    """One value that is searched for; several of one ``group`` are alternatives, and groups must all match.

    ``how`` names a row of the table below.
    """

    group: str
    how: str
    one: str
    two: str = ""


def _value(kind: str, *more: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether what was told of an identifier has such a value; found by the value, which few have."""
    having = select(searched.c.root, searched.c.extension).where(searched.c.kind == kind, *more)
    return tuple_(demographics.c.root, demographics.c.extension).in_(having)


def _starts(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Whether a text begins with another: a range of an index; no pattern, so that nothing in it has a meaning."""
    return and_(column >= bindparam(f"{name}"), column < bindparam(f"{name}_end"))


def _clause(how: str, number: int) -> ColumnElement[bool]:
    one, two = f"c{number}_one", f"c{number}_two"
    match how:
        case "name":  # the first of the given names, or the first few
            given = or_(searched.c.two == bindparam(two), _starts(searched.c.two, f"{two}_word"))
            return _value("name", searched.c.one == bindparam(one), given)
        case "family":
            return _value("name", searched.c.one == bindparam(one))
        case "given":
            given = or_(searched.c.two == bindparam(two), _starts(searched.c.two, f"{two}_word"))
            return _value("name", given)
        case "name-prefix":
            return _value("name", _starts(searched.c.one, one), _starts(searched.c.two, two))
        case "birth":
            return _starts(demographics.c.birth, one)
        case "birth-between":
            return and_(demographics.c.birth >= bindparam(one), demographics.c.birth <= bindparam(two))
        case "sex":
            return demographics.c.sex == bindparam(one)
        case "id":
            other = identifier.alias(f"other{number}")
            this = and_(other.c.root == bindparam(one), other.c.extension == bindparam(two))
            return _c.person.in_(select(other.c.person).where(this))
        case _:
            return _value(how, searched.c.one == bindparam(one))


def _bound(criterion: Criterion, number: int) -> dict[str, Any]:
    values = {f"c{number}_one": criterion.one, f"c{number}_two": criterion.two}
    for name, value in list(values.items()):
        values[f"{name}_end"] = value + _LAST
        values[f"{name}_word"], values[f"{name}_word_end"] = f"{value} ", f"{value} {_LAST}"
    return values


_LAST: Final = "\U0010ffff"


@lru_cache(maxsize=256)
def _search(shape: tuple[tuple[str, str], ...], in_domains: int) -> Statement:
    """A statement for criteria of one shape; compiled once, with all values bound."""
    groups: dict[str, list[ColumnElement[bool]]] = {}
    for number, (group, how) in enumerate(shape):
        groups.setdefault(group, []).append(_clause(how, number))
    clauses = [or_(*each) for each in groups.values()]
    found: Select[Any] = select(_c.person).distinct()
    if all(how == "id" for _, how in shape):
        found = found.where(_c.merged_into_root.is_(None), *clauses)
    else:
        of_this = and_(_c.root == demographics.c.root, _c.extension == demographics.c.extension)
        found = found.join_from(demographics, identifier, of_this).where(_c.merged_into_root.is_(None), *clauses)
    if in_domains:
        scoped = identifier.alias("scoped")
        same = and_(scoped.c.person == _c.person, scoped.c.merged_into_root.is_(None))
        found = found.where(exists(select(scoped.c.person).where(same, is_one_of(scoped.c.root, in_domains))))
    return Statement(found.order_by(_c.person).limit(bindparam("b_most")))


def search(work: Work, criteria: Sequence[Criterion], domains: Sequence[str], most: int) -> list[str]:
    """Persons of whom one authority told all that is asked for, in a stable order; no more than ``most``."""
    statement = _search(tuple((each.group, each.how) for each in criteria), len(domains))
    values: dict[str, Any] = {"b_most": most} | {f"b_value{number}": root for number, root in enumerate(domains)}
    for number, criterion in enumerate(criteria):
        values |= _bound(criterion, number)
    return [row[0] for row in work.rows(statement, values)]
