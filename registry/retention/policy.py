"""A retention policy, read from TOML. What cannot be understood is told with its place, and nothing is guessed."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class After(StrEnum):
    """What a period counts from."""

    SERVICE_STOP = "service_stop"
    CREATION = "creation"
    LAST_SEEN = "last_seen"
    BIRTH = "birth"
    DEATH = "death"


class Choose(StrEnum):
    """Which of several periods counts: the one that ends first, or the one that ends last."""

    FIRST = "first"
    LAST = "last"


@dataclass(frozen=True, slots=True)
class Period:
    """So many years after something; a 25th birthday is 25 years after birth."""

    years: int
    after: After


@dataclass(frozen=True, slots=True)
class Rule:
    """For which documents, for how long, and on whose word.

    Codes are ``code`` or ``code^^scheme``; an empty set of codes is any. Ages are in whole years: at the document's
    date, and when the patient was last seen.
    """

    name: str
    source: str
    keep: tuple[Period, ...]
    choose: Choose = Choose.LAST
    confirmed: bool = True
    class_codes: frozenset[str] = frozenset()
    type_codes: frozenset[str] = frozenset()
    practice_setting_codes: frozenset[str] = frozenset()
    facility_codes: frozenset[str] = frozenset()
    age_from: int | None = None
    age_below: int | None = None
    last_seen_age_from: int | None = None
    last_seen_age_below: int | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules; where several match a document, the one that keeps it longest counts."""

    name: str
    rules: tuple[Rule, ...]
    text: str


class PolicyError(ValueError):
    """A policy that cannot be used; ``problems`` holds every reason, each one sentence."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


_CODES: Final = ("class_codes", "type_codes", "practice_setting_codes", "facility_codes")
_AGES: Final = ("age_from", "age_below", "last_seen_age_from", "last_seen_age_below")
_FIELDS: Final = frozenset({"name", "source", "keep", "choose", "confirmed", *_CODES, *_AGES})
_MOST_YEARS: Final = 200


def read_policy(text: str) -> Policy:
    """The policy that a TOML text describes; PolicyError names all that is wrong with it."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError([f"it is no TOML: {error}"]) from error
    problems: list[str] = []
    name = found.get("name")
    if not isinstance(name, str) or not name:
        problems.append("name: the policy needs one")
    problems += [f"{key}: there is no such field" for key in found.keys() - {"name", "rule"}]
    rows = found.get("rule", [])
    if not isinstance(rows, list) or not rows:
        problems.append("rule: there is none")
        rows = []
    rules = [rule for number, row in enumerate(rows, 1) if (rule := _rule(row, f"rule {number}", problems))]
    if len({rule.name for rule in rules}) < len(rules):
        problems.append("rule: two have the same name")
    if problems:
        raise PolicyError(problems)
    return Policy(str(name), tuple(rules), text)


def _rule(row: Any, place: str, problems: list[str]) -> Rule | None:
    if not isinstance(row, Mapping):
        problems.append(f"{place}: it is no table")
        return None
    before = len(problems)
    place = f"{place} ({row.get('name', 'without a name')})"
    problems += [f"{place}: {key}: there is no such field" for key in row.keys() - _FIELDS]
    for key in ("name", "source"):
        if not isinstance(row.get(key), str) or not row[key]:
            problems.append(f"{place}: {key}: it needs one")
    for key in _CODES:
        if not _are_texts(row.get(key, [])):
            problems.append(f"{place}: {key}: a list of codes is expected")
    for key in _AGES:
        if key in row and not _is_number(row[key]):
            problems.append(f"{place}: {key}: a number of years is expected")
    if not isinstance(row.get("confirmed", True), bool):
        problems.append(f"{place}: confirmed: true or false is expected")
    if row.get("choose", "last") not in list(Choose):
        problems.append(f"{place}: choose: {', '.join(Choose)} are expected")
    keep = _periods(row.get("keep"), place, problems)
    if len(problems) > before:
        return None
    more: dict[str, Any] = {key: frozenset(row.get(key, [])) for key in _CODES}
    more |= {key: row.get(key) for key in _AGES}
    more |= {"choose": Choose(row.get("choose", "last")), "confirmed": row.get("confirmed", True)}
    return Rule(row["name"], row["source"], keep, **more)


def _periods(value: Any, place: str, problems: list[str]) -> tuple[Period, ...]:
    if not isinstance(value, list) or not value:
        problems.append(f'{place}: keep: a list of periods is expected, as {{years = 8, after = "last_seen"}}')
        return ()
    found = []
    for each in value:
        if not isinstance(each, Mapping) or each.keys() != {"years", "after"} or not _is_number(each["years"]):
            problems.append(f"{place}: keep: each period has years and after")
        elif each["after"] not in list(After):
            problems.append(f"{place}: keep: after is one of {', '.join(After)}")
        else:
            found.append(Period(each["years"], After(each["after"])))
    return tuple(found)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) and each for each in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_YEARS
