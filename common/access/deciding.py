"""The one decision: who may do what to whose record, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from common.access.case import Case, Standing, standing
from common.access.policy import OPTIONAL, AccessPolicy
from common.access.rules import AT_ALL, DEFAULT, RULES, Rule
from common.access.values import Act, Facts, What, Who


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether it is allowed, or at least listed, and by which rule; ``told`` is for the audit trail alone."""

    allowed: bool
    listed: bool
    rule: str
    told: str
    emergency: str = ""

    @property
    def shown(self) -> bool:
        """Whether a query shows it."""
        return self.allowed or self.listed


@dataclass(frozen=True, slots=True)
class Step:
    """A rule that was looked at, and whether it decided; one that the policy has switched off did not."""

    rule: Rule
    decided: bool
    applied: bool = True


def decide(who: Who, what: What, whose: str, facts: Facts, policy: AccessPolicy, at: str) -> Decision:
    """The decision about one act on one patient's record, at a time (DTM, UTC)."""
    return judge(standing(who, facts, policy, at), what, whose)


def judge(here: Standing, what: What, whose: str) -> Decision:
    """As ``decide``, for somebody whose standing is known already."""
    last = DEFAULT
    for step in _steps(Case(here, what, whose)):
        last = step.rule
    return _decision(here, what, last)


def refused_at_all(here: Standing, act: Act) -> Decision | None:
    """Why somebody may not do something whatever it is about: the first rules alone."""
    what = What(act)
    case = Case(here, what, "")
    rule = next((rule for rule in AT_ALL if rule.decides(case)), None)
    return _decision(here, what, rule) if rule is not None else None


def explain(here: Standing, what: What, whose: str) -> tuple[Decision, list[Step]]:
    """The decision, and every rule up to the one that decided."""
    steps = list(_steps(Case(here, what, whose)))
    return _decision(here, what, steps[-1].rule), steps


def _steps(case: Case) -> Iterator[Step]:
    applies = case.standing.policy.applies
    for rule in RULES:
        if rule.name in OPTIONAL and rule.name not in applies:
            yield Step(rule, decided=False, applied=False)
            continue
        decided = rule.decides(case)
        yield Step(rule, decided)
        if decided:
            return
    yield Step(DEFAULT, decided=True)


def _decision(here: Standing, what: What, rule: Rule) -> Decision:
    listed = (
        not rule.allows and what.act is Act.SEARCH and what.document is not None and rule.name in here.policy.listed
    )
    return Decision(rule.allows, listed, rule.name, rule.sentence, here.emergency)
