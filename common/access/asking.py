"""Questions of access that one service asks another: parameters of the query JudgeAccess, and verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from common.access.values import Act, Who

QUERY: Final = "JudgeAccess"
ACT: Final = "$AccessAct"
UNIQUE_ID: Final = "$XDSDocumentEntryUniqueId"
CONCERNS: Final = "$AccessConcerns"
"""Patients whose record an act without documents is about."""
_LONGEST: Final = 1024

_TEXTS: Final = (
    ("$AccessUser", "user"),
    ("$AccessIssuer", "issuer"),
    ("$AccessOrganisation", "organisation"),
    ("$AccessPatientId", "patient_id"),
    ("$AccessReason", "reason"),
)
_LISTS: Final = (("$AccessSystem", "system"), ("$AccessRole", "roles"), ("$AccessPurpose", "purposes"))
SUBJECT: Final = tuple(name for name, _ in _TEXTS)
SUBJECT_LISTS: Final = tuple(name for name, _ in _LISTS)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one document, or of the act as such; the rule is for the audit trail alone."""

    allowed: bool
    rule: str
    unique_id: str = ""
    patient_id: str = ""
    emergency: str = ""


NOT_JUDGED: Final = Verdict(allowed=False, rule="unknown")
"""Of a document that the Registry does not have."""


def told(who: Who) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Somebody as parameters; what no name has, such as control characters, is left out."""
    for name, field in _TEXTS:
        if value := _plain(getattr(who, field)):
            yield name, (value,)
    for name, field in _LISTS:
        if values := tuple(filter(None, map(_plain, sorted(getattr(who, field))))):
            yield name, values


def _plain(value: str) -> str:
    return "".join(letter for letter in value if letter.isprintable())[:_LONGEST]


def heard(given: Callable[[str], Iterable[str]]) -> Who:
    """Somebody out of the values of parameters."""
    texts = {field: next(iter(given(name)), "") for name, field in _TEXTS}
    system, roles, purposes = (tuple(given(name)) for name in SUBJECT_LISTS)
    return Who(system=system, roles=frozenset(roles), purposes=frozenset(purposes), **texts)


def act_of(given: Callable[[str], Iterable[str]]) -> Act | None:
    """Which act is meant; None where there is no such act."""
    name = next(iter(given(ACT)), "")
    return Act(name) if name in list(Act) else None
