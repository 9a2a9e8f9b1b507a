"""Who is at the other end of a connection, and whether it may talk to us."""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PEER: Final = "portolan.peer"
"""The key of a WSGI environ under which a ``Peer`` stands, or None where nobody was asked; only with TLS."""

_HEX: Final = re.compile(r"[0-9a-f]{64}")
_KINDS: Final = ("sha256", "name")


@dataclass(frozen=True, slots=True)
class Peer:
    """A certificate: its subject as ``CN=…, O=…``, its SHA-256 in hex, and the names that it is of (RFC 6125).

    ``key`` is the SHA-256 of its public key; empty for a kind of key that is not known here.
    """

    subject: str
    fingerprint: str
    names: tuple[str, ...] = ()
    key: str = ""

    @classmethod
    def of(cls, connection: ssl.SSLSocket | ssl.SSLObject) -> Peer | None:
        """Of a connection whose handshake is over; None where no certificate was asked for or given."""
        der = connection.getpeercert(binary_form=True)
        return cls.told(connection.getpeercert() or {}, der) if der else None

    @classmethod
    def told(cls, fields: Mapping[str, Any], der: bytes) -> Peer:
        """From what the ssl module says of a verified certificate."""
        subject = [(str(key), str(value)) for group in fields.get("subject", ()) for key, value in group]
        names = [str(value) for kind, value in fields.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
        names += [value for key, value in subject if key == "commonName" and value not in names]
        return cls(
            ", ".join(f"{_SHORT.get(key, key)}={value}" for key, value in reversed(subject)),
            hashlib.sha256(der).hexdigest(),
            tuple(name.lower() for name in names),
            _key_of(der),
        )


def _key_of(der: bytes) -> str:
    # Imported by whoever sees a certificate: each command would wait for it otherwise, and few see any.
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        key = x509.load_der_x509_certificate(der).public_key()
        return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        return ""


_SHORT: Final = {
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "localityName": "L",
    "stateOrProvinceName": "ST",
}


class BadAllowList(ValueError):  # noqa: N818
    """A line of the list of peers that is not understood."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """Which of the trusted may connect: an authority's signature says who somebody is, not that they are expected here.

    One ``sha256:HEX`` (of the certificate) or ``name:DNS-NAME`` a line; what follows # is a comment.
    """

    fingerprints: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    everybody: bool = False

    @classmethod
    def read(cls, lines: Iterable[str]) -> Allowed:
        """BadAllowList names the line that is not understood."""
        found: dict[str, set[str]] = {kind: set() for kind in _KINDS}
        for number, line in enumerate(lines, 1):
            told = line.partition("#")[0].strip().lower()
            if not told:
                continue
            kind, colon, value = told.partition(":")
            value = value.replace(":", "").strip() if kind == "sha256" else value.strip()
            if not colon or kind not in found or not value or (kind == "sha256" and not _HEX.fullmatch(value)):
                raise BadAllowList(f"line {number} is neither sha256:HEX nor name:DNS-NAME")
            found[kind].add(value)
        return cls(frozenset(found["sha256"]), frozenset(found["name"]))

    @classmethod
    def from_file(cls, path: str) -> Allowed:
        """Everybody who is trusted, where no file is named; OSError, BadAllowList."""
        if not path:
            return cls(everybody=True)
        return cls.read(Path(path).read_text(encoding="utf-8", errors="replace").splitlines())

    def __contains__(self, peer: Peer) -> bool:
        return self.everybody or peer.fingerprint in self.fingerprints or not self.names.isdisjoint(peer.names)
