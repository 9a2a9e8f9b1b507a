"""Assertions for tests: an issuer, what it signs, and messages that carry it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from common.soap.faults import SOAP, WSSE
from common.xua import Coded, Issuers, read_issuers
from console import development_ca, development_sts
from console.development_sts import Statement

ISSUER = "https://sts.example"
AUDIENCE = "https://registry.example"
DOCTOR = Statement(
    user="555000000001",
    audiences=(AUDIENCE,),
    name="Dr Nobody Atall",
    organisation="Hospital of Nowhere",
    organisation_id="urn:oid:2.999.826.8.1",
    roles=(Coded("R8000", "2.999.826.7.1", "Clinical practitioner"),),
    purposes=(Coded("1", "1.0.14265.1", "Clinical care"),),
    patient_id="9990001006^^^&2.16.840.1.113883.2.1.4.1&ISO",
)


@dataclass
class Sts:
    """An issuer in a folder, whose ``issuers.toml`` trusts it."""

    folder: Path
    key: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Made anew."""
        authority = development_ca.create(self.folder, 30)
        self.key = authority.issue("sts", (), 30).pem
        (self.folder / "sts.pem").write_bytes(self.key)
        self.file = self.folder / "issuers.toml"
        self.file.write_text(f'["{ISSUER}"]\ncertificates = ["sts.pem"]\n')

    @property
    def issuers(self) -> Issuers:
        """Whose word counts."""
        return read_issuers(self.file)

    def sign(self, told: Statement = DOCTOR, change: Callable[[Any], None] | None = None, **more: Any) -> Any:
        """An assertion, changed before it is signed."""
        made = development_sts.assertion(replace(told, **more), ISSUER)
        if change is not None:
            change(made)
        return development_sts.signed(made, self.key)


def as_base64(pem: bytes) -> str:
    """A certificate as XML signatures have it."""
    return base64.b64encode(x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)).decode()


def security(*assertions: Any) -> bytes:
    """The header block."""
    inside = b"".join(etree.tostring(each) for each in assertions)
    return b'<w:Security xmlns:w="%b" xmlns:s="%b" s:mustUnderstand="1">%b</w:Security>' % (
        WSSE.encode(),
        SOAP.encode(),
        inside,
    )


def a_message(*assertions: Any, body: bytes = b"<q/>") -> tuple[Any, Any]:
    """An envelope with these in its security header, and that header."""
    root = etree.fromstring(
        b'<s:Envelope xmlns:s="%b"><s:Header>%b</s:Header><s:Body>%b</s:Body></s:Envelope>'
        % (SOAP.encode(), security(*assertions), body)
    )
    return root, root.find(f".//{{{WSSE}}}Security")


LONG = timedelta(days=2)
