"""Verifies the assertion of a message (ITI TF-2 3.40, SAML 2.0 Core 2 and 5): its signature, its form, its conditions.

What is read of it is read from the element that the verifier of its signature hands back, and from no other: whatever
was wrapped around, put beside or hidden in the message says nothing to us.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from common.caller import Caller
from common.soap import faults
from common.xua.caller import TooMuch, read_caller, text_of
from common.xua.conditions import Conditions, address, read_conditions
from common.xua.header import check_timestamp, the_assertion
from common.xua.issuers import Issuers
from common.xua.refusal import refused
from common.xua.seen import Found, Seen
from common.xua.shape import check_assertion, check_signature
from common.xua.vocabulary import ASSERTION, DS, EXCLUSIVE, SIGNATURE, ds, saml

# Comments are gone by the time that a signature is looked at, so that these are one (SAML 2.0 Core 5.4.3).
_CANONICAL: Final = frozenset({EXCLUSIVE, f"{EXCLUSIVE}WithComments"})
_ENVELOPED: Final = f"{DS}enveloped-signature"
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
_NO_PROOF: Final = (
    SignXMLException,
    etree.LxmlError,
    UnsupportedAlgorithm,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    NotImplementedError,
)
"""What comes of a signature that is wrong, or is none; nothing that it may hold is our breakdown."""
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


_Keys = tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class _Verified:
    """What is known of an assertion; ``content`` is the hash of what was signed, in whatever message it stands."""

    caller: Caller
    conditions: Conditions
    keys: _Keys
    content: bytes


class Verifier:
    """Verifies assertions; safe to use from many threads.

    Assertions are used for many requests: what came before, byte for byte, has its signature checked no second time,
    and only its conditions are.
    """

    def __init__(self, policy: Policy, seen: Seen | None = None) -> None:
        """``seen`` is what other processes know as well."""
        self._policy = policy
        self._audiences = frozenset(map(address, policy.audiences))
        self._seen = seen or Seen()
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[bytes, str], _Verified] = OrderedDict()

    def verify(
        self, root: etree._Element, security: etree._Element | None, now: float, holder: str = "", key: str = ""
    ) -> Caller:
        """Who asks; NotIdentified. ``holder`` and ``key`` are the SHA-256, in hex, of the certificate of whoever is
        connected, and of its public key.
        """
        if security is not None:
            self.check_timestamp(security, now)
        data = etree.tostring(the_assertion(root, security), with_tail=False)
        name = hashlib.sha256(data).digest(), holder
        issuers = self._policy.issuers() if callable(self._policy.issuers) else self._policy.issuers
        with self._lock:
            found = self._known.get(name)
        is_new = found is None or issuers.get(found.caller.issuer) != found.keys
        if found is None or is_new:  # whose keys were taken back is nobody's word
            found = self._verified(data, issuers, now)
        found.conditions.check(now, self._policy.skew, self._audiences, frozenset((holder, key)) - {""})
        if is_new:
            self._remember(name, found, now)
        return found.caller

    def check_timestamp(self, security: etree._Element, now: float) -> None:
        """Whether a message is in time, as its header says, with a user or without; NotIdentified."""
        check_timestamp(security, now, self._policy.skew)

    def _verified(self, data: bytes, issuers: Issuers, now: float) -> _Verified:
        alone = _parsed(data)
        _check_signature_shape(alone)
        try:
            issuer = text_of(alone.find(saml("Issuer")))
            if not issuer:
                raise refused(faults.INVALID_TOKEN, "The assertion has no Issuer.")
            certificates = issuers.get(issuer)
            if not certificates:
                raise refused(faults.FAILED_AUTHENTICATION, "The assertion's issuer is not trusted here.")
            proof = _proof(alone, certificates, now)
            signed = proof.signed_xml
            if signed is None or signed.tag != ASSERTION or signed.get("ID") != alone.get("ID"):
                raise refused(faults.FAILED_CHECK, "The signature is not over the assertion.")
            check_assertion(signed)
            conditions = read_conditions(signed, self._policy.longest)
            caller = read_caller(signed, conditions.until)
        except TooMuch as error:
            raise refused(faults.INVALID_TOKEN, "The assertion has more, or longer, values than are taken.") from error
        return _Verified(caller, conditions, certificates, hashlib.sha256(proof.signed_data).digest())

    def _remember(self, name: tuple[bytes, str], found: _Verified, now: float) -> None:
        """One ID is one assertion: another under the same ID is a forgery, or a mistake of its issuer's.

        Whoever else comes with it has taken it from somebody (ITI TF-2 3.40.4.1.3).
        """
        caller, conditions = found.caller, found.conditions
        presenter = name[1] if self._policy.of_one_partner and conditions.bearer else ""
        until = conditions.until + self._policy.skew
        known = self._seen.note(caller.issuer, caller.assertion_id, found.content, presenter, until, now)
        if known is Found.OTHER_CONTENT:
            raise refused(faults.INVALID_TOKEN, "Another assertion with the same ID has been used.")
        if known is Found.OTHER_PRESENTER:
            raise refused(faults.INVALID_TOKEN, "The assertion has been used with another certificate.")
        with self._lock:
            self._known[name] = found
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)


def _parsed(data: bytes) -> etree._Element:
    """The assertion as a document of its own: nothing around it can be taken for a part of it.

    Which key it says it was signed with is left out: keys come from settings.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    alone = etree.fromstring(data, parser)
    for signature in alone.findall(SIGNATURE):
        for info in signature.findall(ds("KeyInfo")):
            signature.remove(info)
    return alone


