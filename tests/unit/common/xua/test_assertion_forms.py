"""What SAML and XUA let an issuer say is taken: of whom, when, for whom it counts; what they forbid has its fault."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lxml import etree

from common.soap import faults
from common.soap.faults import FaultKind
from common.tls import Peer
from common.xua import NotIdentified, Verifier
from common.xua.vocabulary import BEARER, DS11, HOLDER_OF_KEY, saml
from console import development_ca
from tests.unit.common.xua.kit import Change, a_certificate, a_part, a_time, asked, fault_of
from tests.xua import AUDIENCE, DOCTOR, Sts, a_message, as_base64


def confirmed(*confirmations: str) -> Change:
    """The subject confirmed so, and in no other way."""

    def change(made: Any) -> None:
        subject = made.find(saml("Subject"))
        subject.remove(subject.find(saml("SubjectConfirmation")))
        for each in confirmations:
            subject.append(a_part(each))

    return change


def bearer(data: str = "") -> str:
    return f'<SubjectConfirmation Method="{BEARER}"><SubjectConfirmationData {data}/></SubjectConfirmation>'


def in_conditions(xml: str) -> Change:
    return lambda made: made.find(saml("Conditions")).append(a_part(xml))


def audiences(*restrictions: tuple[str, ...]) -> Change:
    def change(made: Any) -> None:
        conditions = made.find(saml("Conditions"))
        conditions.remove(conditions[0])
        for each in restrictions:
            inside = "".join(f"<Audience>{audience}</Audience>" for audience in each)
            conditions.append(a_part(f"<AudienceRestriction>{inside}</AudienceRestriction>"))

    return change


def another_statement(made: Any) -> None:
    made.append(
        a_part(
            f'<AuthnStatement AuthnInstant="{a_time(-9)}" SessionIndex="2"><SubjectLocality Address="192.0.2.1"/>'
            "<AuthnContext><AuthnContextDeclRef>urn:x</AuthnContextDeclRef></AuthnContext></AuthnStatement>"
        )
    )


def with_times(form: str) -> Change:
    def change(made: Any) -> None:
        now = datetime.now(UTC)
        for place, name, minutes in (("", "IssueInstant", -1), ("Conditions", "NotBefore", -1),
                                     ("Conditions", "NotOnOrAfter", 5)):  # fmt: skip
            at = now + timedelta(minutes=minutes)
            (made.find(saml(place)) if place else made).set(name, form.format(at.strftime("%Y-%m-%dT%H:%M:%S")))

    return change


def named(xml: str) -> Change:
    def change(made: Any) -> None:
        subject = made.find(saml("Subject"))
        subject.replace(subject.find(saml("NameID")), a_part(xml))

    return change


TAKEN: dict[str, Change] = {
    "one time of use, and no proxies": lambda made: [
        in_conditions(each)(made) for each in ("<OneTimeUse/>", '<ProxyRestriction Count="0"/>')
    ] and None,
    "several audiences": audiences(("https://domain.example", AUDIENCE, "https://other.example")),
    "several restrictions that are all met": audiences((AUDIENCE,), ("https://x.example", AUDIENCE)),
    "an audience with a slash at its end": audiences((f"{AUDIENCE}/",)),
    "an audience in white space": audiences((f"\n   {AUDIENCE}\n  ",)),
    "no data of the confirmation": confirmed(f'<SubjectConfirmation Method="{BEARER}"/>'),
    "the right recipient": confirmed(bearer(f'Recipient="{AUDIENCE}"')),
    "times and a request's id": confirmed(
        bearer(f'NotBefore="{a_time(-60)}" NotOnOrAfter="{a_time(900)}" InResponseTo="_1" Address="192.0.2.1"')
    ),
    "one confirmation of several that holds": confirmed(
        bearer(f'NotOnOrAfter="{a_time(-900)}"'),
        f'<SubjectConfirmation Method="{HOLDER_OF_KEY}"/>',
        '<SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"/>',
        bearer(),
    ),
    "several statements of authentication": another_statement,
    "a name of a form, with white space": named(
        f'<NameID Format="urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified" SPProvidedID="a">\n {DOCTOR.user} '
        "</NameID>"
    ),
    "seven digits of a second": with_times("{}.1234567Z"),
    "a zone": with_times("{}+00:00"),
    "no zone": with_times("{}"),
    "advice": lambda made: made.find(saml("Conditions")).addnext(a_part("<Advice><AssertionIDRef>_2</AssertionIDRef>"
                                                                        "</Advice>")),
    "no attributes": lambda made: made.remove(made.find(saml("AttributeStatement"))),
}  # fmt: skip


@pytest.mark.parametrize("change", TAKEN.values(), ids=TAKEN)
def test_what_saml_allows_an_issuer_to_say_is_taken(sts: Sts, verifier: Verifier, change: Change) -> None:
    assert asked(verifier, sts.sign(change=change)).user == DOCTOR.user


def gone(name: str, attribute: str = "") -> Change:
    def change(made: Any) -> None:
        found = made.find(f".//{saml(name)}") if name else made
        if attribute:
            del found.attrib[attribute]
        else:
            found.getparent().remove(found)

    return change


def text(name: str, told: str) -> Change:
    return lambda made: setattr(made.find(f".//{saml(name)}"), "text", told)


def misplaced(made: Any) -> None:
    made.append(made.find(saml("Conditions")))


REFUSED: dict[str, tuple[Change, FaultKind]] = {
    "one of two restrictions not met": (audiences((AUDIENCE,), ("https://x.example",)), faults.INVALID_TOKEN),
    "a restriction without an audience": (audiences(()), faults.INVALID_TOKEN),
    "an audience that only begins so": (audiences((f"{AUDIENCE}.evil.example",)), faults.INVALID_TOKEN),
    "an audience of nothing but a slash": (audiences(("/",)), faults.INVALID_TOKEN),
    "an empty audience": (text("Audience", ""), faults.INVALID_TOKEN),
    "a condition that nobody knows": (in_conditions('<Condition xsi:type="hl7:Only"/>'), faults.INVALID_TOKEN),
    "another recipient": (confirmed(bearer('Recipient="https://elsewhere.example"')), faults.INVALID_TOKEN),
    "a confirmation that is over": (confirmed(bearer(f'NotOnOrAfter="{a_time(-900)}"')), faults.INVALID_TOKEN),
    "a confirmation to come": (confirmed(bearer(f'NotBefore="{a_time(900)}"')), faults.INVALID_TOKEN),
    "a confirmation with no time": (confirmed(bearer('NotOnOrAfter="soon"')), faults.INVALID_TOKEN),
    "no method of confirmation": (confirmed("<SubjectConfirmation/>"), faults.INVALID_TOKEN),
    "no start": (gone("Conditions", "NotBefore"), faults.INVALID_TOKEN),
    "no end": (gone("Conditions", "NotOnOrAfter"), faults.INVALID_TOKEN),
    "a day for a time": (lambda made: made.set("IssueInstant", "2026-03-11"), faults.INVALID_TOKEN),
    "no time of issue": (gone("", "IssueInstant"), faults.INVALID_TOKEN),
    "no issuer": (gone("Issuer"), faults.INVALID_TOKEN),
    "an empty issuer": (text("Issuer", " "), faults.INVALID_TOKEN),
    "an empty name": (text("NameID", " "), faults.INVALID_TOKEN),
    "an encrypted name": (named("<EncryptedID/>"), faults.INVALID_TOKEN),
    "a name with elements": (named("<NameID>a<hl7:b/></NameID>"), faults.INVALID_TOKEN),
    "no subject": (gone("Subject"), faults.INVALID_TOKEN),
    "no time of authentication": (gone("AuthnStatement", "AuthnInstant"), faults.INVALID_TOKEN),
    "no context of authentication": (gone("AuthnContext"), faults.INVALID_TOKEN),
    "no class of authentication": (gone("AuthnContextClassRef"), faults.INVALID_TOKEN),
    "conditions in the wrong place": (misplaced, faults.INVALID_TOKEN),
    "an element that is not of SAML": (lambda made: made.append(etree.Element("{urn:x}Y")), faults.INVALID_TOKEN),
    "an attribute without a name": (gone("Attribute", "Name"), faults.INVALID_TOKEN),
    "no version": (gone("", "Version"), faults.UNSUPPORTED_TOKEN),
}


@pytest.mark.parametrize(("change", "kind"), REFUSED.values(), ids=REFUSED)
def test_what_no_issuer_may_say_has_its_fault(sts: Sts, verifier: Verifier, change: Change, kind: FaultKind) -> None:
    assert fault_of(verifier, sts.sign(change=change)) is kind


def test_a_key_holder_is_anybody_whom_one_of_its_confirmations_names(sts: Sts, verifier: Verifier) -> None:
    authority = development_ca.Authority(sts.folder)
    portal, other = (authority.issue(name, (), 5).pem for name in ("portal", "other"))
    held = [
        f'<SubjectConfirmation Method="{HOLDER_OF_KEY}"><SubjectConfirmationData {more}><ds:KeyInfo><ds:X509Data>'
        f"<ds:X509Certificate>\n{as_base64(pem)}\n</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        "</SubjectConfirmationData></SubjectConfirmation>"
        for pem, more in ((portal, ""), (other, f'NotOnOrAfter="{a_time(-900)}"'))
    ]
    made = sts.sign(change=confirmed(*held))

    assert asked(verifier, made, holder=development_ca.fingerprint(portal)).user == DOCTOR.user
    assert fault_of(verifier, made, holder=development_ca.fingerprint(other)) is faults.FAILED_AUTHENTICATION
    assert fault_of(verifier, made) is faults.FAILED_AUTHENTICATION


def _b64(number: int) -> str:
    return base64.b64encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).decode()


def key_infos(key: Any) -> Iterator[str]:
    """The key itself, in each form."""
    encoded = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    yield f'<d:DEREncodedKeyValue xmlns:d="{DS11}">{base64.b64encode(encoded).decode()}</d:DEREncodedKeyValue>'
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        yield (
            f"<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{_b64(numbers.n)}</ds:Modulus><ds:Exponent>{_b64(numbers.e)}"
            "</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>"
        )
        return
    point = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    yield (
        f'<ds:KeyValue><d:ECKeyValue xmlns:d="{DS11}"><d:NamedCurve URI="urn:oid:1.2.840.10045.3.1.7"/><d:PublicKey>'
        f"{base64.b64encode(point).decode()}</d:PublicKey></d:ECKeyValue></ds:KeyValue>"
    )


def holding(info: str) -> Change:
    return confirmed(
        f'<SubjectConfirmation Method="{HOLDER_OF_KEY}"><SubjectConfirmationData><ds:KeyInfo>{info}</ds:KeyInfo>'
        "</SubjectConfirmationData></SubjectConfirmation>"
    )


def test_an_assertion_may_name_the_key_itself(sts: Sts, verifier: Verifier) -> None:
    for key in ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048):
        der = a_certificate(key).public_bytes(serialization.Encoding.DER)
        mine, other = Peer.told({}, der), Peer("", "ab" * 32, (), "cd" * 32)
        for info in key_infos(key.public_key()):
            made = sts.sign(change=holding(info))
            assert verifier.verify(*a_message(made), time.time(), mine.fingerprint, mine.key).user == DOCTOR.user
            with pytest.raises(NotIdentified) as refused:
                verifier.verify(*a_message(made), time.time(), other.fingerprint, other.key)
            assert refused.value.kind is faults.FAILED_AUTHENTICATION


ELLIPTIC_WRONG = (
    f'<ds:KeyValue><d:ECKeyValue xmlns:d="{DS11}"><d:NamedCurve URI="urn:oid:1.3.132.0.34"/>'
    "<d:PublicKey>BAAA</d:PublicKey></d:ECKeyValue></ds:KeyValue>"
)


@pytest.mark.parametrize(
    "info",
    [
        "",
        "<ds:KeyName>portal</ds:KeyName>",
        "<ds:X509Data><ds:X509Certificate>?</ds:X509Certificate></ds:X509Data>",
        "<ds:KeyValue><ds:RSAKeyValue/></ds:KeyValue>",
        "<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>A</ds:Modulus><ds:Exponent/></ds:RSAKeyValue></ds:KeyValue>",
        f'<ds:KeyValue><d:ECKeyValue xmlns:d="{DS11}"><d:NamedCurve URI="urn:x"/></d:ECKeyValue></ds:KeyValue>',
        ELLIPTIC_WRONG,
        f'<d:DEREncodedKeyValue xmlns:d="{DS11}">AAAA</d:DEREncodedKeyValue>',
    ],
)
def test_what_names_no_key_binds_to_nobody(sts: Sts, verifier: Verifier, info: str) -> None:
    made = sts.sign(change=holding(info))

    for shown in ("", ""), ("ab" * 32, ""), ("ab" * 32, "cd" * 32):
        with pytest.raises(NotIdentified) as refused:
            verifier.verify(*a_message(made), time.time(), *shown)
        assert refused.value.kind is faults.FAILED_AUTHENTICATION


def test_clocks_may_differ_by_a_minute_and_no_more(sts: Sts, verifier: Verifier) -> None:
    now = time.time()
    for seconds, is_taken in ((-59, True), (-62, False), (300 + 58, True), (300 + 61, False)):
        made = sts.sign(since=datetime.fromtimestamp(now, UTC))
        if is_taken:
            assert asked(verifier, made, at=now + seconds).user == DOCTOR.user
        else:
            assert fault_of(verifier, made, at=now + seconds) is faults.INVALID_TOKEN
