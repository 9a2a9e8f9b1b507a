"""Python values as the parameters of a stored query: quotes, lists, and their size (ITI TF-2 3.18.4.1.2.3.5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from common.clock import dtm
from common.model import Code
from common.standard.queries import Match, StoredQuery

MAX_VALUE: Final = 256
Scalar = str | int | Code | datetime
Slots = tuple[tuple[str, tuple[str, ...]], ...]
_NUMBERS: Final = frozenset({Match.FROM, Match.TO, Match.LEVEL})


def slots_of(query: StoredQuery | None, given: Mapping[str, Any]) -> Slots:
    """The Slots of a query; ValueError for a value that cannot be asked for.

    A sequence is a list of which any will do; a sequence of sequences is several lists, each of which must match.
    What is ``None`` or an empty list is left out. A query that is not known here has its values written by their type.
    """
    slots: list[tuple[str, tuple[str, ...]]] = []
    for name, value in given.items():
        row = query.parameter(name) if query else None
        as_number = row is not None and row.match in _NUMBERS
        many = row.many if row else not _is_scalar(value)
        for group in _groups(value):
            written = [_literal(name, each, as_number=as_number) for each in group]
            if written and not many and len(written) == 1:
                slots.append((name, (_fitting(name, written[0]),)))
            elif written:
                slots.append((name, tuple(_lists(name, written))))
    return tuple(slots)


def values(items: Iterable[str]) -> tuple[str, ...]:
    """Texts as Values that are lists, each of at most 256 characters; ValueError for a text that is too long."""
    return tuple(_lists("the value", [quoted(each) for each in items]))


def quoted(text: str) -> str:
    """A text between single quotes, those in it doubled."""
    return "'" + text.replace("'", "''") + "'"


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int | Code | datetime)


def _groups(value: Any) -> Iterator[Sequence[Scalar]]:
    if value is None:
        return
    if _is_scalar(value):
        yield (value,)
        return
    listed = list(value)
    if all(map(_is_scalar, listed)):
        yield listed
        return
    for each in listed:
        yield (each,) if _is_scalar(each) else list(each)


def _literal(name: str, value: Scalar, *, as_number: bool) -> str:
    if isinstance(value, Code):
        return quoted(value.key)
    if isinstance(value, datetime):
        return dtm(value)
    if isinstance(value, int):
        return str(int(value))
    if not isinstance(value, str):
        raise ValueError(f"{name} cannot be asked for with {type(value).__name__} values")
    return str(value) if as_number and value.isascii() and value.isdigit() else quoted(value)


def _fitting(name: str, literal: str) -> str:
    if len(literal) > MAX_VALUE:
        raise ValueError(f"{name} is asked for with a value of more than {MAX_VALUE} characters, quotes included")
    return literal


def _lists(name: str, literals: Iterable[str]) -> Iterator[str]:
    """As many in each list as fit."""
    held: list[str] = []
    length = 1
    for literal in literals:
        _fitting(name, f"({literal})")
        if held and length + len(literal) + 1 > MAX_VALUE:
            yield f"({','.join(held)})"
            held, length = [], 1
        held.append(literal)
        length += len(literal) + 1
    if held:
        yield f"({','.join(held)})"


def patients_in(slots: Iterable[tuple[str, Sequence[str]]]) -> list[str]:
    """The patients that a query's Slots ask for."""
    found = [value for name, values in slots if name.endswith("PatientId") for value in values]
    return [each.replace("''", "'") for value in found for each in value.strip("()").strip("'").split("','") if each]
