"""The names of SAML 2.0, XML Signature and WS-Security that assertions and their headers are told by."""

from __future__ import annotations

from typing import Final

from common.soap.faults import WSSE, WSU

SAML: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
SAML_1: Final = "urn:oasis:names:tc:SAML:1.0:assertion"
DS: Final = "http://www.w3.org/2000/09/xmldsig#"
DS11: Final = "http://www.w3.org/2009/xmldsig11#"
EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
HOLDER_OF_KEY: Final = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"

SECURITY: Final = f"{{{WSSE}}}Security"
ASSERTION: Final = f"{{{SAML}}}Assertion"
ENCRYPTED: Final = f"{{{SAML}}}EncryptedAssertion"
TOKENS: Final = frozenset({ASSERTION, ENCRYPTED, f"{{{SAML_1}}}Assertion"})
TIMESTAMP: Final = f"{{{WSU}}}Timestamp"
REFERENCE: Final = f"{{{WSSE}}}SecurityTokenReference"
SIGNATURE: Final = f"{{{DS}}}Signature"


def saml(name: str) -> str:
    """An element of SAML 2.0."""
    return f"{{{SAML}}}{name}"


def ds(name: str) -> str:
    """An element of XML Signature."""
    return f"{{{DS}}}{name}"
