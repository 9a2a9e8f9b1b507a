"""Verifies an assertion (ITI TF-2 3.40, SAML 2.0 Core 2 and 5): its place, its signature, its conditions.

What is read of it is read from the element that the verifier of its signature hands back, and from no other: whatever
was wrapped around, put beside or hidden in the message says nothing to us.
"""

from __future__ import annotations

import binascii
import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from common.caller import Caller
from common.soap import faults
from common.soap.faults import WSSE, FaultKind
from common.xua.caller import SAML, TooMuch, read_caller, text_of
from common.xua.issuers import Issuers
from common.xua.refusal import NotIdentified
from common.xua.seen import Found, Seen

SECURITY: Final = f"{{{WSSE}}}Security"
DS: Final = "http://www.w3.org/2000/09/xmldsig#"
BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
HOLDER_OF_KEY: Final = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"

_ASSERTION: Final = f"{{{SAML}}}Assertion"
_SIGNATURE: Final = f"{{{DS}}}Signature"
_TOKENS: Final = frozenset({_ASSERTION, f"{{{SAML}}}EncryptedAssertion"})
_EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
_ENVELOPED: Final = f"{DS}enveloped-signature"
_NAMED: Final = etree.XPath("//*[@ID=$name or @Id=$name or @id=$name or @AssertionID=$name or @xml:id=$name]")
_ID: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,254}")
# Asymmetric only: an HMAC "signed" with a public key as its secret verifies everywhere.
_METHODS: Final = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.SHA256_RSA_MGF1,
        SignatureMethod.SHA384_RSA_MGF1,
        SignatureMethod.SHA512_RSA_MGF1,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
    }
)
_DIGESTS: Final = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class Policy:
    """Whose word counts, for whom an assertion has to be meant (URIs), and how far clocks may differ (seconds)."""

    issuers: Issuers | Callable[[], Issuers]
    audiences: frozenset[str]
    skew: float = 60.0
    longest: float = 86_400.0
    of_one_partner: bool = True
    """Whether an assertion counts on connections of the certificate only that it came with first."""


@dataclass(frozen=True, slots=True)
class _Conditions:
    """When and for whom an assertion counts, and to whose TLS certificate it is bound, if to any."""

    since: float
    until: float
    audiences: tuple[frozenset[str], ...]
    bearer: bool
    holders: frozenset[str]


_Keys = tuple[x509.Certificate, ...]


class Verifier:
    """Verifies assertions; safe to use from many threads.

    Assertions are used for many requests: what came before, byte for byte, has its signature checked no second time,
    and only its conditions are.
    """

    def __init__(self, policy: Policy, seen: Seen | None = None) -> None:
        """``seen`` is what other processes know as well."""
        self._policy = policy
        self._seen = seen or Seen()
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[bytes, str], tuple[Caller, _Conditions, _Keys]] = OrderedDict()

    def verify(self, root: etree._Element, security: etree._Element | None, now: float, holder: str = "") -> Caller:
        """Who asks; NotIdentified. ``holder`` is the SHA-256, in hex, of the certificate of whoever is connected."""
        assertion = _the_assertion(root, security)
        data = etree.tostring(assertion, with_tail=False)
        name = hashlib.sha256(data).digest(), holder
        issuers = self._policy.issuers() if callable(self._policy.issuers) else self._policy.issuers
        with self._lock:
            found = self._known.get(name)
        if found is None or issuers.get(found[0].issuer) != found[2]:  # whose keys were taken back is nobody's word
            found = self._verified(data, issuers, now)
        caller, conditions, _ = found
        self._check(conditions, now, holder)
        self._remember(name, found, now)
        return caller

    def _verified(self, data: bytes, issuers: Issuers, now: float) -> tuple[Caller, _Conditions, _Keys]:
        alone = _parsed(data)
        _check_shape(alone)
        try:
            issuer = text_of(alone.find(f"{{{SAML}}}Issuer"))
            certificates = issuers.get(issuer)
            if not certificates:
                raise _refused(faults.FAILED_AUTHENTICATION, "The assertion's issuer is not trusted here.")
            signed = _signed(alone, certificates, now)
            if signed.tag != _ASSERTION or signed.get("ID") != alone.get("ID"):
                raise _refused(faults.FAILED_CHECK, "The signature is not over the assertion.")
            conditions = _conditions(signed, self._policy)
            return read_caller(signed, conditions.until), conditions, certificates
        except TooMuch as error:
            raise _refused(faults.INVALID_TOKEN, "The assertion has more, or longer, values than are taken.") from error

    def _remember(self, name: tuple[bytes, str], found: tuple[Caller, _Conditions, _Keys], now: float) -> None:
        """One ID is one assertion: another under the same ID is a forgery, or a mistake of its issuer's.

        Whoever else comes with it has taken it from somebody (ITI TF-2 3.40.4.1.3).
        """
        if self._known.get(name) is found:
            return
        caller, conditions, _ = found
        presenter = name[1] if self._policy.of_one_partner and conditions.bearer else ""
        until = conditions.until + self._policy.skew
        known = self._seen.note(caller.issuer, caller.assertion_id, name[0], presenter, until, now)
        if known is Found.OTHER_CONTENT:
            raise _refused(faults.INVALID_TOKEN, "Another assertion with the same ID has been used.")
        if known is Found.OTHER_PRESENTER:
            raise _refused(faults.INVALID_TOKEN, "The assertion has been used with another certificate.")
        with self._lock:
            self._known[name] = found
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def _check(self, conditions: _Conditions, now: float, holder: str) -> None:
        skew = self._policy.skew
        if now < conditions.since - skew:
            raise _refused(faults.INVALID_TOKEN, "The assertion is not valid yet.")
        if now >= conditions.until + skew:
            raise _refused(faults.INVALID_TOKEN, "The assertion has expired.")
        if not all(each & self._policy.audiences for each in conditions.audiences) or not conditions.audiences:
            raise _refused(faults.INVALID_TOKEN, "The assertion is not meant for this service.")
        if not conditions.bearer and (not holder or holder not in conditions.holders):
            told = "The assertion is bound to a certificate that is not this connection's."
            raise _refused(faults.FAILED_AUTHENTICATION, told)


