"""When, for whom and from whom an assertion counts, and whether that holds (SAML 2.0 Core 2.4 and 2.5)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from math import inf
from typing import Final

from lxml import etree

from common.soap import faults
from common.xua.caller import text_of
from common.xua.holding import holders
from common.xua.instants import instant
from common.xua.refusal import NotIdentified, refused
from common.xua.vocabulary import BEARER, HOLDER_OF_KEY, saml

_METHODS: Final = (BEARER, HOLDER_OF_KEY)


def address(told: str) -> str:
    """An address of a service; one with a slash at its end is the one without."""
    return told.strip().rstrip("/")


@dataclass(frozen=True, slots=True)
class Confirmation:
    """One way in which the subject is confirmed; any of several will do (SAML 2.0 Core 2.4.1.1)."""

    bearer: bool
    since: float
    until: float
    recipient: str
    holders: frozenset[str]

    def objection(
        self, now: float, skew: float, audiences: Collection[str], presenter: frozenset[str]
    ) -> NotIdentified | None:
        """Why the subject is not confirmed by it."""
        if now < self.since - skew:
            return refused(faults.INVALID_TOKEN, "The assertion's subject is not confirmed yet.")
        if now >= self.until + skew:
            return refused(faults.INVALID_TOKEN, "The assertion has expired: its subject is confirmed no more.")
        if self.recipient and self.recipient not in audiences:
            return refused(faults.INVALID_TOKEN, "The assertion's recipient is another service.")
        if not self.bearer and self.holders.isdisjoint(presenter):
            told = "The assertion is bound to a certificate, or a key, that is not this connection's."
            return refused(faults.FAILED_AUTHENTICATION, told)
        return None


@dataclass(frozen=True, slots=True)
class Conditions:
    """All of it; ``audiences`` has a set for each restriction, each of which has to be met."""

    since: float
    until: float
    audiences: tuple[frozenset[str], ...]
    confirmations: tuple[Confirmation, ...]

    @property
    def bearer(self) -> bool:
        """Whether whoever has the assertion may use it."""
        return any(each.bearer for each in self.confirmations)

    def check(self, now: float, skew: float, audiences: Collection[str], presenter: frozenset[str]) -> None:
        """NotIdentified where it does not count now, here, for this one."""
        if now < self.since - skew:
            raise refused(faults.INVALID_TOKEN, "The assertion is not valid yet.")
        if now >= self.until + skew:
            raise refused(faults.INVALID_TOKEN, "The assertion has expired.")
        if not self.audiences or any(each.isdisjoint(audiences) for each in self.audiences):
            raise refused(faults.INVALID_TOKEN, "The assertion is not meant for this service.")
        objections = [each.objection(now, skew, audiences, presenter) for each in self.confirmations]
        if None not in objections:
            raise next(each for each in objections if each is not None)


def read_conditions(assertion: etree._Element, longest: float) -> Conditions:
    """Of an assertion that was verified, and whose form is right; one that sets itself no bounds is not taken."""
    conditions, subject = assertion.find(saml("Conditions")), assertion.find(saml("Subject"))
    if conditions is None or subject is None or not text_of(subject.find(saml("NameID"))):
        raise refused(faults.INVALID_TOKEN, "The assertion needs a Subject with a NameID, and Conditions.")
    if conditions.find(saml("Condition")) is not None:
        raise refused(faults.INVALID_TOKEN, "The assertion has a condition that is not known here.")
    since, until = _time(conditions, "NotBefore"), _time(conditions, "NotOnOrAfter")
    issued = _time(assertion, "IssueInstant")
    if since is None or until is None or issued is None:
        raise refused(faults.INVALID_TOKEN, "The assertion needs an IssueInstant, NotBefore and NotOnOrAfter.")
    if until - since > longest:
        raise refused(faults.INVALID_TOKEN, "The assertion is valid for longer than is taken.")
    statements = assertion.findall(saml("AuthnStatement"))
    if not statements:
        raise refused(faults.INVALID_TOKEN, "The assertion needs an AuthnStatement.")
    sessions = (_time(each, "SessionNotOnOrAfter") for each in statements)
    confirmations = tuple(_confirmations(subject))
    if not confirmations:
        raise refused(faults.UNSUPPORTED_TOKEN, "The assertion is neither a bearer's nor a key holder's.")
    ends = [until, max(each.until for each in confirmations), *(each for each in sessions if each is not None)]
    return Conditions(
        since=max(since, issued),
        until=min(ends),
        audiences=tuple(
            frozenset(address(text_of(each)) for each in restriction.iterfind(saml("Audience")))
            for restriction in conditions.iterfind(saml("AudienceRestriction"))
        ),
        confirmations=confirmations,
    )


def _confirmations(subject: etree._Element) -> Iterator[Confirmation]:
    """Those of a kind that is known; a network address or a request's id in them is not looked at."""
    for each in subject.iterfind(saml("SubjectConfirmation")):
        if each.get("Method") not in _METHODS:
            continue
        data = each.find(saml("SubjectConfirmationData"))
        bearer = each.get("Method") == BEARER
        if data is None:
            yield Confirmation(bearer, -inf, inf, "", frozenset())
            continue
        since, until = _time(data, "NotBefore"), _time(data, "NotOnOrAfter")
        yield Confirmation(
            bearer,
            -inf if since is None else since,
            inf if until is None else until,
            address(data.get("Recipient", "")),
            frozenset(holders(data)),
        )


def _time(element: etree._Element, name: str) -> float | None:
    text = element.get(name)
    try:
        return None if text is None else instant(text)
    except ValueError:
        raise refused(faults.INVALID_TOKEN, f"The assertion's {name} is not a time.") from None
