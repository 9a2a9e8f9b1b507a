"""From what a consumer wrote to what is asked: values of stored queries (ITI TF-2 3.18.4.1.2.3.5).

The result is a ``Question``, which holds only what may be asked; or the objections to it, all at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from common.hl7 import types
from common.rules.objection import Objection
from common.standard.errors import ErrorCode
from common.standard.queries import STATUSES, STORED_QUERIES, Match, Parameter, StoredQuery
from common.standard.question import Question

_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?\Z")


class ValueProblem(ValueError):  # noqa: N818
    """A value that is not of the syntax."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A stored query as it came: id, return type, and Slots with their Values, in order."""

    id: str
    return_type: str
    slots: Sequence[tuple[str, Sequence[str]]]


@dataclass(slots=True)
class _Reading:
    """Work in progress: what was found, and what is wrong with it."""

    query: StoredQuery
    found: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    objections: list[Objection] = field(default_factory=list)

    def object(self, code: ErrorCode, where: str, what: str) -> None:
        self.objections.append(Objection(code, where, what))


def parse_value(text: str) -> tuple[list[str], bool]:
    """The values in one Value, and whether it is a list: ``'x'``, ``123``, ``('x','y')``."""
    text = text.strip()
    if not text.startswith("("):
        value, end = _item(text, 0)
        if text[end:].strip():
            raise ValueProblem("there is more after the value")
        return [value], False
    return _list(text), True


def _list(text: str) -> list[str]:
    values: list[str] = []
    at = _skip(text, 1)
    if text[at:].strip() == ")":
        return values
    while True:
        value, at = _item(text, at)
        values.append(value)
        at = _skip(text, at)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at:].strip() == ")":
            return values
        else:
            raise ValueProblem("a list is written ('one','two')")