def _refused(kind: FaultKind, told: str) -> NotIdentified:
    return NotIdentified(kind, told)


def _the_assertion(root: etree._Element, security: etree._Element | None) -> etree._Element:
    """The one assertion of a message, in the one header; wherever else another stands, it is refused."""
    if security is None:
        raise _refused(faults.INVALID_SECURITY, "A wsse:Security header with a SAML assertion is required.")
    tokens = list(root.iter(*_TOKENS))
    own = [child for child in security if child.tag in _TOKENS]
    if not own:
        raise _refused(faults.UNSUPPORTED_TOKEN, "The wsse:Security header has no SAML 2.0 assertion.")
    if len(tokens) > 1 or own != tokens:
        raise _refused(faults.UNSUPPORTED_TOKEN, "The message has more than one assertion.")
    assertion = own[0]
    if assertion.tag != _ASSERTION:
        raise _refused(faults.UNSUPPORTED_TOKEN, "Encrypted assertions are not supported.")
    name = assertion.get("ID", "")
    if not _ID.fullmatch(name):
        raise _refused(faults.INVALID_TOKEN, "The assertion has no proper ID.")
    if _NAMED(root, name=name) != [assertion]:
        raise _refused(faults.INVALID_TOKEN, "The assertion's ID is not its alone.")
    return assertion


