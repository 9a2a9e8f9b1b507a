"""What an access decision looks at, as plain values: who, what, whose, why, and the facts that are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

EVER: Final = ""
"""A beginning or an end that is open."""


class Act(StrEnum):
    """What somebody wants to do."""

    SEARCH = "search"
    IDENTIFY = "identify"
    READ = "read"
    SUBMIT = "submit"
    UPDATE = "update"
    REMOVE = "remove"
    FEED = "feed"
    AUDIT = "audit"
    JUDGE = "judge"


class Right(StrEnum):
    """What a role may be given: one for each act, and what goes beyond."""

    SEARCH = "search"
    READ = "read"
    SUBMIT = "submit"
    UPDATE = "update"
    REMOVE = "remove"
    FEED = "feed"
    AUDIT = "audit"
    JUDGE = "judge"
    RESTRICTED = "restricted"
    SEALED = "sealed"
    BREAK_GLASS = "break-glass"
    ANY_PATIENT = "any-patient"


def right_for(act: Act) -> Right:
    """The right that an act needs; to look up who a patient is goes with looking for what there is of them."""
    return Right.SEARCH if act is Act.IDENTIFY else Right(act.value)


MEANINGS: Final[Mapping[Right, str]] = {
    Right.SEARCH: "see that documents exist, and their metadata; look up who a patient is",
    Right.READ: "retrieve documents",
    Right.SUBMIT: "register documents",
    Right.UPDATE: "amend metadata",
    Right.REMOVE: "remove documents and metadata",
    Right.FEED: "tell of patients",
    Right.AUDIT: "read the audit trail",
    Right.JUDGE: "ask what somebody else may do, as a Repository does",
    Right.RESTRICTED: "see restricted documents (confidentiality R)",
    Right.SEALED: "see sealed documents (confidentiality V)",
    Right.BREAK_GLASS: "break the glass in an emergency",
    Right.ANY_PATIENT: "need no relationship, consent or agreement, as systems and record managers",
}


@dataclass(frozen=True, slots=True)
class Who:
    """A user as an issuer vouches for them, or a system by the names of its certificate.

    Roles and purposes are ``code^system``. ``organisation`` is an ODS code, or an identifier of another scheme.
    """

    user: str = ""
    issuer: str = ""
    system: tuple[str, ...] = ()
    roles: frozenset[str] = frozenset()
    organisation: str = ""
    purposes: frozenset[str] = frozenset()
    patient_id: str = ""
    reason: str = ""

    @property
    def is_known(self) -> bool:
        """Whether anybody says who it is."""
        return bool(self.user or self.system)


@dataclass(frozen=True, slots=True)
class Document:
    """A document as far as access depends on it: codes are ``code^^scheme``, organisations those of its authors."""

    class_code: str = ""
    type_code: str = ""
    confidentiality: tuple[str, ...] = ()
    organisations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class What:
    """An act, upon one document or, without one, upon what else there is of a patient.

    ``upon`` is whether it is upon something that is there already, and not the act as such.
    """

    act: Act
    document: Document | None = None
    upon: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """From when until when a fact counts, as DTM in UTC; the beginning belongs to it, the end does not."""

    begins: str = EVER
    ends: str = EVER

    def holds(self, at: str) -> bool:
        """Whether it counts at a time."""
        return self.begins <= at and (not self.ends or at < self.ends)


ALWAYS: Final = Span()


@dataclass(frozen=True, slots=True)
class RoleRight:
    """A role has a right, everywhere or in one organisation."""

    role: str
    right: Right
    organisation: str = ""
    span: Span = ALWAYS


@dataclass(frozen=True, slots=True)
class Relationship:
    """A patient is cared for by an organisation, one of its teams, or one user."""

    patient_id: str
    organisation: str = ""
    team: str = ""
    user: str = ""
    span: Span = ALWAYS


@dataclass(frozen=True, slots=True)
class Consent:
    """What a patient permits or refuses; each of type, organisation and purpose is any where it is empty.

    One that ``is_implied`` the patient has not given, but is taken to have.
    """

    patient_id: str
    permits: bool
    type_code: str = ""
    organisation: str = ""
    purpose: str = ""
    span: Span = ALWAYS
    is_implied: bool = False

    @property
    def narrowness(self) -> int:
        """How much it is limited to: of two that fit, the narrower counts."""
        return sum(map(bool, (self.type_code, self.organisation, self.purpose)))


@dataclass(frozen=True, slots=True)
class Agreement:
    """A data sharing agreement; ``*`` for a party is everybody, no codes or purposes are all."""

    name: str
    providers: frozenset[str]
    recipients: frozenset[str]
    type_codes: frozenset[str] = frozenset()
    purposes: frozenset[str] = frozenset()
    span: Span = ALWAYS


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation of the directory; ``part_of`` is the one that operates it, as a trust does its sites."""

    code: str
    care_setting: str = ""
    part_of: str = ""
    span: Span = ALWAYS


@dataclass(frozen=True, slots=True)
class Listed:
    """Somebody of the user directory, a person or a system."""

    name: str
    issuer: str = ""
    organisation: str = ""
    roles: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    span: Span = ALWAYS


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known and may bear on a decision about one patient; what is out of date may be among it."""

    rights: Mapping[str, tuple[RoleRight, ...]] = field(default_factory=dict)
    relationships: tuple[Relationship, ...] = ()
    consents: tuple[Consent, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    organisations: Mapping[str, Organisation] = field(default_factory=dict)
    user: Listed | None = None
    systems: Mapping[str, Listed] = field(default_factory=dict)
    persons: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By a patient id, all ids that merges have made one patient of."""


def by_role(rights: Iterable[RoleRight]) -> dict[str, tuple[RoleRight, ...]]:
    """Rights as ``Facts`` has them."""
    found: dict[str, tuple[RoleRight, ...]] = {}
    for each in rights:
        found[each.role] = (*found.get(each.role, ()), each)
    return found


def fits(asked: str, given: str) -> bool:
    """Whether a code is the one that is meant; one that is meant without its scheme is of any scheme."""
    return asked == given or (bool(given) and "^" not in given and asked.partition("^")[0] == given)
