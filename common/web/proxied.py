"""TLS that a proxy ended: the certificate that it was shown, in a header that is believed of that proxy only (ITI-19).

Whoever else connects is refused, and whatever certificate they claim in the header with them.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from common.http.crew import WATCHED
from common.settings import Settings
from common.settings_types import split_ips
from common.tls import PEER, Allowed, Peer, allowed_of

log = logging.getLogger("portolan.proxied")

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Addresses = frozenset[ipaddress.IPv4Address | ipaddress.IPv6Address]

_LONGEST: Final = 16 * 1024
_PLAIN: Final = ("Content-Type", "text/plain; charset=UTF-8")


class NotShown(Exception):  # noqa: N818
    """Why nobody is known by what the proxy passed on."""


def peer_of(header: str) -> Peer:
    """From a certificate as PEM, URL-encoded (nginx's ``$ssl_client_escaped_cert``) or in one line; NotShown."""
    if not header.strip():
        raise NotShown("the proxy was shown no certificate")
    if len(header) > _LONGEST:
        raise NotShown("the certificate in the header is too long")
    text = unquote(header) if "%" in header else header
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    body = text.partition(begin)[2].partition(end)[0]
    pem = f"{begin}\n{''.join(body.split())}\n{end}\n"
    try:
        found = x509.load_pem_x509_certificate(pem.encode("ascii"))
    except (ValueError, UnicodeEncodeError) as error:
        raise NotShown("what the proxy passed on is no certificate") from error
    return Peer.told(_fields(found), found.public_bytes(serialization.Encoding.DER))


def _fields(certificate: x509.Certificate) -> dict[str, Any]:
    """As the ssl module tells them."""
    names: list[tuple[str, str]] = []
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names += [("DNS", name) for name in extension.get_values_for_type(x509.DNSName)]
        names += [("IP Address", str(name)) for name in extension.get_values_for_type(x509.IPAddress)]
    except (x509.ExtensionNotFound, ValueError):
        pass  # without names; who is known by its SHA-256 still is
    subject = tuple(
        (("commonName" if each.oid == NameOID.COMMON_NAME else each.rfc4514_attribute_name, str(each.value)),)
        for each in certificate.subject
    )
    return {"subject": subject, "subjectAltName": tuple(names)}


def behind(wsgi: Wsgi, proxies: Addresses, header: str, allowed: Allowed) -> Wsgi:
    """An application that only these proxies may call, for those whose certificates they pass on."""
    key = "HTTP_" + header.upper().replace("-", "_")

    def entrance(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        told = environ.pop(key, "")
        if environ["PATH_INFO"] in WATCHED:
            return wsgi(environ, start_response)
        try:
            environ[PEER] = _admitted(environ.get("REMOTE_ADDR", ""), told, proxies, allowed)
        except NotShown as refused:
            log.warning("refused a request from %s: %s", environ.get("REMOTE_ADDR"), refused)
            text = f"{refused}\n".encode()
            start_response("403 Forbidden", [_PLAIN, ("Content-Length", str(len(text))), ("Connection", "close")])
            return [text]
        return wsgi(environ, start_response)

    return entrance


def _admitted(address: str, told: str, proxies: Addresses, allowed: Allowed) -> Peer:
    try:
        known = ipaddress.ip_address(address) in proxies
    except ValueError:
        known = False
    if not known:
        raise NotShown("this address is reached by way of its proxy only")
    peer = peer_of(told)
    if peer not in allowed:
        raise NotShown(f"the certificate sha256:{peer.fingerprint} is not on the list of those who may connect")
    return peer


def as_set(wsgi: Wsgi, settings: Settings) -> Wsgi:
    """As settings say; unchanged where there is no proxy. Unusable for a list that cannot be used."""
    if not settings.tls_proxies:
        return wsgi
    proxies = frozenset(map(ipaddress.ip_address, split_ips(settings.tls_proxies)))
    return behind(wsgi, proxies, settings.tls_proxy_header, allowed_of(settings.tls_files))
