"""Signs assertions as other makers' tools do: by hand, step by step, in every form that XML Signature allows."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from lxml import etree

from common.xua.vocabulary import DS, ds, saml

EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
_MORE: Final = "http://www.w3.org/2001/04/xmldsig-more#"
_DIGESTS: Final[Mapping[str, tuple[str, Any]]] = {
    "sha1": (f"{DS}sha1", hashes.SHA1()),
    "sha256": ("http://www.w3.org/2001/04/xmlenc#sha256", hashes.SHA256()),
    "sha384": (f"{_MORE}sha384", hashes.SHA384()),
    "sha512": ("http://www.w3.org/2001/04/xmlenc#sha512", hashes.SHA512()),
}
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class How:
    """The choices that a signer has."""

    digest: str = "sha256"
    signs_with: str = "sha256"
    is_pss: bool = False
    canonical: str = EXCLUSIVE
    transform: str = EXCLUSIVE
    prefixes: str | None = None
    key_info: bytes = b""
    indent: str = ""


def by_hand(made: Any, key: Key, how: How = How()) -> Any:
    """The assertion, wherever it stands, with its signature behind the Issuer."""
    digest = hashlib.new(how.digest, _canonical(made, how.transform, how.prefixes)).digest()
    listed = _prefixes(how.prefixes)
    method, name = _method(key, how)
    info = (
        f'<ds:SignedInfo xmlns:ds="{DS}"><ds:CanonicalizationMethod Algorithm="{how.canonical}">{listed}'
        f'</ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="{method}"/>'
        f'<ds:Reference URI="#{made.get("ID")}"><ds:Transforms>'
        f'<ds:Transform Algorithm="{DS}enveloped-signature"/>'
        f'<ds:Transform Algorithm="{how.transform}">{listed}</ds:Transform></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{_DIGESTS[how.digest][0]}"/>'
        f"<ds:DigestValue>{base64.b64encode(digest).decode()}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
    )
    signature = etree.Element(ds("Signature"), nsmap={"ds": DS})
    made.find(saml("Issuer")).addnext(signature)
    signature.append(etree.fromstring(info.replace("><", f">{how.indent}<")))
    value = base64.b64encode(name(_canonical(signature[0], how.canonical, how.prefixes))).decode()
    etree.SubElement(signature, ds("SignatureValue")).text = "\n".join(
        value[at : at + 64] for at in range(0, len(value), 64)
    )
    if how.key_info:
        signature.append(etree.fromstring(b'<ds:KeyInfo xmlns:ds="%b">%b</ds:KeyInfo>' % (DS.encode(), how.key_info)))
    return made


def _prefixes(told: str | None) -> str:
    if told is None:
        return ""
    return f'<ec:InclusiveNamespaces xmlns:ec="{EXCLUSIVE}" PrefixList="{told}"/>'


def _canonical(element: Any, algorithm: str, prefixes: str | None) -> bytes:
    return etree.tostring(
        element,
        method="c14n",
        exclusive=algorithm.startswith(EXCLUSIVE),
        with_comments=algorithm.endswith("WithComments"),
        inclusive_ns_prefixes=(prefixes or "").split() if algorithm.startswith(EXCLUSIVE) else None,
    )


def _method(key: Key, how: How) -> tuple[str, Callable[[bytes], bytes]]:
    digest = _DIGESTS[how.signs_with][1]
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return f"{_MORE}ecdsa-{how.signs_with}", lambda data: _raw(key, key.sign(data, ec.ECDSA(digest)))
    if how.is_pss:
        pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
        return (
            f"http://www.w3.org/2007/05/xmldsig-more#{how.signs_with}-rsa-MGF1",
            lambda data: key.sign(data, pss, digest),
        )
    place = DS if how.signs_with == "sha1" else _MORE
    return f"{place}rsa-{how.signs_with}", lambda data: key.sign(data, padding.PKCS1v15(), digest)


def _raw(key: ec.EllipticCurvePrivateKey, der: bytes) -> bytes:
    """Both numbers, one behind the other (XML Signature 6.4.3)."""
    size = (key.key_size + 7) // 8
    return b"".join(number.to_bytes(size, "big") for number in decode_dss_signature(der))
