"""Whose key an assertion is bound to, as its KeyInfo says it: by a certificate, or by the key itself (SAML 2.0 HoK)."""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from lxml import etree

from common.xua.caller import text_of
from common.xua.vocabulary import DS11, ds

_CURVES: Final[Mapping[str, ec.EllipticCurve]] = {
    "urn:oid:1.2.840.10045.3.1.7": ec.SECP256R1(),
    "urn:oid:1.3.132.0.34": ec.SECP384R1(),
    "urn:oid:1.3.132.0.35": ec.SECP521R1(),
}


def holders(data: etree._Element) -> Iterator[str]:
    """The SHA-256 of each certificate and of each key that it is bound to; what cannot be read binds to nobody."""
    for path, read in _FORMS.items():
        for element in data.iterfind(f"{ds('KeyInfo')}/{path}"):
            try:
                yield hashlib.sha256(read(element)).hexdigest()
            except (ValueError, UnsupportedAlgorithm):
                continue


def _certificate(element: etree._Element) -> bytes:
    return _bytes(element)


def _rsa(element: etree._Element) -> bytes:
    modulus, exponent = (int.from_bytes(_bytes(element.find(ds(name))), "big") for name in ("Modulus", "Exponent"))
    return _der(rsa.RSAPublicNumbers(exponent, modulus).public_key())


def _elliptic(element: etree._Element) -> bytes:
    named = element.find(f"{{{DS11}}}NamedCurve")
    curve = _CURVES.get(named.get("URI", "") if named is not None else "")
    if curve is None:
        raise ValueError("no curve of ours")
    point = _bytes(element.find(f"{{{DS11}}}PublicKey"))
    return _der(ec.EllipticCurvePublicKey.from_encoded_point(curve, point))


def _encoded(element: etree._Element) -> bytes:
    key = load_der_public_key(_bytes(element))
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise ValueError("no key of ours")
    return _der(key)


def _bytes(element: etree._Element | None) -> bytes:
    return binascii.a2b_base64(text_of(element))


def _der(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


_FORMS: Final[Mapping[str, Callable[[etree._Element], bytes]]] = {
    f"{ds('X509Data')}/{ds('X509Certificate')}": _certificate,
    f"{ds('KeyValue')}/{ds('RSAKeyValue')}": _rsa,
    f"{ds('KeyValue')}/{{{DS11}}}ECKeyValue": _elliptic,
    f"{{{DS11}}}DEREncodedKeyValue": _encoded,
}