def _check_signature_shape(assertion: etree._Element) -> None:
    """One enveloped signature, a child of the assertion, over all of it and nothing else (SAML 2.0 Core 5.4)."""
    signatures = list(assertion.iter(SIGNATURE))
    if not signatures:
        raise refused(faults.FAILED_CHECK, "The assertion is not signed.")
    if len(signatures) > 1 or signatures[0].getparent() is not assertion:
        raise refused(faults.FAILED_CHECK, "The assertion has a signature in another place than its own.")
    signature = signatures[0]
    check_signature(signature)
    [reference] = signature.iter(ds("Reference"))
    if reference.get("URI") != f"#{assertion.get('ID')}":
        raise refused(faults.FAILED_CHECK, "The signature is not over the assertion alone.")
    enveloped, canonical = (each.get("Algorithm") for each in reference.iter(ds("Transform")))
    [of_signature] = signature.iter(ds("CanonicalizationMethod"))
    if enveloped != _ENVELOPED or not {canonical, of_signature.get("Algorithm")} <= _CANONICAL:
        told = "The signature has other transforms than enveloped-signature and exclusive canonicalisation."
        raise refused(faults.FAILED_CHECK, told)


def _proof(assertion: etree._Element, certificates: _Keys, now: float) -> VerifyResult:
    """What a signature by one of these certificates is over."""
    config = SignatureConfiguration(location="./", signature_methods=_METHODS, digest_algorithms=_DIGESTS)
    at = datetime.fromtimestamp(now, UTC)
    expired = False
    for certificate in certificates:
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            expired = True
            continue
        try:
            # Of its form more is known than the schema says, which has no place for a PrefixList.
            verified = XMLVerifier().verify(
                assertion,
                x509_cert=certificate,
                validate_schema=False,
                expect_config=replace(config, verification_time=at),
            )
        except _NO_PROOF:
            continue
        if not isinstance(verified, list):
            return verified
    if expired:
        raise refused(faults.FAILED_AUTHENTICATION, "The certificate that the issuer signs with has expired.")
    raise refused(faults.FAILED_CHECK, "The signature was not made by a key of the issuer, or not over these bytes.")
