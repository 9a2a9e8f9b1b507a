"""Each way to be somebody else that is known of signed assertions, refused with its fault; and the right ones read."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from lxml import etree
from signxml.algorithms import SignatureMethod
from signxml.signer import XMLSigner

from common.soap import faults
from common.soap.faults import FaultKind
from common.xua import BadIssuers, Caller, Coded, NotIdentified, Policy, Verifier, read_issuers
from common.xua.caller import SAML
from common.xua.verifying import DS
from console import development_ca, development_sts
from tests.xua import AUDIENCE, DOCTOR, ISSUER, LONG, Sts, a_message, as_base64

WSSE_REFUSED = (faults.UNSUPPORTED_TOKEN, faults.INVALID_TOKEN, faults.FAILED_CHECK)


@pytest.fixture(scope="module")
def sts(tmp_path_factory: pytest.TempPathFactory) -> Sts:
    return Sts(tmp_path_factory.mktemp("sts"))


@pytest.fixture
def verifier(sts: Sts) -> Verifier:
    return Verifier(Policy(sts.issuers, frozenset({AUDIENCE})))


def asked(verifier: Verifier, *assertions: Any, at: float | None = None, holder: str = "", **more: bytes) -> Caller:
    return verifier.verify(*a_message(*assertions, **more), time.time() if at is None else at, holder)


def saml(name: str) -> str:
    return f"{{{SAML}}}{name}"


def forged(assertion: Any) -> Any:
    """Another user's, with another ID, and no signature."""
    made = deepcopy(assertion)
    made.set("ID", "_forged")
    made.remove(made.find(f"{{{DS}}}Signature"))
    made.find(f".//{saml('NameID')}").text = "555000000666"
    return made


def test_who_asks_is_read(sts: Sts, verifier: Verifier) -> None:
    caller = asked(verifier, sts.sign())

    assert (caller.user, caller.issuer, caller.name) == (DOCTOR.user, ISSUER, DOCTOR.name)
    assert (caller.organisation, caller.organisation_id) == (DOCTOR.organisation, DOCTOR.organisation_id)
    assert (caller.roles, caller.purposes, caller.patient_id) == (DOCTOR.roles, DOCTOR.purposes, DOCTOR.patient_id)
    assert caller.authentication.endswith("unspecified")
    assert caller.until == pytest.approx(time.time() + 300, abs=10)


def test_several_values_come_as_values_attributes_or_statements(sts: Sts, verifier: Verifier) -> None:
    def change(made: Any) -> None:
        again = deepcopy(made.find(saml("AttributeStatement")))
        for code in again.iter("{urn:hl7-org:v3}Role"):
            code.set("code", "R8001")
        made.append(again)

    caller = asked(verifier, sts.sign(change=change, roles=(Coded("R1", "2.999"), Coded("R2", "2.999"))))

    assert [role.code for role in caller.roles] == ["R1", "R2", "R8001", "R8001"]


def test_a_comment_does_not_cut_a_name_short(sts: Sts, verifier: Verifier) -> None:
    assertion = sts.sign(user="admin@nowhere.example.attacker.example")
    name = assertion.find(f".//{saml('NameID')}")
    text, name.text = name.text, "admin@nowhere.example"
    comment = etree.Comment(" ")
    comment.tail = text.removeprefix("admin@nowhere.example")
    name.append(comment)

    assert asked(verifier, assertion).user == "admin@nowhere.example.attacker.example"


# Wrapping (XSW): the signed assertion is kept somewhere, and another stands where the receiver looks.


def beside_after(real: Any, fake: Any) -> tuple[Any, Any]:
    return a_message(fake, real)


def beside_before(real: Any, fake: Any) -> tuple[Any, Any]:
    return a_message(real, fake)


def within(real: Any, fake: Any) -> tuple[Any, Any]:
    fake.append(real)
    return a_message(fake)


def with_its_signature(real: Any, fake: Any) -> tuple[Any, Any]:
    """The signature moves to the forgery; what it is over stands in the body."""
    fake.insert(1, real.find(f"{{{DS}}}Signature"))
    return a_message(fake, body=etree.tostring(real))


def within_its_signature(real: Any, fake: Any) -> tuple[Any, Any]:
    signature = real.find(f"{{{DS}}}Signature")
    real.remove(signature)
    fake.insert(1, signature)
    signature.append(real)
    return a_message(fake)


def within_its_object(real: Any, fake: Any) -> tuple[Any, Any]:
    signature = real.find(f"{{{DS}}}Signature")
    real.remove(signature)
    fake.insert(1, signature)
    etree.SubElement(signature, f"{{{DS}}}Object").append(real)
    return a_message(fake)


def within_advice(real: Any, fake: Any) -> tuple[Any, Any]:
    etree.SubElement(fake, saml("Advice")).append(real)
    return a_message(fake)


def in_another_header(real: Any, fake: Any) -> tuple[Any, Any]:
    root, header = a_message(fake)
    etree.SubElement(header.getparent(), "{urn:other}Extension").append(real)
    return root, header


