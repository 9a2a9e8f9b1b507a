"""What a service answers: a status and, where something was wrong, a list of errors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """ITI TF-3 4.2.4; note that PartialSuccess lives under IHE's own name."""

    SUCCESS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
    PARTIAL_SUCCESS = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
    FAILURE = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure"


class Severity(StrEnum):
    """Whether it stopped the request."""

    ERROR = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error"
    WARNING = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Warning"


@dataclass(frozen=True, slots=True)
class RegistryError:
    """One line of a RegistryErrorList; ``context`` is a sentence for a person."""

    code: str
    context: str
    location: str = ""
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, slots=True)
class RegistryResponse:
    """A status and its errors and warnings."""

    status: Status
    errors: tuple[RegistryError, ...] = ()
