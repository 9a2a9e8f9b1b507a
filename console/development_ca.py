"""An authority for development, in a folder: its certificate, its key and its revocation list."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CA, _KEY, _CRL = "ca.pem", "ca-key.pem", "crl.pem"
_ORGANISATION: Final = "Portolan development, trust it with nothing"
_CRL_DAYS: Final = 365
_LEEWAY: Final = timedelta(minutes=5)  # clocks differ


@dataclass(frozen=True, slots=True)
class Issued:
    """Key and certificate in one file, and the certificate's SHA-256 in hex."""

    pem: bytes
    fingerprint: str


def create(folder: Path, days: int) -> Authority:
    """Make an authority; FileExistsError where there is one, OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / _KEY).exists():
        raise FileExistsError(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named("Development authority")
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - _LEEWAY)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_secret(folder / _KEY, _key_pem(key))
    (folder / _CA).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    authority = Authority(folder)
    authority.write_list([])
    return authority


def write_secret(place: Path, data: bytes) -> None:
    """A file that only its owner reads."""
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def fingerprint(pem: bytes) -> str:
    """A certificate's SHA-256 in hex."""
    return x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex()


class Authority:
    """Issues and revokes."""

    def __init__(self, folder: Path) -> None:
        """OSError when there is none."""
        self._folder = folder
        self._certificate = x509.load_pem_x509_certificate((folder / _CA).read_bytes())
        key = serialization.load_pem_private_key((folder / _KEY).read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key

    def issue(self, name: str, hosts: Sequence[str], days: int) -> Issued:
        """A certificate for both sides of a connection; negative ``days`` make one that has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        ends = now + timedelta(days=days)
        builder = (
            x509.CertificateBuilder(
                self._certificate.subject, _named(name), key.public_key(), x509.random_serial_number()
            )
            .not_valid_before(min(now, ends) - _LEEWAY)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), False)
        made = builder.sign(self._key, hashes.SHA256())
        pem = _key_pem(key) + made.public_bytes(serialization.Encoding.PEM)
        return Issued(pem, made.fingerprint(hashes.SHA256()).hex())

    def revoke(self, pem: bytes) -> None:
        """Put a certificate on the list."""
        found = x509.load_pem_x509_certificate(pem)
        before = list(x509.load_pem_x509_crl((self._folder / _CRL).read_bytes()))
        taken = x509.RevokedCertificateBuilder(found.serial_number, datetime.now(UTC)).build()
        self.write_list([*before, taken])

    def write_list(self, revoked: Sequence[x509.RevokedCertificate]) -> None:
        """The list of revoked certificates, put in the place of the one before at once."""
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder(
            self._certificate.subject, now - _LEEWAY, now + timedelta(days=_CRL_DAYS)
        )
        for each in revoked:
            builder = builder.add_revoked_certificate(each)
        new = self._folder / f"{_CRL}.new"
        new.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        new.replace(self._folder / _CRL)


def _named(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANISATION),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
