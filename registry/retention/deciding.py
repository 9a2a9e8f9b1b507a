"""What a policy says of one document. When in doubt it is kept, and the verdict says why."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from registry.retention.policy import After, Choose, Period, Policy, Rule

_WORDS: Final = {
    After.SERVICE_STOP: "the end of the service",
    After.CREATION: "the document was made",
    After.LAST_SEEN: "the patient was last seen",
    After.BIRTH: "birth",
    After.DEATH: "death",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a document and its patient; codes as ``code^^scheme``, dates ``None`` where unknown."""

    entry_uuid: str
    class_code: str
    type_code: str
    practice_setting_code: str
    facility_code: str
    service_stop: date | None
    creation: date | None
    last_seen: date | None
    birth: date | None
    death: date | None

    def date_of(self, after: After) -> date | None:
        """The day from which a period counts; without a service there is the day on which the document was made."""
        dates = {
            After.SERVICE_STOP: self.service_stop or self.creation,
            After.CREATION: self.creation,
            After.LAST_SEEN: self.last_seen,
            After.BIRTH: self.birth,
            After.DEATH: self.death,
        }
        return dates[after]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a document may go, by which rule, and why or why not."""

    may_go: bool
    rule: str
    reason: str


def day_of(dtm: str | None) -> date | None:
    """The last day that a DTM may mean: of a year alone its last, so that nothing goes too early."""
    digits = (dtm or "")[:8]
    if not digits.isascii() or not digits.isdigit() or len(digits) not in (4, 6, 8):
        return None
    year, month = int(digits[:4]), int(digits[4:6] or 12)
    try:
        return date(year, month, int(digits[6:8]) if len(digits) == 8 else monthrange(year, month)[1])
    except ValueError:
        return None


def decide(facts: Facts, policy: Policy, as_of: date) -> Verdict:
    """The verdict of the rule that keeps the document longest."""
    unsure = [rule for rule in policy.rules if _matches(rule, facts) is None]
    if unsure:
        return Verdict(False, unsure[0].name, "it is unknown how old the patient was, so the rule may apply")
    rules = [rule for rule in policy.rules if _matches(rule, facts)]
    if not rules:
        return Verdict(False, "", "no rule of the policy is about this document")
    longest: tuple[date, Rule, Period] | None = None
    for rule in rules:
        if not rule.confirmed:
            return Verdict(False, rule.name, "the period of the rule is marked as unconfirmed")
        end = _end(rule, facts)
        if isinstance(end, str):
            return Verdict(False, rule.name, end)
        if longest is None or end[0] > longest[0]:
            longest = (end[0], rule, end[1])
    assert longest is not None
    day, rule, period = longest
    told = f"{period.years} years after {_WORDS[period.after]}: {day.isoformat()}"
    return Verdict(day <= as_of, rule.name, f"was to be kept until {told}" if day <= as_of else f"kept until {told}")


def _end(rule: Rule, facts: Facts) -> tuple[date, Period] | str:
    """When the rule lets go, and by which period; or why that cannot be told."""
    ends = []
    for period in rule.keep:
        day = facts.date_of(period.after)
        if day is not None:
            ends.append((years_after(day, period.years), period))
        elif rule.choose is Choose.LAST or period.after is not After.DEATH:
            return f"the date of {_WORDS[period.after]} is unknown"
    if not ends:
        return "no date from which the rule counts is known"
    return (min if rule.choose is Choose.FIRST else max)(ends, key=lambda end: end[0])


def _matches(rule: Rule, facts: Facts) -> bool | None:
    """Whether a rule is about a document; ``None`` when an age decides that is unknown."""
    wanted = (
        (rule.class_codes, facts.class_code),
        (rule.type_codes, facts.type_code),
        (rule.practice_setting_codes, facts.practice_setting_code),
        (rule.facility_codes, facts.facility_code),
    )
    if any(codes and not codes & {value, value.partition("^^")[0]} for codes, value in wanted):
        return False
    ages = [
        _within(facts.birth, facts.date_of(After.SERVICE_STOP), rule.age_from, rule.age_below),
        _within(facts.birth, facts.last_seen, rule.last_seen_age_from, rule.last_seen_age_below),
    ]
    if False in ages:
        return False
    return None if None in ages else True


def _within(birth: date | None, day: date | None, least: int | None, below: int | None) -> bool | None:
    if least is None and below is None:
        return True
    if birth is None or day is None:
        return None
    age = age_at(birth, day)
    return (least is None or age >= least) and (below is None or age < below)


def age_at(birth: date, day: date) -> int:
    """In whole years."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def years_after(day: date, years: int) -> date:
    """The same day so many years later; the 29th of February becomes the 1st of March."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1) if day.year + years <= date.max.year else date.max


def families(names: Iterable[str], ties: Iterable[tuple[str, str]]) -> Iterator[frozenset[str]]:
    """Documents that belong together: versions of one, replacements, addenda, transformations."""
    parent = {name: name for name in names}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for one, other in ties:
        if one in parent and other in parent:
            parent[root(one)] = root(other)
    groups: dict[str, set[str]] = {}
    for name in parent:
        groups.setdefault(root(name), set()).add(name)
    return (frozenset(group) for group in groups.values())
