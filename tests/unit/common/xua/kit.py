"""What the tests of assertions share: whom they ask, and pieces of SAML."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lxml import etree

from common.soap.faults import WSSE, FaultKind
from common.soap.xml import XmlLimits, parse
from common.xua import Caller, NotIdentified, Verifier
from common.xua.vocabulary import DS, SAML
from tests.xua import Sts, a_message

XSI = "http://www.w3.org/2001/XMLSchema-instance"
HL7 = "urn:hl7-org:v3"
ROLE = "urn:oasis:names:tc:xacml:2.0:subject:role"
PURPOSE = "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse"
Change = Callable[[Any], None]


def key_of(sts: Sts) -> Any:
    return serialization.load_pem_private_key(sts.key, None)


def asked(verifier: Verifier, *assertions: Any, at: float | None = None, holder: str = "", **more: bytes) -> Caller:
    return verifier.verify(*a_message(*assertions, **more), time.time() if at is None else at, holder)


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


def a_certificate(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sts")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    return made.sign(key, hashes.SHA256())