def under_another_name(real: Any, fake: Any) -> tuple[Any, Any]:
    """No second assertion: the signed one is called something else, under the ID of the first."""
    fake.set("ID", real.get("ID"))
    fake.insert(1, deepcopy(real.find(f"{{{DS}}}Signature")))
    real.tag = "{urn:other}Kept"
    return a_message(fake, body=etree.tostring(real))


def signature_alone(real: Any, fake: Any) -> tuple[Any, Any]:
    """The forgery with the ID and the signature of the real one."""
    fake.set("ID", real.get("ID"))
    fake.insert(1, real.find(f"{{{DS}}}Signature"))
    return a_message(fake)


@pytest.mark.parametrize(
    "wrap",
    [
        beside_after, beside_before, within, with_its_signature, within_its_signature, within_its_object,
        within_advice, in_another_header, under_another_name, signature_alone,
    ],
)  # fmt: skip
def test_s5_an_assertion_that_is_wrapped_around_another_is_refused(
    sts: Sts, verifier: Verifier, wrap: Callable[[Any, Any], tuple[Any, Any]]
) -> None:
    real = sts.sign()
    asked(verifier, real)  # it is known already, which must help nobody
    root, header = wrap(deepcopy(real), forged(real))

    with pytest.raises(NotIdentified) as refused:
        verifier.verify(root, header, time.time())

    assert refused.value.kind in WSSE_REFUSED


def unsigned(sts: Sts) -> Any:
    return development_sts.assertion(DOCTOR, ISSUER)


def by_another_key(sts: Sts) -> Any:
    return development_sts.signed(unsigned(sts), development_ca.Authority(sts.folder).issue("other", (), 5).pem)


def changed(sts: Sts) -> Any:
    made = sts.sign()
    made.find(f".//{saml('NameID')}").text = "555000000666"
    return made


def hmac_of_the_public_key(sts: Sts) -> Any:
    """What anybody can make, since the secret is the certificate."""
    made = unsigned(sts)
    made.insert(1, etree.Element(f"{{{DS}}}Signature", Id="placeholder"))
    secret = x509.load_pem_x509_certificate(sts.key).public_bytes(development_ca.serialization.Encoding.PEM)
    signer = XMLSigner(
        signature_algorithm=SignatureMethod.HMAC_SHA256, c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"
    )
    return signer.sign(made, key=secret, reference_uri=f"#{made.get('ID')}", id_attribute="ID")


def another_algorithm(name: str) -> Callable[[Sts], Any]:
    def change(sts: Sts) -> Any:
        made = sts.sign()
        for place in ("SignatureMethod", "DigestMethod"):
            made.find(f".//{{{DS}}}{place}").set("Algorithm", name)
        return made

    return change


def with_a_transform(sts: Sts) -> Any:
    made = sts.sign()
    transforms = made.find(f".//{{{DS}}}Transforms")
    etree.SubElement(transforms, f"{{{DS}}}Transform", Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116")
    return made


def over_everything(sts: Sts) -> Any:
    made = sts.sign()
    made.find(f".//{{{DS}}}Reference").set("URI", "")
    return made


def two_signatures(sts: Sts) -> Any:
    made = sts.sign()
    made.append(deepcopy(made.find(f"{{{DS}}}Signature")))
    return made


def of_another_issuer(sts: Sts) -> Any:
    return development_sts.signed(development_sts.assertion(DOCTOR, "https://elsewhere.example"), sts.key)


def without(name: str) -> Callable[[Sts], Any]:
    def change(made: Any) -> None:
        found = made.find(f".//{saml(name)}")
        found.getparent().remove(found)

    return lambda sts: sts.sign(change=change)


def with_attribute(name: str, value: str, place: str = "") -> Callable[[Sts], Any]:
    def change(made: Any) -> None:
        (made.find(f".//{saml(place)}") if place else made).set(name, value)

    return lambda sts: sts.sign(change=change)


NOW = datetime.now(UTC)
YEARS = "2999-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (unsigned, faults.FAILED_CHECK),
        (by_another_key, faults.FAILED_CHECK),
        (changed, faults.FAILED_CHECK),
        (hmac_of_the_public_key, faults.FAILED_CHECK),
        (another_algorithm("http://www.w3.org/2000/09/xmldsig#rsa-sha1"), faults.FAILED_CHECK),
        (another_algorithm("http://www.w3.org/2000/09/xmldsig#sha1"), faults.FAILED_CHECK),
        (another_algorithm("none"), faults.FAILED_CHECK),
        (with_a_transform, faults.FAILED_CHECK),
        (over_everything, faults.FAILED_CHECK),
        (two_signatures, faults.FAILED_CHECK),
        (of_another_issuer, faults.FAILED_AUTHENTICATION),
        (lambda sts: sts.sign(since=NOW - timedelta(hours=1)), faults.INVALID_TOKEN),
        (lambda sts: sts.sign(since=NOW + timedelta(hours=1)), faults.INVALID_TOKEN),
        (lambda sts: sts.sign(lasts=LONG), faults.INVALID_TOKEN),
        (lambda sts: sts.sign(audiences=("https://elsewhere.example",)), faults.INVALID_TOKEN),
        (without("AudienceRestriction"), faults.INVALID_TOKEN),
        (without("AuthnStatement"), faults.INVALID_TOKEN),
        (without("Conditions"), faults.INVALID_TOKEN),
        (without("NameID"), faults.INVALID_TOKEN),
        (without("SubjectConfirmation"), faults.UNSUPPORTED_TOKEN),
        (with_attribute("Version", "1.1"), faults.UNSUPPORTED_TOKEN),
        (with_attribute("IssueInstant", "yesterday"), faults.INVALID_TOKEN),
        (with_attribute("NotOnOrAfter", "9" * 20, "Conditions"), faults.INVALID_TOKEN),
        (with_attribute("Method", "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches", "SubjectConfirmation"),
         faults.UNSUPPORTED_TOKEN),
        (with_attribute("SessionNotOnOrAfter", "2020-01-01T00:00:00Z", "AuthnStatement"), faults.INVALID_TOKEN),
        (lambda sts: sts.sign(name="x" * 9000), faults.INVALID_TOKEN),
        (lambda sts: sts.sign(roles=[Coded(str(number), "2.999") for number in range(65)]), faults.INVALID_TOKEN),
    ],
)  # fmt: skip
def test_s4_what_is_wrong_with_an_assertion_gets_its_fault(
    sts: Sts, verifier: Verifier, make: Callable[[Sts], Any], kind: FaultKind
) -> None:
    with pytest.raises(NotIdentified) as refused:
        asked(verifier, make(sts))

    assert refused.value.kind is kind
    assert DOCTOR.user not in refused.value.told


