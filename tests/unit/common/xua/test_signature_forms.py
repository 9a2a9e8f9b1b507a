"""Signatures of assertions, in each form that signers give them, and in none that they must not have."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree

from common.soap import faults
from common.soap.faults import SOAP, WSSE
from common.xua import Policy, Verifier
from common.xua.vocabulary import ds, saml
from console import development_sts
from tests.signed import EXCLUSIVE, How, by_hand
from tests.unit.common.xua.kit import XSI, a_certificate, asked, fault_of, key_of, received
from tests.xua import AUDIENCE, DOCTOR, ISSUER, Sts

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