def _parsed(data: bytes) -> etree._Element:
    """The assertion as a document of its own: nothing around it can be taken for a part of it."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    return etree.fromstring(data, parser)


def _check_shape(assertion: etree._Element) -> None:
    """One enveloped signature, a child of the assertion, over all of it and nothing else (SAML 2.0 Core 5.4)."""
    if assertion.get("Version") != "2.0":
        raise _refused(faults.UNSUPPORTED_TOKEN, "The assertion is not of SAML 2.0.")
    signatures = list(assertion.iter(_SIGNATURE))
    if not signatures:
        raise _refused(faults.FAILED_CHECK, "The assertion is not signed.")
    if len(signatures) > 1 or signatures[0].getparent() is not assertion:
        raise _refused(faults.FAILED_CHECK, "The assertion has a signature in another place than its own.")
    signature = signatures[0]
    if signature.find(f"{{{DS}}}Object") is not None:
        raise _refused(faults.FAILED_CHECK, "The signature holds something else than a signature.")
    references = signature.findall(f"{{{DS}}}SignedInfo/{{{DS}}}Reference")
    if len(references) != 1 or references[0].get("URI") != f"#{assertion.get('ID')}":
        raise _refused(faults.FAILED_CHECK, "The signature is not over the assertion alone.")
    transforms = [each.get("Algorithm") for each in references[0].iterfind(f"{{{DS}}}Transforms/{{{DS}}}Transform")]
    canonical = signature.find(f"{{{DS}}}SignedInfo/{{{DS}}}CanonicalizationMethod")
    if transforms != [_ENVELOPED, _EXCLUSIVE] or canonical is None or canonical.get("Algorithm") != _EXCLUSIVE:
        told = "The signature has other transforms than enveloped-signature and exclusive canonicalisation."
        raise _refused(faults.FAILED_CHECK, told)


def _signed(assertion: etree._Element, certificates: tuple[x509.Certificate, ...], now: float) -> etree._Element:
    """The element that a signature by one of these certificates is over."""
    config = SignatureConfiguration(location="./", signature_methods=_METHODS, digest_algorithms=_DIGESTS)
    at = datetime.fromtimestamp(now, UTC)
    expired = False
    for certificate in certificates:
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            expired = True
            continue
        try:
            verified = XMLVerifier().verify(
                assertion, x509_cert=certificate, expect_config=replace(config, verification_time=at)
            )
        except (SignXMLException, ValueError, TypeError, KeyError, AttributeError):
            continue
        if not isinstance(verified, list) and verified.signed_xml is not None:
            return verified.signed_xml
    if expired:
        raise _refused(faults.FAILED_AUTHENTICATION, "The certificate that the issuer signs with has expired.")
    raise _refused(faults.FAILED_CHECK, "The signature was not made by a key of the issuer, or not over these bytes.")


def _conditions(assertion: etree._Element, policy: Policy) -> _Conditions:
    """The bounds that an assertion sets itself; one without any is not taken."""
    conditions = assertion.find(f"{{{SAML}}}Conditions")
    subject = assertion.find(f"{{{SAML}}}Subject")
    if conditions is None or subject is None or not text_of(subject.find(f"{{{SAML}}}NameID")):
        raise _refused(faults.INVALID_TOKEN, "The assertion needs a Subject with a NameID, and Conditions.")
    since, until = _time(conditions, "NotBefore"), _time(conditions, "NotOnOrAfter")
    issued = _time(assertion, "IssueInstant")
    if since is None or until is None or issued is None:
        raise _refused(faults.INVALID_TOKEN, "The assertion needs an IssueInstant, NotBefore and NotOnOrAfter.")
    if until - since > policy.longest:
        raise _refused(faults.INVALID_TOKEN, "The assertion is valid for longer than is taken.")
    statements = assertion.findall(f"{{{SAML}}}AuthnStatement")
    if not statements:
        raise _refused(faults.INVALID_TOKEN, "The assertion needs an AuthnStatement.")
    ends = [_time(each, "SessionNotOnOrAfter") for each in statements]
    confirmations = list(subject.iterfind(f"{{{SAML}}}SubjectConfirmation"))
    methods = {each.get("Method") for each in confirmations}
    if not methods & {BEARER, HOLDER_OF_KEY}:
        raise _refused(faults.UNSUPPORTED_TOKEN, "The assertion is neither a bearer's nor a key holder's.")
    for each in confirmations:
        data = each.find(f"{{{SAML}}}SubjectConfirmationData")
        if data is not None and each.get("Method") == BEARER:
            ends.append(_time(data, "NotOnOrAfter"))
    restrictions = conditions.findall(f"{{{SAML}}}AudienceRestriction")
    return _Conditions(
        since=max(since, issued),
        until=min([until, *(end for end in ends if end is not None)]),
        audiences=tuple(
            frozenset(text_of(each) for each in restriction.iterfind(f"{{{SAML}}}Audience"))
            for restriction in restrictions
        ),
        bearer=BEARER in methods,
        holders=frozenset(_holders(confirmations)),
    )


def _holders(confirmations: list[etree._Element]) -> Iterator[str]:
    """The SHA-256 of each certificate that an assertion is bound to (SAML 2.0 Holder-of-Key)."""
    for each in confirmations:
        if each.get("Method") == HOLDER_OF_KEY:
            path = f"{{{SAML}}}SubjectConfirmationData/{{{DS}}}KeyInfo/{{{DS}}}X509Data/{{{DS}}}X509Certificate"
            for certificate in each.iterfind(path):
                yield _fingerprint(text_of(certificate))


def _fingerprint(base64: str) -> str:
    try:
        return hashlib.sha256(binascii.a2b_base64(base64)).hexdigest()
    except ValueError:
        return ""


def _time(element: etree._Element, name: str) -> float | None:
    """Seconds since the epoch; SAML's times are in UTC (SAML 2.0 Core 1.3.3)."""
    text = element.get(name)
    if text is None:
        return None
    try:
        told = datetime.fromisoformat(text.strip())
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise _refused(faults.INVALID_TOKEN, f"The assertion's {name} is not a time.") from error