def test_s4_no_header_or_an_empty_one_has_its_own_faults(verifier: Verifier) -> None:
    root, header = a_message()
    for given, kind in ((None, faults.INVALID_SECURITY), (header, faults.UNSUPPORTED_TOKEN)):
        with pytest.raises(NotIdentified) as refused:
            verifier.verify(root, given, time.time())
        assert refused.value.kind is kind


def test_an_id_is_of_one_element_and_of_one_assertion(sts: Sts, verifier: Verifier) -> None:
    def named(made: Any) -> None:
        made.set("ID", "_same")

    first = sts.sign(change=named)
    with pytest.raises(NotIdentified, match="not its alone"):
        asked(verifier, first, body=b'<q Id="_same"/>')
    assert asked(verifier, first).user == DOCTOR.user
    assert asked(verifier, first).user == DOCTOR.user
    with pytest.raises(NotIdentified, match="same ID"):
        asked(verifier, sts.sign(change=named, user="555000000002"))


def test_what_was_verified_once_expires_all_the_same(sts: Sts, verifier: Verifier) -> None:
    assertion, now = sts.sign(), time.time()
    assert asked(verifier, assertion, at=now + 300 + 55)
    with pytest.raises(NotIdentified, match="expired"):
        asked(verifier, assertion, at=now + 300 + 65)
    with pytest.raises(NotIdentified, match="not valid yet"):
        asked(verifier, assertion, at=now - 65)


def test_an_assertion_of_a_key_holder_counts_on_its_own_connection_only(sts: Sts, verifier: Verifier) -> None:
    pem = development_ca.Authority(sts.folder).issue("portal", (), 5).pem
    bound = sts.sign(holder=as_base64(pem))

    assert asked(verifier, bound, holder=development_ca.fingerprint(pem)).user == DOCTOR.user
    for other in ("", hashlib.sha256(b"another").hexdigest()):
        with pytest.raises(NotIdentified) as refused:
            asked(verifier, bound, holder=other)
        assert refused.value.kind is faults.FAILED_AUTHENTICATION


def test_an_issuer_may_change_its_key_and_an_expired_one_counts_no_more(sts: Sts) -> None:
    authority = development_ca.Authority(sts.folder)
    new, old = (authority.issue("sts", (), days).pem for days in (5, -1))
    certificates = tuple(x509.load_pem_x509_certificate(pem) for pem in (old, sts.key, new))
    verifier = Verifier(Policy({ISSUER: certificates}, frozenset({AUDIENCE})))

    for key in (sts.key, new):
        assert asked(verifier, development_sts.signed(unsigned(sts), key)).user == DOCTOR.user
    alone = Verifier(replace(verifier._policy, issuers={ISSUER: certificates[:1]}))
    with pytest.raises(NotIdentified) as refused:
        asked(alone, development_sts.signed(unsigned(sts), old))
    assert refused.value.kind is faults.FAILED_AUTHENTICATION


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no issuer"),
        ("nonsense", "not TOML"),
        ('["https://a"]\n', "needs certificates"),
        ('["https://a"]\ncertificates = ["issuers.toml"]\n', "not a PEM certificate"),
    ],
)
def test_a_file_of_issuers_that_cannot_be_used_says_why(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "issuers.toml").write_text(text)
    with pytest.raises(BadIssuers, match=told):
        read_issuers(tmp_path / "issuers.toml")
