"""Who may do what, as a table: each row is somebody, a patient and a document, and what comes of each transaction.

The unit tests ask the decision itself, the service tests ask running services, and documents are printed from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

FOUND: Final = "found"
LISTED: Final = "listed, not given"
HIDDEN: Final = "as if unknown"
DONE: Final = "done"
REFUSED: Final = "refused"

CLINICIAN: Final = "R8000^1.2.826.0.1285.0.2.1.104"
SPECIALIST: Final = "R8001^1.2.826.0.1285.0.2.1.104"
CLERK: Final = "R8010^1.2.826.0.1285.0.2.1.104"
MANAGER: Final = "R8014^1.2.826.0.1285.0.2.1.104"
BREAK_THE_GLASS: Final = "BTG^2.16.840.1.113883.5.8"
TREATMENT: Final = "TREAT^2.16.840.1.113883.5.8"

RIGHTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    CLINICIAN: ("search", "read", "submit", "break-glass"),
    SPECIALIST: ("search", "read", "submit", "update", "restricted", "sealed"),
    CLERK: ("submit",),
    MANAGER: ("search", "read", "update", "remove", "any-patient"),
})  # fmt: skip

HOSPITAL: Final = "ZT901"
PRACTICE: Final = "ZG902"
"""The hospital wrote all documents; the practice is one of the same county."""


@dataclass(frozen=True, slots=True)
class AccessCase:
    """Somebody, and what is known; ``expected`` is the rule that decides on the document and what comes of each act."""

    name: str
    rule: str
    search: str
    read: str
    submit: str = DONE
    update: str = REFUSED
    remove: str = REFUSED
    role: str = CLINICIAN
    organisation: str = PRACTICE
    purpose: str = TREATMENT
    confidentiality: str = "N"
    identified: bool = True
    related: bool = True
    agreement: bool = True
    objection: bool = False
    permission: bool = False
    another_patient: bool = False
    reason: str = field(default="")


CASES: Final = (
    AccessCase("a practice with a relationship, consent implied", "care", FOUND, FOUND),
    AccessCase("no role that is known", "right", REFUSED, HIDDEN, REFUSED, role="R0000^2.999"),
    AccessCase("a role that may only submit", "right", REFUSED, HIDDEN, role=CLERK),
    AccessCase("no relationship", "relationship", HIDDEN, HIDDEN, related=False),
    AccessCase("consent withdrawn", "objection", HIDDEN, HIDDEN, objection=True),
    AccessCase("no data sharing agreement", "agreement", HIDDEN, HIDDEN, agreement=False),
    AccessCase(
        "a hospital, whose patient has to consent, and has not", "consent", HIDDEN, HIDDEN, organisation=HOSPITAL
    ),
    AccessCase(
        "a hospital, whose patient has consented", "care", FOUND, FOUND, organisation=HOSPITAL, permission=True
    ),
    AccessCase("an assertion for another patient", "other-patient", HIDDEN, HIDDEN, REFUSED, another_patient=True),
    AccessCase("a restricted document", "restricted", HIDDEN, HIDDEN, confidentiality="R"),
    AccessCase(
        "a restricted document, and the right to it", "care", FOUND, FOUND, DONE, DONE, role=SPECIALIST,
        confidentiality="R",
    ),
    AccessCase("a sealed document", "sealed", HIDDEN, HIDDEN, confidentiality="V"),
    AccessCase(
        "a sealed document, and the right to it", "care", FOUND, FOUND, DONE, DONE, role=SPECIALIST,
        confidentiality="V",
    ),
    AccessCase(
        "break glass without a relationship, against an objection", "emergency", FOUND, FOUND, related=False,
        objection=True, purpose=BREAK_THE_GLASS, reason="found unconscious",
    ),
    AccessCase(
        "break glass at a sealed document", "sealed", HIDDEN, HIDDEN, confidentiality="V", purpose=BREAK_THE_GLASS,
    ),
    AccessCase(
        "break glass by a role that may not", "relationship", HIDDEN, HIDDEN, DONE, DONE, role=SPECIALIST,
        related=False, purpose=BREAK_THE_GLASS,
    ),
    AccessCase(
        "a records manager, for any patient", "any-patient", FOUND, FOUND, REFUSED, DONE, DONE, role=MANAGER,
        related=False, agreement=False,
    ),
)  # fmt: skip
