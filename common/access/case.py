"""One question of access with what follows from its facts: effective rights, organisations, emergency."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from common.access.names import asserted, patient
from common.access.policy import AccessPolicy
from common.access.values import Agreement, Consent, Document, Facts, Listed, Relationship, Right, What, Who, fits

_DEEPEST: Final = 8
EVERYBODY: Final = "*"


@dataclass(frozen=True, slots=True)
class Standing:
    """Who asks, with what the directories say of them at a time; the same for all documents of an answer."""

    who: Who
    facts: Facts
    policy: AccessPolicy
    at: str
    rights: frozenset[Right]
    within: tuple[str, ...]
    care_setting: str
    teams: frozenset[str]
    emergency: str


def standing(who: Who, facts: Facts, policy: AccessPolicy, at: str) -> Standing:
    """What of the facts counts for somebody now."""
    listed = [each for each in _listed(who, facts) if each.span.holds(at)]
    roles = who.roles or frozenset(role for each in listed for role in each.roles)
    organisation = who.organisation or next((each.organisation for each in listed if each.organisation), "")
    within = tuple(chain(organisation, facts, at))
    rights = frozenset(
        each.right
        for role in roles
        for each in facts.rights.get(role, ())
        if each.span.holds(at) and (not each.organisation or each.organisation in within)
    )
    found = facts.organisations.get(organisation)
    setting = found.care_setting if found is not None and found.span.holds(at) else ""
    teams = frozenset(team for each in listed for team in each.teams)
    return Standing(
        who, facts, policy, at, rights, within, setting or "unknown", teams, _emergency(who, rights, policy)
    )


def _listed(who: Who, facts: Facts) -> Iterator[Listed]:
    if who.user:
        if facts.user is not None and facts.user.name == who.user and facts.user.issuer in ("", who.issuer):
            yield facts.user
        return
    for name in who.system:
        if name in facts.systems:
            yield facts.systems[name]


def chain(organisation: str, facts: Facts, at: str) -> Iterator[str]:
    """An organisation, the one that operates it, and so on."""
    seen: set[str] = set()
    while organisation and organisation not in seen and len(seen) < _DEEPEST:
        yield organisation
        seen.add(organisation)
        found = facts.organisations.get(organisation)
        organisation = found.part_of if found is not None and found.span.holds(at) else ""


def _emergency(who: Who, rights: frozenset[Right], policy: AccessPolicy) -> str:
    """Why the glass is broken; empty where it is not, or may not be."""
    if Right.BREAK_GLASS not in rights or (policy.reason_required and not who.reason):
        return ""
    for purpose in sorted(who.purposes):
        if any(fits(purpose, given) for given in policy.emergency_purposes):
            return f"{purpose}: {who.reason}" if who.reason else purpose
    return ""


@dataclass(frozen=True, slots=True)
class Case:
    """May this one do that to this patient's record?"""

    standing: Standing
    what: What
    patient_id: str

    @property
    def persons(self) -> frozenset[str]:
        """All ids of the patient."""
        return self.standing.facts.persons.get(self.patient_id, frozenset()) | {self.patient_id}

    def has(self, right: Right) -> bool:
        """Whether a role of the caller gives this right."""
        return right in self.standing.rights

    def opens(self, rule: str) -> bool:
        """Whether it is an emergency that passes a rule."""
        return bool(self.standing.emergency) and rule in self.standing.policy.emergency_opens

    def names_another_patient(self) -> bool:
        """Whether the assertion is about somebody else."""
        told = self.standing.who.patient_id
        return bool(told and self.patient_id) and asserted(told) not in {patient(each) for each in self.persons}

    def is_marked(self, codes: tuple[str, ...]) -> bool:
        """Whether the document has one of these confidentiality codes."""
        document = self.what.document
        return document is not None and any(fits(code, given) for code in document.confidentiality for given in codes)

    def has_agreement(self) -> bool:
        """Whether the document is of the caller's organisation, or shared with it by all whose it is."""
        document = self.what.document
        if document is None:
            return True
        if not document.organisations:
            return self.standing.policy.unknown_owner_allowed
        return all(self._is_shared(owner, document) for owner in document.organisations)

    def _is_shared(self, owner: str, document: Document) -> bool:
        mine = self.standing.within
        owners = tuple(chain(owner, self.standing.facts, self.standing.at))
        if mine and (mine[0] in owners or owner in mine):
            return True
        return any(self._covers(each, owners, document) for each in self.standing.facts.agreements)

    def _covers(self, agreement: Agreement, owners: tuple[str, ...], document: Document) -> bool:
        return (
            agreement.span.holds(self.standing.at)
            and not agreement.providers.isdisjoint((EVERYBODY, *owners))
            and not agreement.recipients.isdisjoint((EVERYBODY, *self.standing.within))
            and (not agreement.type_codes or _is_of_type(document, agreement.type_codes))
            and (not agreement.purposes or self._has_purpose(agreement.purposes))
        )

    def _has_purpose(self, given: frozenset[str]) -> bool:
        return any(fits(purpose, each) for purpose in self.standing.who.purposes for each in given)

    def consent(self, *, explicit: bool = False) -> Consent | None:
        """What the patient has said of this: of what fits the narrowest, and of those a refusal before a permission.

        A permission that is but implied is none where it has to be ``explicit``.
        """
        given = (each for each in self.standing.facts.consents if not (explicit and each.permits and each.is_implied))
        fitting = [each for each in given if self._is_about(each)]
        return min(fitting, key=lambda each: (-each.narrowness, each.permits), default=None)

    def _is_about(self, consent: Consent) -> bool:
        document = self.what.document
        if consent.patient_id not in self.persons or not consent.span.holds(self.standing.at):
            return False
        if consent.type_code and (document is None or not _is_of_type(document, frozenset({consent.type_code}))):
            return False
        if consent.organisation and consent.organisation not in self.standing.within:
            return False
        if not consent.purpose or self._has_purpose(frozenset({consent.purpose})):
            return True
        # Who does not say why may be asking for what is refused.
        return not consent.permits and not self.standing.who.purposes

    def has_relationship(self) -> bool:
        """Whether the patient is in the care of whoever asks."""
        return any(self._cares(each) for each in self.standing.facts.relationships)

    def _cares(self, relationship: Relationship) -> bool:
        here = self.standing
        if relationship.patient_id not in self.persons or not relationship.span.holds(here.at):
            return False
        if not (relationship.organisation or relationship.user):
            return False
        return (
            (not relationship.organisation or relationship.organisation in here.within)
            and (not relationship.team or relationship.team in here.teams)
            and (not relationship.user or relationship.user == here.who.user)
        )


def _is_of_type(document: Document, codes: frozenset[str]) -> bool:
    return any(fits(code, given) for code in (document.type_code, document.class_code) for given in codes)
