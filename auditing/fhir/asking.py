"""What an ITI-81 request asks for (ITI TF-2 3.81.4.1.2, FHIR search): names and values in, a `Wanted` out.

A parameter that is not known is refused, and not passed over: a search with one filter less would show more than was
asked for. `Prefer: handling=lenient` says that this is meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from auditing.search import Wanted

Pairs = Sequence[tuple[str, str]]
Place = tuple[int, int]

MOST: Final = 1_000
USUAL: Final = 50
_NHS_NUMBER: Final = "https://fhir.nhs.uk/Id/nhs-number"
_LONGEST: Final = 1_000
_MOST_PARAMETERS: Final = 50
_MOST_VALUES: Final = 50
_DATE: Final = re.compile(
    r"(eq|ge|gt|le|lt)?(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_OUTCOMES: Final = frozenset(("0", "4", "8", "12"))
# FHIR's R4 parameters and the chains of the profile, by what of a record they look at.
_TERMS: Final = {
    "patient.identifier": "patient",
    "agent": "user",
    "agent.identifier": "user",
    "agent-name": "user",
    "altid": "user",
    "address": "network",
    "entity": "entity",
    "entity.identifier": "entity",
    "subtype": "type",
}
KNOWN: Final = (
    "date",
    *_TERMS,
    "source",
    "source.identifier",
    "type",
    "action",
    "outcome",
    "entity-type",
    "entity-role",
)
_OTHERS: Final = frozenset(("_count", "_format", "_sort", "_cursor", "_pretty"))


class BadQuestion(ValueError):  # noqa: N818
    """What is wrong with a request, and the kind of issue that FHIR calls it."""

    def __init__(self, told: str, code: str = "invalid") -> None:
        super().__init__(told)
        self.told, self.code = told, code


@dataclass(frozen=True, slots=True)
class Question:
    """What is wanted, how much of it at a time, and after what."""

    wanted: Wanted
    count: int
    before: Place | None
    parameters: tuple[tuple[str, str], ...]
    """Those that were taken, for the links."""


def question(pairs: Pairs, patient_authority: str, *, lenient: bool = False) -> Question:
    """BadQuestion."""
    if len(pairs) > _MOST_PARAMETERS:
        raise BadQuestion("There are too many parameters.", "too-costly")
    known = []
    for name, value in pairs:
        if len(value) > _LONGEST or "\x00" in value:
            raise BadQuestion("The value of a parameter is too long, or no text.", "value")
        if name in KNOWN or name in _OTHERS:
            known.append((name, value))
        elif not lenient:
            raise BadQuestion(f"The parameter {name[:60]!r} is not supported here.", "not-supported")
    since, until = _dates([value for name, value in known if name == "date"])
    wanted = Wanted(
        terms=tuple(_terms(known, patient_authority)),
        since=since,
        until=until,
        events=_tokens(known, "type"),
        actions=_tokens(known, "action"),
        outcomes=tuple(int(_in(each, _OUTCOMES, "outcome")) for each in _tokens(known, "outcome")),
        sources=_tokens(known, "source", "source.identifier"),
        object_types=tuple(map(_word, _tokens(known, "entity-type"))),
        object_roles=tuple(map(_word, _tokens(known, "entity-role"))),
    )
    return Question(wanted, _count(known), _cursor(known), tuple(pair for pair in known if pair[0] != "_cursor"))


def _terms(known: Pairs, patient_authority: str) -> Iterable[tuple[str, tuple[str, ...]]]:
    """Each parameter is a condition of its own; values with commas between are alternatives."""
    for name, value in known:
        kind = _TERMS.get(name)
        if kind is None:
            continue
        read: Callable[[str], str] = _code
        if kind == "patient":

            def read(each: str) -> str:
                return _patient(each, patient_authority)

        yield kind, tuple(read(each) for each in _values(name, value))


def _values(name: str, value: str) -> list[str]:
    found = [each.strip() for each in value.split(",") if each.strip()]
    if not found or len(found) > _MOST_VALUES:
        raise BadQuestion(f"The parameter {name} has no value, or too many.", "value")
    return found


def _code(text: str) -> str:
    """Of a token `system|code` the code: the records have few systems, and write them in several ways."""
    return text.rpartition("|")[2]


def _patient(text: str, patient_authority: str) -> str:
    system, bar, number = text.rpartition("|")
    if not bar or not system:
        return f"{number}|"
    if system == _NHS_NUMBER:
        return f"{number}|{patient_authority}"
    return f"{number}|{system.removeprefix('urn:oid:')}"


def _tokens(known: Pairs, *names: str) -> tuple[str, ...]:
    """Of parameters that look at one column, which may come once each."""
    found = [(name, value) for name, value in known if name in names]
    if len(found) > 1:
        raise BadQuestion(f"The parameter {found[0][0]} may come once; put commas between values.", "not-supported")
    return tuple(_code(each) for name, value in found for each in _values(name, value))


def _in(value: str, choices: frozenset[str], name: str) -> str:
    if value not in choices:
        raise BadQuestion(f"The parameter {name} has a value that there is not.", "value")
    return value


def _word(value: str) -> str:
    if not value.isascii() or not value.isalnum():
        raise BadQuestion("A type or role of an entity is a number.", "value")
    return value


def _dates(values: Sequence[str]) -> tuple[int | None, int | None]:
    """The narrowest of all ranges; the profile wants at least one (ITI TF-2 3.81.4.1.2.1)."""
    if not values:
        raise BadQuestion("The parameter date is required, such as date=ge2026-03-01&date=lt2026-04-01.", "required")
    since: list[int] = []
    until: list[int] = []
    for value in values:
        prefix, first, after = _range(value)
        if prefix in ("eq", "ge"):
            since.append(first)
        if prefix == "gt":
            since.append(after)
        if prefix in ("eq", "le"):
            until.append(after)
        if prefix == "lt":
            until.append(first)
    return max(since, default=None), min(until, default=None)


def _range(value: str) -> tuple[str, int, int]:
    """The prefix, and where a date as precise as it is written begins and ends."""
    found = _DATE.fullmatch(value)
    if found is None:
        raise BadQuestion("A date is not as FHIR writes it, such as ge2026-03-11 or lt2026-03-11T14:20:00Z.", "value")
    prefix, year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        text = f"{year}-{month or '01'}-{day or '01'}T{hour or '00'}:{minute or '00'}:{second or '00'}"
        offset = "+00:00" if zone in (None, "Z") else zone
        begin = datetime.fromisoformat(f"{text}{(fraction or '.0')[:7].ljust(7, '0')}{offset}")
        if month is None:
            end = begin.replace(year=begin.year + 1)
        elif day is None:
            end = (begin + timedelta(days=32)).replace(day=1)
        elif hour is None:
            end = begin + timedelta(days=1)
        elif second is None:
            end = begin + timedelta(minutes=1)
        elif fraction is None:
            end = begin + timedelta(seconds=1)
        else:
            end = begin + timedelta(microseconds=10 ** max(0, 7 - len(fraction[:7])))
        return prefix or "eq", (begin - _EPOCH) // _MICROSECOND, (end - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError) as error:
        raise BadQuestion("There is no such date.", "value") from error


def _last(known: Pairs, name: str) -> str:
    return next((value for each, value in reversed(known) if each == name), "")


def _count(known: Pairs) -> int:
    text = _last(known, "_count")
    if _last(known, "_sort") not in ("", "-date"):
        raise BadQuestion("Answers are sorted by -date, and not otherwise.", "not-supported")
    if not text:
        return USUAL
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise BadQuestion("The parameter _count is a whole number from 1.", "value")
    return min(int(text), MOST)


def _cursor(known: Pairs) -> Place | None:
    text = _last(known, "_cursor")
    if not text:
        return None
    found = re.fullmatch(r"(-?[0-9]{1,18})\.([0-9]{1,18})", text)
    if found is None:
        raise BadQuestion("The page is not one of ours.", "value")
    return int(found[1]), int(found[2])
