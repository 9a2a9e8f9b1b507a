"""The form of an assertion, as SAML 2.0 has it and XUA narrows it (ITI TF-2 3.40.4.1.2), and that of its signature.

Only what is read is looked into: what stands in Advice, or in statements of other kinds, says nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from lxml import etree

from common.soap import faults
from common.soap.faults import FaultKind
from common.xua.instants import instant
from common.xua.refusal import refused
from common.xua.vocabulary import DS, EXCLUSIVE, SAML

_PREFIXES: Final[Mapping[str | None, str]] = {SAML: "", DS: "ds:", EXCLUSIVE: "ec:"}
_IDENTIFIER: Final = "(BaseID |NameID |EncryptedID )"


@dataclass(frozen=True, slots=True)
class Form:
    """What an element holds: its children's names, each with a space behind it, as a pattern; what it must say."""

    content: str = ""
    attributes: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    """Attributes that are times, where they are there."""
    is_text: bool = False


Forms = Mapping[str, Form]

ASSERTION_FORMS: Final[Forms] = {
    "Assertion": Form(
        "Issuer (ds:Signature )?(Subject )?(Conditions )?(Advice )?"
        "(Statement |AuthnStatement |AuthzDecisionStatement |AttributeStatement )*",
        ("ID", "Version", "IssueInstant"),
        ("IssueInstant",),
    ),
    "Issuer": Form(is_text=True),
    "Subject": Form(f"({_IDENTIFIER}(SubjectConfirmation )*|(SubjectConfirmation )+)"),
    "NameID": Form(is_text=True),
    "SubjectConfirmation": Form(f"{_IDENTIFIER}?(SubjectConfirmationData )?", ("Method",)),
    "Conditions": Form("(Condition |AudienceRestriction |OneTimeUse |ProxyRestriction )*", (),
                       ("NotBefore", "NotOnOrAfter")),
    "AudienceRestriction": Form("(Audience )+"),
    "Audience": Form(is_text=True),
    "AuthnStatement": Form("(SubjectLocality )?AuthnContext ", ("AuthnInstant",),
                           ("AuthnInstant", "SessionNotOnOrAfter")),
    "AuthnContext": Form(
        "(AuthnContextClassRef (AuthnContextDecl |AuthnContextDeclRef )?|AuthnContextDeclRef )"
        "(AuthenticatingAuthority )*"
    ),
    "AuthnContextClassRef": Form(is_text=True),
    "AuthnContextDeclRef": Form(is_text=True),
    "AttributeStatement": Form("(Attribute |EncryptedAttribute )*"),
    "Attribute": Form("(AttributeValue )*", ("Name",)),
}  # fmt: skip
_LISTED: Final = "(ec:InclusiveNamespaces )?"
SIGNATURE_FORMS: Final[Forms] = {
    "ds:Signature": Form("ds:SignedInfo ds:SignatureValue (ds:KeyInfo )?"),
    "ds:SignedInfo": Form("ds:CanonicalizationMethod ds:SignatureMethod ds:Reference "),
    "ds:CanonicalizationMethod": Form(_LISTED, ("Algorithm",)),
    "ds:SignatureMethod": Form("", ("Algorithm",)),
    "ds:SignatureValue": Form(is_text=True),
    "ds:Reference": Form("ds:Transforms ds:DigestMethod ds:DigestValue "),
    "ds:Transforms": Form("(ds:Transform ){2}"),
    "ds:Transform": Form(_LISTED, ("Algorithm",)),
    "ds:DigestMethod": Form("", ("Algorithm",)),
    "ds:DigestValue": Form(is_text=True),
    "ec:InclusiveNamespaces": Form(),
}
"""One reference, made by two transforms, and nothing that an algorithm could be told otherwise (XML Signature 4)."""


def check_assertion(assertion: etree._Element) -> None:
    """NotIdentified for what is not of the form, naming the element."""
    _check(assertion, ASSERTION_FORMS, "assertion", faults.INVALID_TOKEN)


def check_signature(signature: etree._Element) -> None:
    """The same of a signature."""
    _check(signature, SIGNATURE_FORMS, "signature", faults.FAILED_CHECK)


def _check(root: etree._Element, forms: Forms, what: str, kind: FaultKind) -> None:
    for element, name in _read(root, forms):
        if told := _problem(element, forms[name]):
            place = what if element is root else f"{what}'s {name.rpartition(':')[2]}"
            raise refused(kind, f"The {place} {told}.")
        for each in forms[name].times:
            if not _is_time(element.get(each)):
                raise refused(kind, f"The {what}'s {each} is not a time.")


def _problem(element: etree._Element, form: Form) -> str:
    children = "".join(f"{_name(child)} " for child in element if isinstance(child.tag, str))
    if not re.fullmatch(form.content, children):
        return "has other elements, or in another order, than the schema knows"
    if form.is_text and not (element.text or "").strip():
        return "is empty"
    missing = [each for each in form.attributes if not element.get(each)]
    return f"has no {missing[0]}" if missing else ""


def _is_time(text: str | None) -> bool:
    """Whether it is one, where it is there."""
    if text is None:
        return True
    try:
        instant(text)
    except ValueError:
        return False
    return True


def _read(element: etree._Element, forms: Forms) -> Iterator[tuple[etree._Element, str]]:
    """The elements that are read, from the outside in."""
    yield element, _name(element)
    for child in element:
        if isinstance(child.tag, str) and _name(child) in forms:
            yield from _read(child, forms)


def _name(element: etree._Element) -> str:
    name = etree.QName(element)
    prefix = _PREFIXES.get(name.namespace)
    return f"{prefix}{name.localname}" if prefix is not None else "?"
