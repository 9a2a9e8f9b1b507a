"""What another maker's sender may send by the standard is taken, and what SAML or XUA forbid has its fault."""

from __future__ import annotations

import base64
import random
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lxml import etree

from common.soap import faults
from common.soap.faults import SOAP, WSSE, WSU, FaultKind
from common.soap.xml import XmlLimits, XmlRefused, parse
from common.tls import Peer
from common.xua import Caller, Coded, NotIdentified, Policy, Verifier
from common.xua.vocabulary import BEARER, DS, DS11, HOLDER_OF_KEY, SAML, SAML_1, ds, saml
from console import development_ca, development_sts
from tests.signed import EXCLUSIVE, How, by_hand
from tests.xua import AUDIENCE, DOCTOR, ISSUER, Sts, a_message, as_base64

XSI = "http://www.w3.org/2001/XMLSchema-instance"
HL7 = "urn:hl7-org:v3"
ROLE = "urn:oasis:names:tc:xacml:2.0:subject:role"
PURPOSE = "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse"
Change = Callable[[Any], None]


@pytest.fixture(scope="module")
def sts(tmp_path_factory: pytest.TempPathFactory) -> Sts:
    return Sts(tmp_path_factory.mktemp("sts"))


@pytest.fixture
def verifier(sts: Sts) -> Verifier:
    return Verifier(Policy(sts.issuers, frozenset({AUDIENCE})))


def key_of(sts: Sts) -> Any:
    return serialization.load_pem_private_key(sts.key, None)


def asked(verifier: Verifier, *assertions: Any, at: float | None = None, holder: str = "") -> Caller:
    return verifier.verify(*a_message(*assertions), time.time() if at is None else at, holder)


def fault_of(verifier: Verifier, *assertions: Any, **more: Any) -> FaultKind:
    with pytest.raises(NotIdentified) as refused:
        asked(verifier, *assertions, **more)
    return refused.value.kind


def received(message: bytes) -> tuple[Any, Any]:
    """As the door reads it."""
    root = parse(message, XmlLimits())
    return root, root.find(f".//{{{WSSE}}}Security")


def a_time(seconds: int) -> str:
    """A time so many seconds from when it is used, which may be long after the tests were collected."""
    return f"@{seconds}@"


