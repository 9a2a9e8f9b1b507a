"""The rules of access, in their order: the first that decides is the decision, and what none allows is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from common.access.case import Case
from common.access.values import Act, Right, right_for

_GIVES: Final = (Act.SEARCH, Act.READ)
"""Acts that give something of a patient's record out."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When it decides it allows, or refuses; the sentence is for people who read the audit trail."""

    name: str
    allows: bool
    sentence: str
    decides: Callable[[Case], bool]


def _is_nobody(case: Case) -> bool:
    return not case.standing.who.is_known


def _has_no_right(case: Case) -> bool:
    return not case.has(right_for(case.what.act))


def _is_right_enough(case: Case) -> bool:
    return case.what.act not in _GIVES and not case.what.upon


def _is_sealed(case: Case) -> bool:
    sealed = case.is_marked(case.standing.policy.sealed)
    return sealed and not case.has(Right.SEALED) and not case.opens("sealed")


def _is_restricted(case: Case) -> bool:
    restricted = case.is_marked(case.standing.policy.restricted)
    return restricted and not case.has(Right.RESTRICTED) and not case.opens("restricted")


def _serves_any_patient(case: Case) -> bool:
    return case.has(Right.ANY_PATIENT)


def _is_not_shared(case: Case) -> bool:
    return not case.opens("agreement") and not case.has_agreement()


def _is_objected_to(case: Case) -> bool:
    said = case.consent()
    return said is not None and not said.permits and not case.opens("objection")


def _does_not_care(case: Case) -> bool:
    return not case.opens("relationship") and not case.has_relationship()


def _is_not_consented_to(case: Case) -> bool:
    standing = case.standing
    if standing.care_setting in standing.policy.implied or case.opens("consent"):
        return False
    said = case.consent(explicit=True)
    return said is None or not said.permits


def _is_emergency(case: Case) -> bool:
    return bool(case.standing.emergency)


def _cares(case: Case) -> bool:
    return "relationship" not in case.standing.policy.applies or case.has_relationship()


RULES: Final = (
    Rule("nobody", False, "Whoever is not identified may do nothing.", _is_nobody),
    Rule("right", False, "Who asks needs a role with the right for the act, in their organisation.", _has_no_right),
    Rule(
        "other-patient",
        False,
        "An assertion that names a patient is good for that patient's record alone.",
        Case.names_another_patient,
    ),
    Rule(
        "right-suffices",
        True,
        "An act that gives nothing of a record out, and touches nothing of it that is there, is allowed to whoever has "
        "the right for it.",
        _is_right_enough,
    ),
    Rule("sealed", False, "A sealed document is seen only by roles with the right to sealed documents.", _is_sealed),
    Rule(
        "restricted",
        False,
        "A restricted document is seen only by roles with the right to restricted documents.",
        _is_restricted,
    ),
    Rule(
        "any-patient",
        True,
        "Roles with the right to any patient need no relationship, consent or agreement.",
        _serves_any_patient,
    ),
    Rule(
        "agreement",
        False,
        "A document of another organisation is seen only under a data sharing agreement that covers it.",
        _is_not_shared,
    ),
    Rule("objection", False, "What the patient has refused is not seen.", _is_objected_to),
    Rule("relationship", False, "A record is seen only by those in whose care the patient is.", _does_not_care),
    Rule(
        "consent",
        False,
        "Where consent is not implied by the care setting the patient has to have given it, explicitly.",
        _is_not_consented_to,
    ),
    Rule("emergency", True, "In an emergency roles that may break the glass see what the policy opens.", _is_emergency),
    Rule("care", True, "Who cares for the patient, and is refused by no other rule, may see the record.", _cares),
)
AT_ALL: Final = RULES[:2]
"""Rules that look at nobody's record."""
DEFAULT: Final = Rule("default", False, "What no rule allows is refused.", lambda _case: True)
BY_NAME: Final = {rule.name: rule for rule in (*RULES, DEFAULT)}
