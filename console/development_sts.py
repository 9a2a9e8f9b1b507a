"""A security token service for development: signs an assertion about whoever it is told of (ITI-40)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.signer import XMLSigner

from common.access import load_access_policy
from common.caller import Coded
from common.xua.vocabulary import BEARER, DS, HOLDER_OF_KEY, SAML

SHIPPED_POLICY: Final = load_access_policy("")
"""Its name for the attribute that says why the glass is broken is the one that is written."""
_XSPA: Final = "urn:oasis:names:tc:xspa:1.0:subject"
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_HL7: Final = "urn:hl7-org:v3"


@dataclass(frozen=True, slots=True)
class Statement:
    """What an assertion is to say. With ``holder``, a certificate as base64, it is bound to that one's key."""

    user: str
    audiences: Sequence[str]
    name: str = ""
    organisation: str = ""
    organisation_id: str = ""
    roles: Sequence[Coded] = ()
    purposes: Sequence[Coded] = ()
    patient_id: str = ""
    reason: str = ""
    holder: str = ""
    lasts: timedelta = timedelta(minutes=5)
    since: datetime | None = None


def assertion(told: Statement, issuer: str) -> etree._Element:
    """The assertion, not signed yet."""
    since = told.since or datetime.now(UTC)
    made = etree.Element(_saml("Assertion"), nsmap={"saml": SAML, "hl7": _HL7, "xsi": _XSI})
    made.set("ID", f"_{uuid.uuid4().hex}")
    made.set("IssueInstant", _time(since))
    made.set("Version", "2.0")
    _text(made, "Issuer", issuer)
    subject = etree.SubElement(made, _saml("Subject"))
    _text(subject, "NameID", told.user)
    confirmation = etree.SubElement(subject, _saml("SubjectConfirmation"))
    confirmation.set("Method", HOLDER_OF_KEY if told.holder else BEARER)
    if told.holder:
        data = etree.SubElement(confirmation, _saml("SubjectConfirmationData"))
        info = etree.SubElement(data, f"{{{DS}}}KeyInfo", nsmap={"ds": DS})
        place = etree.SubElement(etree.SubElement(info, f"{{{DS}}}X509Data"), f"{{{DS}}}X509Certificate")
        place.text = told.holder
    conditions = etree.SubElement(made, _saml("Conditions"))
    conditions.set("NotBefore", _time(since))
    conditions.set("NotOnOrAfter", _time(since + told.lasts))
    restriction = etree.SubElement(conditions, _saml("AudienceRestriction"))
    for audience in told.audiences:
        _text(restriction, "Audience", audience)
    statement = etree.SubElement(made, _saml("AuthnStatement"))
    statement.set("AuthnInstant", _time(since))
    context = etree.SubElement(statement, _saml("AuthnContext"))
    _text(context, "AuthnContextClassRef", "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified")
    _attributes(made, told)
    return made


def signed(made: etree._Element, key: bytes) -> etree._Element:
    """The assertion with its signature; ``key`` is a PEM file with the key and its certificate."""
    private = serialization.load_pem_private_key(key, None)
    assert isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    certificate = x509.load_pem_x509_certificate(key)
    signer = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=(
            SignatureMethod.RSA_SHA256 if isinstance(private, rsa.RSAPrivateKey) else SignatureMethod.ECDSA_SHA256
        ),
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    place = etree.Element(f"{{{DS}}}Signature", {"Id": "placeholder"}, nsmap={"ds": DS})
    made.insert(1, place)  # where the schema wants it, behind the Issuer
    done: etree._Element = signer.sign(
        made, key=private, cert=[certificate], reference_uri=f"#{made.get('ID')}", id_attribute="ID"
    )
    return done


def _attributes(made: etree._Element, told: Statement) -> None:
    statement = etree.SubElement(made, _saml("AttributeStatement"))
    for name, value in (
        (f"{_XSPA}:subject-id", told.name),
        (f"{_XSPA}:organization", told.organisation),
        (f"{_XSPA}:organization-id", told.organisation_id),
        ("urn:oasis:names:tc:xacml:2.0:resource:resource-id", told.patient_id),
        (SHIPPED_POLICY.reason_attribute, told.reason),
    ):
        if value:
            _text(_attribute(statement, name), "AttributeValue", value)
    _coded(statement, "urn:oasis:names:tc:xacml:2.0:subject:role", "Role", told.roles)
    _coded(statement, f"{_XSPA}:purposeofuse", "PurposeOfUse", told.purposes)


def _coded(statement: etree._Element, name: str, kind: str, codes: Iterable[Coded]) -> None:
    for code in codes:
        value = etree.SubElement(_attribute(statement, name), _saml("AttributeValue"))
        child = etree.SubElement(value, f"{{{_HL7}}}{kind}", code=code.code, codeSystem=code.system)
        child.set(f"{{{_XSI}}}type", "hl7:CE")
        if code.display:
            child.set("displayName", code.display)


def _attribute(statement: etree._Element, name: str) -> etree._Element:
    made = etree.SubElement(statement, _saml("Attribute"), Name=name)
    made.set("NameFormat", "urn:oasis:names:tc:SAML:2.0:attrname-format:uri")
    return made


def _text(parent: etree._Element, name: str, text: str) -> None:
    etree.SubElement(parent, _saml(name)).text = text


def _saml(name: str) -> str:
    return f"{{{SAML}}}{name}"


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
