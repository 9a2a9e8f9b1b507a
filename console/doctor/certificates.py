"""Looks at the files of TLS: whether they can be used, how long they last, and whether we ourselves are expected."""

from __future__ import annotations

import hashlib
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from common.settings import Settings
from common.tls import Files, Peer, Unusable, allowed_of, of_server
from console.doctor.finding import Finding, Findings, fail, ok, warn

ABOUT: Final = "certificate"
LEAST_DAYS: Final = 30
_DAY: Final = 86_400


def look(settings: Settings) -> Findings:
    """The certificate that everything is served with, and that of feeds where they have their own."""
    yield from _files("tls_certificate", settings.tls_files)
    if settings.mllp_tls_certificate and not settings.mllp_plain:
        yield from _files("mllp_tls_certificate", settings.mllp_tls_files)


def _files(name: str, files: Files) -> Findings:
    if not files.certificate:
        return
    try:
        of_server(files)
        allowed = allowed_of(files)
        mine = x509.load_pem_x509_certificates(Path(files.certificate).read_bytes())[0]
    except Unusable as error:
        yield fail(ABOUT, f"TLS cannot be served: {error}", f"Correct the file that goes with {name}.")
        return
    except (OSError, ValueError) as error:
        yield fail(ABOUT, f"{files.certificate} cannot be read: {error}", f"Correct PORTOLAN_{name.upper()}.")
        return
    yield ending(ABOUT, f"that in {name}", mine)
    if files.peers and peer_of(mine) not in allowed:
        told = f"{files.peers} does not list our own certificate, by which services call each other"
        line = f"sha256:{peer_of(mine).fingerprint}"
        yield warn(ABOUT, told, f"Add the line {line}, if one service here calls another.")
    if files.crl:
        yield from _lists(files.crl)


def _lists(place: str) -> Findings:
    """Nobody is let in whose authority's list is out of date."""
    pieces = Path(place).read_bytes().split(b"-----END X509 CRL-----")
    for piece in pieces[:-1]:
        try:
            found = x509.load_pem_x509_crl(piece.lstrip() + b"-----END X509 CRL-----\n")
        except ValueError as error:
            yield fail(ABOUT, f"a revocation list in {place} cannot be read: {error}", "Fetch it anew.")
            continue
        until = found.next_update_utc
        if until is not None and until < datetime.now(UTC):
            told = f"the revocation list of {found.issuer.rfc4514_string()} is out of date since {until:%Y-%m-%d %H:%M}"
            yield fail(ABOUT, told, "Fetch it anew: until then nobody with a certificate of its authority is let in.")


def ending(about: str, named: str, certificate: x509.Certificate, advice: str = "Renew it.") -> Finding:
    """How long a certificate lasts."""
    days = (certificate.not_valid_after_utc - datetime.now(UTC)).total_seconds() / _DAY
    if days < 0:
        return fail(about, f"{named} ended {-days:.0f} days ago", advice)
    told = f"{named} ends in {days:.0f} days"
    return warn(about, told, advice) if days < LEAST_DAYS else ok(about, told)


def days_left(ends: str) -> float | None:
    """Until a time as TLS tells it; None where none is told."""
    return (ssl.cert_time_to_seconds(ends) - time.time()) / _DAY if ends else None


def peer_of(certificate: x509.Certificate) -> Peer:
    """Whom others take us for."""
    names: list[str] = []
    try:
        told = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names += [*told.get_values_for_type(x509.DNSName), *map(str, told.get_values_for_type(x509.IPAddress))]
    except x509.ExtensionNotFound:
        pass
    names += [str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    fingerprint = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    return Peer(certificate.subject.rfc4514_string(), fingerprint, tuple(each.lower() for each in names))


def own(settings: Settings) -> Peer | None:
    """We, as others know us; None without a certificate that can be read."""
    try:
        return peer_of(x509.load_pem_x509_certificates(Path(settings.tls_certificate).read_bytes())[0])
    except (OSError, ValueError):
        return None
