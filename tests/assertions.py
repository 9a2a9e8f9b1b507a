"""Each way to be somebody else by a SAML assertion that is known, in two tables: what is tried, what is said to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509
from lxml import etree
from signxml.algorithms import SignatureMethod
from signxml.signer import XMLSigner

from common.soap import faults
from common.soap.faults import FaultKind
from common.xua import Coded
from common.xua.vocabulary import DS, saml
from console import development_ca, development_sts
from tests.xua import DOCTOR, ISSUER, LONG, Sts, a_message


@dataclass(frozen=True, slots=True)
class Broken:
    """An assertion that must not count: what is wrong with it, how it is made, and the fault that says so."""

    what: str
    make: Callable[[Sts], Any]
    kind: FaultKind


def forged(assertion: Any) -> Any:
    """Another user's, with another ID, and no signature."""
    made = deepcopy(assertion)
    made.set("ID", "_forged")
    made.remove(made.find(f"{{{DS}}}Signature"))
    made.find(f".//{saml('NameID')}").text = "555000000666"
    return made


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


def hours(since: int) -> Callable[[Sts], Any]:
    """Issued so many hours from now."""
    return lambda sts: sts.sign(since=datetime.now(UTC) + timedelta(hours=since))


BROKEN: Final = tuple(
    Broken(*row)
    for row in (
        ("not signed", unsigned, faults.FAILED_CHECK),
        ("signed by another key, which it brings along", by_another_key, faults.FAILED_CHECK),
        ("changed after it was signed", changed, faults.FAILED_CHECK),
        ("HMAC with the issuer's public key for its secret", hmac_of_the_public_key, faults.FAILED_CHECK),
        ("RSA with SHA-1", another_algorithm("http://www.w3.org/2000/09/xmldsig#rsa-sha1"), faults.FAILED_CHECK),
        ("SHA-1 for its digest", another_algorithm("http://www.w3.org/2000/09/xmldsig#sha1"), faults.FAILED_CHECK),
        ("an algorithm called none", another_algorithm("none"), faults.FAILED_CHECK),
        ("an XSLT transform", with_a_transform, faults.FAILED_CHECK),
        ("a signature over the whole message", over_everything, faults.FAILED_CHECK),
        ("two signatures", two_signatures, faults.FAILED_CHECK),
        ("of an issuer that is not trusted", of_another_issuer, faults.FAILED_AUTHENTICATION),
        ("expired", hours(-1), faults.INVALID_TOKEN),
        ("not valid yet", hours(1), faults.INVALID_TOKEN),
        ("valid for two days", lambda sts: sts.sign(lasts=LONG), faults.INVALID_TOKEN),
        ("meant for another service", lambda sts: sts.sign(audiences=("https://elsewhere.example",)),
         faults.INVALID_TOKEN),
        ("meant for nobody", without("AudienceRestriction"), faults.INVALID_TOKEN),
        ("without an AuthnStatement", without("AuthnStatement"), faults.INVALID_TOKEN),
        ("without Conditions", without("Conditions"), faults.INVALID_TOKEN),
        ("without a NameID", without("NameID"), faults.INVALID_TOKEN),
        ("without a SubjectConfirmation", without("SubjectConfirmation"), faults.UNSUPPORTED_TOKEN),
        ("of SAML 1.1", with_attribute("Version", "1.1"), faults.UNSUPPORTED_TOKEN),
        ("issued yesterday, in words", with_attribute("IssueInstant", "yesterday"), faults.INVALID_TOKEN),
        ("an end that is no time", with_attribute("NotOnOrAfter", "9" * 20, "Conditions"), faults.INVALID_TOKEN),
        ("of a sender that vouches",
         with_attribute("Method", "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches", "SubjectConfirmation"),
         faults.UNSUPPORTED_TOKEN),
        ("of a session that is over",
         with_attribute("SessionNotOnOrAfter", "2020-01-01T00:00:00Z", "AuthnStatement"), faults.INVALID_TOKEN),
        ("a name of nine thousand letters", lambda sts: sts.sign(name="x" * 9000), faults.INVALID_TOKEN),
        ("sixty-five roles", lambda sts: sts.sign(roles=[Coded(str(number), "2.999") for number in range(65)]),
         faults.INVALID_TOKEN),
    )
)  # fmt: skip

WRAPPED: Final[Mapping[str, Callable[[Any, Any], tuple[Any, Any]]]] = {
    "a forged one before the signed one": beside_after,
    "a forged one after the signed one": beside_before,
    "the signed one within a forged one": within,
    "the signature on a forged one, the signed one in the body": with_its_signature,
    "the signed one within its own signature": within_its_signature,
    "the signed one within an Object of its signature": within_its_object,
    "the signed one within the Advice of a forged one": within_advice,
    "the signed one in another header": in_another_header,
    "the signed one under another name and the same ID": under_another_name,
    "the signature alone, moved to a forged one": signature_alone,
}
