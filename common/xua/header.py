"""The wsse:Security header (SOAP Message Security 1.1.1): which assertion a message has, and whether it is stale."""

from __future__ import annotations

import re
from typing import Any, Final

from lxml import etree

from common.soap import faults
from common.soap.faults import WSSE, WSU
from common.xua.instants import instant
from common.xua.refusal import refused
from common.xua.vocabulary import ASSERTION, ENCRYPTED, REFERENCE, SIGNATURE, TIMESTAMP, TOKENS

_ID: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,254}")
_NAMED: Final = etree.XPath(
    "//*[@ID=$name or @Id=$name or @id=$name or @AssertionID=$name or @xml:id=$name or @wsu:Id=$name]",
    namespaces={"wsu": WSU},
)
_NO_TOKENS: Final = frozenset({TIMESTAMP, SIGNATURE, f"{{{WSSE}}}SignatureConfirmation"})
"""What a header may hold that says of nobody who they are."""
_NAMES: Final = etree.XPath(
    "//@*[local-name()='ID' or local-name()='Id' or local-name()='id' or local-name()='AssertionID']"
)
_MOST_REFERENCES: Final = 64


def has_token(security: etree._Element) -> bool:
    """Whether a header says who asks, in whatever way."""
    return any(isinstance(child.tag, str) and child.tag not in _NO_TOKENS for child in security)


def check_timestamp(security: etree._Element, now: float, skew: float) -> None:
    """A message that says of itself that it is over is not taken (section 10); NotIdentified."""
    stamps = security.findall(TIMESTAMP)
    if len(stamps) > 1:
        raise refused(faults.INVALID_SECURITY, "The wsse:Security header has more than one wsu:Timestamp.")
    for stamp in stamps:
        created, expires = _time(stamp, "Created"), _time(stamp, "Expires")
        if created is not None and now < created - skew:
            raise refused(faults.INVALID_SECURITY, "The wsu:Timestamp is of a time to come.")
        if expires is not None and (now >= expires + skew or (created is not None and expires < created)):
            raise refused(faults.MESSAGE_EXPIRED, "The message has expired, as its wsu:Timestamp says.")


def _time(stamp: etree._Element, name: str) -> float | None:
    found = stamp.findall(f"{{{WSU}}}{name}")
    if not found:
        return None
    try:
        [element] = found
        return instant(element.text or "")
    except ValueError:
        raise refused(faults.INVALID_SECURITY, f"The wsu:Timestamp's {name} is not one time.") from None


def the_assertion(root: etree._Element, security: etree._Element | None) -> etree._Element:
    """The one assertion of a message, in the one header; wherever else another stands, it is refused."""
    if security is None or not has_token(security):
        raise refused(faults.INVALID_SECURITY, "A wsse:Security header with a SAML assertion is required.")
    tokens = list(root.iter(*TOKENS))
    own = [child for child in security if child.tag in TOKENS]
    if len(tokens) > 1 or (own and own != tokens):
        raise refused(faults.UNSUPPORTED_TOKEN, "The message has more than one assertion.")
    _check_references(root, security)
    if not own:
        raise refused(faults.UNSUPPORTED_TOKEN, "The wsse:Security header has no SAML 2.0 assertion.")
    assertion = own[0]
    if assertion.tag == ENCRYPTED:
        raise refused(faults.UNSUPPORTED_TOKEN, "Encrypted assertions are not supported.")
    if assertion.tag != ASSERTION or assertion.get("Version") != "2.0":
        raise refused(faults.UNSUPPORTED_TOKEN, "The assertion is not of SAML 2.0.")
    name = assertion.get("ID", "")
    if not _ID.fullmatch(name):
        raise refused(faults.INVALID_TOKEN, "The assertion has no proper ID.")
    if _NAMED(root, name=name) != [assertion]:
        raise refused(faults.INVALID_TOKEN, "The assertion's ID is not its alone.")
    return assertion


def _check_references(root: etree._Element, security: etree._Element) -> None:
    """A token that is referred to is in the message: nothing is fetched, and nothing is known from before."""
    references = [each for each in security.iter(REFERENCE) if not _is_of_an_assertion(each)]
    if len(references) > _MOST_REFERENCES:
        raise refused(faults.INVALID_SECURITY, "The wsse:Security header has more references than are followed.")
    wanted = {name for reference in references for name in _names(reference)}
    if wanted and ("" in wanted or not wanted <= _ids(root)):
        raise refused(faults.TOKEN_UNAVAILABLE, "A security token that is referred to is not in the message.")


def _ids(root: etree._Element) -> set[str]:
    """All at once, for one walk through a message that may be large."""
    found: Any = _NAMES(root)  # the type stubs know not what an expression is of
    return set(map(str, found))


def _is_of_an_assertion(reference: etree._Element) -> bool:
    """Whether it stands within an assertion: what is said there of keys says nothing to us."""
    return any(each.tag in TOKENS for each in reference.iterancestors())


def _names(reference: etree._Element) -> list[str]:
    """The IDs that a reference names; an empty one for a token elsewhere."""
    found = [each.get("URI", "") for each in reference.iterfind(f"{{{WSSE}}}Reference")]
    names = [uri[1:] if uri.startswith("#") else "" for uri in found]
    for identifier in reference.iterfind(f"{{{WSSE}}}KeyIdentifier"):
        if identifier.get("ValueType", "").rpartition("#")[2] in ("SAMLID", "SAMLAssertionID"):
            names.append((identifier.text or "").strip())
    return names