def timed(xml: str) -> str:
    def at(found: re.Match[str]) -> str:
        return datetime.fromtimestamp(time.time() + int(found[1]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    return re.sub(r"@(-?\d+)@", at, xml)


def a_part(xml: str) -> Any:
    """A piece of SAML."""
    declared = f'xmlns="{SAML}" xmlns:ds="{DS}" xmlns:hl7="{HL7}" xmlns:xsi="{XSI}"'
    return etree.fromstring(f"<a {declared}>{timed(xml)}</a>")[0]


# Signatures.

CERTIFICATE = b"<ds:X509Data><ds:X509Certificate>%b</ds:X509Certificate></ds:X509Data>"
SIGNED = {
    "no KeyInfo": How(),
    "a KeyName": How(key_info=b"<ds:KeyName>sts-2026</ds:KeyName>"),
    "a certificate that is nobody's": How(key_info=CERTIFICATE % b"AAAA"),
    "a subject and a serial number": How(
        key_info=b"<ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>CN=x</ds:X509IssuerName>"
        b"<ds:X509SerialNumber>1</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data>"
    ),
    "a KeyValue of RSA beside RSA-PSS": How(
        is_pss=True,
        key_info=CERTIFICATE
        % b"AAAA"
        + b"<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>AQAB</ds:Modulus><ds:Exponent>AQAB</ds:Exponent>"
        b"</ds:RSAKeyValue></ds:KeyValue>",
    ),
    "a reference to a token": How(
        key_info=b'<w:SecurityTokenReference xmlns:w="%b"><w:KeyIdentifier>abc</w:KeyIdentifier>'
        b"</w:SecurityTokenReference>" % WSSE.encode()
    ),
    "SHA-384 and SHA-512": How(digest="sha384", signs_with="sha512"),
    "canonicalisation with comments": How(canonical=f"{EXCLUSIVE}WithComments", transform=f"{EXCLUSIVE}WithComments"),
    "an empty PrefixList": How(prefixes=""),
    "a PrefixList": How(prefixes="saml hl7 xsi"),
    "a PrefixList with the default": How(prefixes="#default xs xsi"),
    "line breaks": How(indent="\n    "),
}


@pytest.mark.parametrize("how", SIGNED.values(), ids=SIGNED)
def test_a_signature_counts_in_each_form_that_signers_give_it(sts: Sts, verifier: Verifier, how: How) -> None:
    made = development_sts.assertion(DOCTOR, ISSUER)

    assert asked(verifier, by_hand(made, key_of(sts), how)).user == DOCTOR.user


def test_an_elliptic_key_signs_as_well(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    certificate = a_certificate(key)
    verifier = Verifier(Policy({ISSUER: (certificate,)}, frozenset({AUDIENCE})))

    for name in ("sha256", "sha384"):
        made = by_hand(development_sts.assertion(DOCTOR, ISSUER), key, How(signs_with=name))
        assert asked(verifier, made).user == DOCTOR.user


def a_certificate(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sts")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    return made.sign(key, hashes.SHA256())


SIGNED_WRONG = {
    "SHA-1 in the digest": How(digest="sha1"),
    "SHA-1 in the signature": How(signs_with="sha1"),
    "inclusive canonicalisation": How(transform="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
}


@pytest.mark.parametrize("how", SIGNED_WRONG.values(), ids=SIGNED_WRONG)
def test_a_weak_signature_is_refused_though_it_is_right(sts: Sts, verifier: Verifier, how: How) -> None:
    made = development_sts.assertion(DOCTOR, ISSUER)

    assert fault_of(verifier, by_hand(made, key_of(sts), how)) is faults.FAILED_CHECK


SIGNATURE_PARTS = ("SignatureValue", "SignedInfo", "CanonicalizationMethod", "SignatureMethod", "Reference",
                   "Transforms", "DigestMethod", "DigestValue")  # fmt: skip


@pytest.mark.parametrize("part", SIGNATURE_PARTS)
@pytest.mark.parametrize("way", ["gone", "empty", "twice", "nonsense"])
def test_a_signature_in_pieces_is_refused_and_nobodys_breakdown(
    sts: Sts, verifier: Verifier, part: str, way: str
) -> None:
    made = sts.sign()
    found = made.find(f".//{ds(part)}")
    if way == "gone":
        found.getparent().remove(found)
    elif way == "twice":
        found.addnext(etree.fromstring(etree.tostring(found)))
    else:
        for child in list(found):
            found.remove(child)
        found.attrib.clear()
        found.text = "" if way == "empty" else "\N{SNOWMAN}"

    assert fault_of(verifier, made) is faults.FAILED_CHECK


def test_one_assertion_serves_messages_of_whatever_surroundings(sts: Sts, verifier: Verifier) -> None:
    """Each kind of message declares namespaces of its own around it: it is the same one all the same."""
    made = etree.tostring(sts.sign())
    for declared in (b"", b' xmlns:query="urn:query" xmlns:rim="urn:rim"', b' xmlns="urn:another" xmlns:rim="urn:r"'):
        message = b'<s:Envelope xmlns:s="%b"%b><s:Header><w:Security xmlns:w="%b">%b</w:Security></s:Header><s:Body>'
        message += b"<q/></s:Body></s:Envelope>"
        root, header = received(message % (SOAP.encode(), declared, WSSE.encode(), made))
        assert verifier.verify(root, header, time.time()).user == DOCTOR.user


def test_a_prefix_that_is_declared_around_the_assertion_is_part_of_what_was_signed(
    sts: Sts, verifier: Verifier
) -> None:
    """`xsi:type="xs:string"` with a PrefixList, as OpenSAML writes it."""
    root = etree.fromstring(
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="{XSI}"><s:Header>'
        f'<w:Security xmlns:w="{WSSE}"/></s:Header><s:Body><q/></s:Body></s:Envelope>'
    )
    header = root.find(f".//{{{WSSE}}}Security")
    made = development_sts.assertion(DOCTOR, ISSUER)
    for value in made.iter(saml("AttributeValue")):
        if not len(value):
            value.set(f"{{{XSI}}}type", "xs:string")
    header.append(made)
    by_hand(made, key_of(sts), How(prefixes="xs"))

    caller = verifier.verify(*received(etree.tostring(root)), time.time())
    assert (caller.name, caller.organisation) == (DOCTOR.name, DOCTOR.organisation)


# What is said of the subject, and when and for whom it counts.


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


# What is said of the user.


def attribute(name: str, *values: str) -> Change:
    """In the place of what there is of that name."""

    def change(made: Any) -> None:
        statement = made.find(saml("AttributeStatement"))
        for each in statement.findall(saml("Attribute")):
            if each.get("Name") == name:
                statement.remove(each)
        statement.append(a_part(f'<Attribute Name="{name}">{"".join(values)}</Attribute>'))

    return change


CE = 'code="R8000" codeSystem="2.999.7" displayName="Clinician"'
CODED = {
    "an element of HL7's, of whatever prefix": f'<v3:Role xmlns:v3="{HL7}" xsi:type="v3:CE" {CE}/>',
    "of the default namespace": f'<Role xmlns="{HL7}" xsi:type="CE" {CE}/>',
    "without a type": f"<hl7:Role {CE}/>",
    "of another type": f'<hl7:Role xsi:type="hl7:CD" {CE}/>',
    "with a translation": f'<hl7:Role {CE}><hl7:translation code="x" codeSystem="2.999.8"/></hl7:Role>',
    "with line breaks": f"\n  <hl7:Role {CE}/>\n ",
}


@pytest.mark.parametrize("name", [ROLE, PURPOSE])
@pytest.mark.parametrize("value", CODED.values(), ids=CODED)
def test_a_code_is_read_in_each_form(sts: Sts, verifier: Verifier, name: str, value: str) -> None:
    change = attribute(name, f"<AttributeValue>{value}</AttributeValue>", "<AttributeValue/>")
    caller = asked(verifier, sts.sign(change=change))

    found = caller.roles if name == ROLE else caller.purposes
    assert found == (Coded("R8000", "2.999.7", "Clinician"),)


def test_a_code_may_be_the_value_itself_or_plain_text(sts: Sts, verifier: Verifier) -> None:
    itself, plain = f'<AttributeValue xsi:type="hl7:CE" {CE}/>', "<AttributeValue>R8001</AttributeValue>"

    caller = asked(verifier, sts.sign(change=attribute(ROLE, itself, plain)))

    assert caller.roles == (Coded("R8000", "2.999.7", "Clinician"), Coded("R8001", ""))


def test_empty_values_say_nothing_and_unknown_attributes_are_kept(sts: Sts, verifier: Verifier) -> None:
    def change(made: Any) -> None:
        attribute("urn:oasis:names:tc:xspa:1.0:subject:organization", "<AttributeValue/>",
                  '<AttributeValue xsi:nil="true"/>', "<AttributeValue> </AttributeValue>")(made)  # fmt: skip
        attribute(ROLE)(made)
        attribute(PURPOSE, "<AttributeValue><hl7:PurposeOfUse/></AttributeValue>")(made)
        attribute("urn:example:ward", "<AttributeValue>7 <hl7:b>North</hl7:b></AttributeValue>")(made)

    caller = asked(verifier, sts.sign(change=change))

    assert (caller.organisation, caller.roles, caller.purposes) == ("", (), ())
    assert caller.others == {"urn:example:ward": ("7 North",)}


# The header, and where an assertion stands.


def in_header(verifier: Verifier, inside: str, at: float | None = None, after: str = "") -> Caller:
    block = f'<w:Security xmlns:w="{WSSE}" xmlns:u="{WSU}" xmlns:ds="{DS}">{timed(inside)}</w:Security>{after}'
    message = f'<s:Envelope xmlns:s="{SOAP}"><s:Header>{block}</s:Header><s:Body><q/></s:Body></s:Envelope>'
    return verifier.verify(*received(message.encode()), time.time() if at is None else at)


def stamp(created: int | None, expires: int | None) -> str:
    times = (("Created", created), ("Expires", expires))
    inside = "".join(f"<u:{name}>{a_time(at)}</u:{name}>" for name, at in times if at is not None)
    return f'<u:Timestamp u:Id="TS-1">{inside}</u:Timestamp>'


BINARY = '<w:BinarySecurityToken u:Id="X509-1" ValueType="x#X509v3">AAAA</w:BinarySecurityToken>'
A_USER = "<w:UsernameToken><w:Username>nobody</w:Username></w:UsernameToken>"
TO_BINARY = '<w:SecurityTokenReference><w:Reference URI="#X509-1"/></w:SecurityTokenReference>'
SAML_ID = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLID"
TO_ASSERTION = (
    '<w:SecurityTokenReference><w:KeyIdentifier ValueType="{}">{}</w:KeyIdentifier></w:SecurityTokenReference>'
)


@pytest.mark.parametrize(
    "beside",
    [
        stamp(-30, 300),
        stamp(30, None),
        stamp(None, -30),
        BINARY,
        A_USER,
        BINARY + f"<ds:Signature>{TO_BINARY}</ds:Signature>",
    ],
)
def test_what_else_a_header_holds_does_no_harm(sts: Sts, verifier: Verifier, beside: str) -> None:
    assert in_header(verifier, beside + etree.tostring(sts.sign()).decode()).user == DOCTOR.user


def test_a_reference_to_the_assertion_finds_it(sts: Sts, verifier: Verifier) -> None:
    made = sts.sign()
    reference = TO_ASSERTION.format(SAML_ID, made.get("ID"))

    assert in_header(verifier, etree.tostring(made).decode() + reference).user == DOCTOR.user


ALONE: dict[str, tuple[str, FaultKind]] = {
    "nothing": ("", faults.INVALID_SECURITY),
    "a time alone": (stamp(0, 300), faults.INVALID_SECURITY),
    "a user's name": (A_USER, faults.UNSUPPORTED_TOKEN),
    "a certificate": (BINARY, faults.UNSUPPORTED_TOKEN),
    "an assertion of SAML 1": (f'<Assertion xmlns="{SAML_1}"/>', faults.UNSUPPORTED_TOKEN),
    "an encrypted assertion": (f'<EncryptedAssertion xmlns="{SAML}"/>', faults.UNSUPPORTED_TOKEN),
    "a reference to an assertion elsewhere": (TO_ASSERTION.format(SAML_ID, "_gone"), faults.TOKEN_UNAVAILABLE),
    "a reference to a token elsewhere": (TO_BINARY, faults.TOKEN_UNAVAILABLE),
    "an address of a token": (
        '<w:SecurityTokenReference><w:Reference URI="https://x.example/a"/></w:SecurityTokenReference>',
        faults.TOKEN_UNAVAILABLE,
    ),
}


@pytest.mark.parametrize(("inside", "kind"), ALONE.values(), ids=ALONE)
def test_a_header_without_an_assertion_has_its_fault(verifier: Verifier, inside: str, kind: FaultKind) -> None:
    with pytest.raises(NotIdentified) as refused:
        in_header(verifier, inside)
    assert refused.value.kind is kind


@pytest.mark.parametrize(
    ("beside", "kind"),
    [
        (stamp(-900, -600), faults.MESSAGE_EXPIRED),
        (stamp(None, -90), faults.MESSAGE_EXPIRED),
        (stamp(50, 20), faults.MESSAGE_EXPIRED),
        (stamp(90, 300), faults.INVALID_SECURITY),
        (stamp(0, 300) * 2, faults.INVALID_SECURITY),
        ("<u:Timestamp><u:Expires>soon</u:Expires></u:Timestamp>", faults.INVALID_SECURITY),
        (f'<Assertion xmlns="{SAML_1}"/>', faults.UNSUPPORTED_TOKEN),
        (TO_BINARY, faults.TOKEN_UNAVAILABLE),
        (TO_BINARY * 65, faults.INVALID_SECURITY),
    ],
)
def test_what_else_a_header_says_is_not_passed_over(sts: Sts, verifier: Verifier, beside: str, kind: FaultKind) -> None:
    with pytest.raises(NotIdentified) as refused:
        in_header(verifier, beside + etree.tostring(sts.sign()).decode())
    assert refused.value.kind is kind


def test_an_assertion_in_another_place_identifies_nobody(sts: Sts, verifier: Verifier) -> None:
    made = etree.tostring(sts.sign()).decode()
    embedded = f"<w:SecurityTokenReference><w:Embedded>{made}</w:Embedded></w:SecurityTokenReference>"
    for inside, after, kind in (
        ("", made, faults.INVALID_SECURITY),
        (BINARY, f"<w:Other>{made}</w:Other>".replace("w:", "").replace("<Other", '<Other xmlns="urn:o"'),
         faults.UNSUPPORTED_TOKEN),
        (embedded, "", faults.UNSUPPORTED_TOKEN),
    ):  # fmt: skip
        with pytest.raises(NotIdentified) as refused:
            in_header(verifier, inside, after=after)
        assert refused.value.kind is kind


def test_a_comment_in_what_was_signed_does_not_count(sts: Sts, verifier: Verifier) -> None:
    """Names in parts, comments between: the whole name is read, by the way that messages are read."""
    made = etree.tostring(sts.sign(user="admin.attacker")).replace(b"admin.attacker", b"admin<!-- x -->.attacker")
    message = b'<s:Envelope xmlns:s="%b"><s:Header><w:Security xmlns:w="%b">%b</w:Security></s:Header><s:Body><q/>'
    message += b"</s:Body></s:Envelope>"

    root, header = received(message % (SOAP.encode(), WSSE.encode(), made))
    assert verifier.verify(root, header, time.time()).user == "admin.attacker"


def test_x15_an_assertion_with_any_byte_changed_is_refused_or_says_the_same(sts: Sts, verifier: Verifier) -> None:
    root, _ = a_message(sts.sign())
    message = bytearray(etree.tostring(root))
    right = verifier.verify(*received(bytes(message)), time.time())
    begin, end = message.index(b":Security"), message.index(b"</s:Header>")
    chance, taken = random.Random(7), 0
    for at in range(begin, end, 7):
        before = message[at]
        message[at] = chance.choice([before ^ 1, before ^ 0x20, ord("<"), ord('"'), ord("&"), ord(" "), ord(":")])
        try:
            found = verifier.verify(*received(bytes(message)), time.time())
        except (XmlRefused, NotIdentified):
            pass
        else:
            assert found == right
            taken += 1
        message[at] = before
    assert taken < (end - begin) // 7 // 2
