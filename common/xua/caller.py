"""Who asks, and why, as a verified assertion says it (ITI TF-2 3.40.4.1.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from lxml import etree

from common.caller import Caller, Coded
from common.xua.vocabulary import SAML

_XSPA: Final = "urn:oasis:names:tc:xspa:1.0:subject"
_TEXT: Final = etree.XPath("string()")
MOST_VALUES: Final = 64
LONGEST_VALUE: Final = 8192


# Each attribute once: the field that it fills, and whether that holds several.
_TEXTS: Final[Mapping[str, tuple[str, bool]]] = {
    f"{_XSPA}:subject-id": ("name", False),
    f"{_XSPA}:organization": ("organisation", False),
    f"{_XSPA}:organization-id": ("organisation_id", False),
    f"{_XSPA}:npi": ("provider_id", False),
    "urn:ihe:iti:xca:2010:homeCommunityId": ("home_community_id", False),
    "urn:ihe:iti:bppc:2007:docid": ("consents", True),
    "urn:ihe:iti:xua:2012:acp": ("policies", True),
    "urn:oasis:names:tc:xacml:2.0:resource:resource-id": ("patient_id", False),
}
_CODES: Final = {
    "urn:oasis:names:tc:xacml:2.0:subject:role": "roles",
    f"{_XSPA}:purposeofuse": "purposes",
}
_PROVIDERS: Final = "urn:ihe:iti:xua:2017:subject:provider-identifier"


class TooMuch(ValueError):  # noqa: N818
    """More, or longer, values than anybody needs."""


def read_caller(assertion: etree._Element, until: float) -> Caller:
    """From an assertion that was verified, and from nothing else; TooMuch.

    Several values may come as several AttributeValues, Attributes or AttributeStatements.
    """
    found: dict[str, list[etree._Element]] = {}
    for attribute in assertion.iterfind(f"{{{SAML}}}AttributeStatement/{{{SAML}}}Attribute"):
        values = found.setdefault(attribute.get("Name", ""), [])
        values += attribute.iterfind(f"{{{SAML}}}AttributeValue")
        if len(values) > MOST_VALUES or len(found) > MOST_VALUES:
            raise TooMuch("an assertion has too many attributes or values")
    told: dict[str, object] = {}
    for name, (place, several) in _TEXTS.items():
        texts = tuple(filter(None, map(text_of, found.pop(name, ()))))
        told[place] = texts if several else next(iter(texts), "")
    for name, place in _CODES.items():
        told[place] = tuple(code for value in found.pop(name, ()) for code in _codes(value))
    told["provider_ids"] = tuple(
        _instance(child) for value in found.pop(_PROVIDERS, ()) for child in value if isinstance(child.tag, str)
    )
    others = {name: tuple(map(text_of, values)) for name, values in found.items()}
    return Caller(
        user=text_of(assertion.find(f"{{{SAML}}}Subject/{{{SAML}}}NameID")),
        issuer=text_of(assertion.find(f"{{{SAML}}}Issuer")),
        assertion_id=assertion.get("ID", ""),
        until=until,
        authentication=_authentication(assertion),
        others=others,
        **told,  # type: ignore[arg-type]
    )


def text_of(element: etree._Element | None) -> str:
    """All of an element's text, comments or not: half of it would be another name. TooMuch."""
    text = str(_TEXT(element)).strip() if element is not None else ""
    if len(text) > LONGEST_VALUE:
        raise TooMuch("a value of an assertion is too long")
    return text


def _codes(value: etree._Element) -> Iterator[Coded]:
    """HL7 v3 CE, in an element of whatever name or as the value itself; or plain text, as some senders have it."""
    children = [child for child in value if isinstance(child.tag, str)]
    for child in (value, *children):
        if child.get("code"):
            yield Coded(_attribute(child, "code"), _attribute(child, "codeSystem"), _attribute(child, "displayName"))
    if not children and not value.get("code") and (text := text_of(value)):
        yield Coded(text, "")


def _attribute(element: etree._Element, name: str) -> str:
    value = element.get(name, "")
    if len(value) > LONGEST_VALUE:
        raise TooMuch("a value of an assertion is too long")
    return value


def _instance(element: etree._Element) -> str:
    """An HL7 v3 II as ``root^extension``."""
    return f"{_attribute(element, 'root')}^{_attribute(element, 'extension')}"


def _authentication(assertion: etree._Element) -> str:
    context = assertion.find(f"{{{SAML}}}AuthnStatement/{{{SAML}}}AuthnContext")
    for kind in ("AuthnContextClassRef", "AuthnContextDeclRef"):
        if context is not None and (text := text_of(context.find(f"{{{SAML}}}{kind}"))):
            return text
    return ""
