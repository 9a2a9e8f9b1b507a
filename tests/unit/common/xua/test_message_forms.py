"""What is said of the user, and where in a message, in each form that a sender may give it."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from lxml import etree

from common.soap import faults
from common.soap.faults import SOAP, WSSE, WSU, FaultKind
from common.soap.xml import XmlRefused
from common.xua import Caller, Coded, NotIdentified, Verifier
from common.xua.vocabulary import DS, SAML, SAML_1, saml
from tests.unit.common.xua.kit import HL7, PURPOSE, ROLE, Change, a_part, a_time, asked, received, timed
from tests.xua import DOCTOR, Sts, a_message


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