def _skip(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at


def _item(text: str, at: int) -> tuple[str, int]:
    """One quoted string or number, and where it ends; a quote inside a string is doubled."""
    if text[at : at + 1] != "'":
        end = at
        while end < len(text) and text[end] not in ",) ":
            end += 1
        if not _NUMBER.match(text[at:end]):
            raise ValueProblem("text is written in single quotes, as in 'text'")
        return text[at:end], end
    parts: list[str] = []
    at += 1
    while True:
        end = text.find("'", at)
        if end < 0:
            raise ValueProblem("a single quote is not closed")
        parts.append(text[at:end])
        if text[end + 1 : end + 2] != "'":
            return "".join(parts), end + 1
        parts.append("'")
        at = end + 2


def read_question(asked: Asked, *, multi_patient: bool, max_values: int) -> Question | list[Objection]:
    """What is asked, or everything that is wrong with it."""
    query = STORED_QUERIES.get(asked.id)
    if query is None or query.multi_patient is not multi_patient:
        return [Objection(ErrorCode.XDSUnknownStoredQuery, asked.id[:80], "no such stored query in this transaction")]
    reading = _Reading(query)
    if asked.return_type not in ("LeafClass", "ObjectRef"):
        reading.object(ErrorCode.XDSRegistryError, "returnType", "must be LeafClass or ObjectRef")
    for name, values in asked.slots:
        _read_slot(reading, name, values, max_values)
    _check_presence(reading)
    level = _level(reading)
    if reading.objections:
        return reading.objections
    criteria = tuple(
        (row, tuple(reading.found[row.name]))
        for row in query.parameters
        if row.name in reading.found and row.match is not Match.LEVEL
    )
    return Question(query, asked.return_type == "LeafClass", criteria, level)


def _read_slot(reading: _Reading, name: str, values: Sequence[str], max_values: int) -> None:
    row = reading.query.parameter(name)
    if row is None:
        return  # not of this query: ignored, as the standard has it
    if row.required and all(_is_blank(value) for value in values):
        reading.object(ErrorCode.XDSStoredQueryMissingParam, name, "is required, and was given empty")
        return
    if name in reading.query.exclusive and all(_is_blank(value) for value in values):
        return  # an empty name names nothing: as if it were not there
    try:
        parsed = [parse_value(value) for value in values]
    except ValueProblem as problem:
        reading.object(ErrorCode.XDSRegistryError, name, str(problem))
        return
    found = [value for part, _ in parsed for value in part]
    if len(found) > max_values:
        reading.object(ErrorCode.XDSStoredQueryParamNumber, name, f"takes at most {max_values} values here")
    elif len(found) > 1 and not row.many:
        reading.object(ErrorCode.XDSStoredQueryParamNumber, name, f"takes one value, and was given {len(found)}")
    elif found and name in reading.found and not row.every:
        reading.object(ErrorCode.XDSStoredQueryParamNumber, name, "must not be repeated")
    elif group := _checked(reading, row, found):
        reading.found.setdefault(name, []).append(group)


def _is_blank(value: str) -> bool:
    """Nothing at all, or quotes and brackets around nothing."""
    return not value.strip("() '\t\r\n")


def _checked(reading: _Reading, row: Parameter, values: list[str]) -> tuple[str, ...]:
    """Values in the form in which they are compared; none where something is wrong."""
    checked: list[str] = []
    for value in values:
        try:
            kept = _FORMS.get(row.match, _as_is)(value)
        except ValueProblem as problem:
            reading.object(ErrorCode.XDSRegistryError, row.name, str(problem))
            return ()
        if kept is not None:
            checked.append(kept)
    return tuple(dict.fromkeys(checked))


def _as_is(value: str) -> str:
    if "\x00" in value or "\x1f" in value:
        raise ValueProblem("must not hold control characters")
    return value


def _patient(value: str) -> str:
    value = value.strip()
    if problem := types.cx(value):
        raise ValueProblem(f"patient id {problem}")
    return _as_is(value)


def _code(value: str) -> str:
    parts = value.split("^")
    if len(parts) != 3 or not parts[0] or parts[1] or not parts[2]:
        raise ValueProblem("a code is written 'code^^codingScheme', and both parts are needed")
    return _as_is(value)


def _time(value: str) -> str:
    if problem := types.dtm(value):
        raise ValueProblem(problem)
    return types.dtm_complete(value)


def _uuid(value: str) -> str:
    """Spaces inside the quotes are a known slip of the standard's own samples."""
    return _as_is("".join(value.split()).lower())


def _status(value: str) -> str | None:
    return value if value in STATUSES else None


def _level_value(value: str) -> str:
    if value not in ("1", "2"):
        raise ValueProblem("must be 1 or 2")
    return value


_FORMS: Final[dict[Match, Callable[[str], str | None]]] = {
    Match.PATIENT: _patient,
    Match.CODE: _code,
    Match.FROM: _time,
    Match.TO: _time,
    Match.OBJECT_TYPE: _uuid,
    Match.ENTRY_UUID: _uuid,
    Match.LOGICAL_ID: _uuid,
    Match.STATUS: _status,
    Match.LEVEL: _level_value,
}


def _check_presence(reading: _Reading) -> None:
    """Required parameters; groups of which one is needed, and at most one allowed; exclusive twins."""
    query, found = reading.query, reading.found
    refused = {objection.where for objection in reading.objections}
    for row in query.parameters:
        if row.required and row.name not in found and row.name not in refused:
            reading.object(ErrorCode.XDSStoredQueryMissingParam, row.name, "is required")
        if row.excludes and row.name in found and row.name.removesuffix("Exclude") in found:
            reading.object(ErrorCode.XDSStoredQueryParamNumber, row.name, "cannot be combined with its twin")
    if query.one_of and not query.one_of & (found.keys() | refused):
        names = ", ".join(sorted(query.one_of))
        reading.object(ErrorCode.XDSStoredQueryMissingParam, names, "one of these is required")
    if len(given := sorted(query.exclusive & found.keys())) > 1:
        reading.object(ErrorCode.XDSStoredQueryParamNumber, ", ".join(given), "only one of these may be given")


def _level(reading: _Reading) -> int:
    """$MetadataLevel; a logicalID names all versions, which only level 2 shows."""
    found = reading.found.get("$MetadataLevel")
    level = int(found[0][0]) if found else 1
    for row in reading.query.parameters:
        if row.match is Match.LOGICAL_ID and row.name in reading.found and level == 1:
            reading.object(ErrorCode.XDSRegistryError, row.name, "needs $MetadataLevel 2")
    return level
