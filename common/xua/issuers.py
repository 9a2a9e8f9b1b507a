"""Who may vouch for users, and with which keys: never a key that comes with the assertion itself."""

from __future__ import annotations

import logging
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from common.followed import Followed

Issuers = Mapping[str, tuple[x509.Certificate, ...]]
"""The certificates of each issuer, by the Issuer that its assertions name."""

log = logging.getLogger("portolan.xua")

_LEAST_RSA: Final = 2048


class BadIssuers(ValueError):  # noqa: N818
    """A file of issuers that cannot be used; the text says why."""


def read_issuers(place: Path) -> Issuers:
    """A TOML file with a table for each issuer, whose ``certificates`` are PEM files; OSError, BadIssuers."""
    try:
        told = tomllib.loads(place.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadIssuers(f"it is not TOML ({error})") from error
    found = {name: _certificates(name, row, place.parent) for name, row in told.items()}
    if not found:
        raise BadIssuers("there is no issuer in it")
    return found


def _certificates(name: str, row: object, folder: Path) -> tuple[x509.Certificate, ...]:
    names = row.get("certificates") if isinstance(row, dict) else None
    if not isinstance(names, list) or not names or not all(isinstance(each, str) for each in names):
        raise BadIssuers(f"[{name}] needs certificates, a list of PEM files")
    found: list[x509.Certificate] = []
    for each in names:
        try:
            found += x509.load_pem_x509_certificates((folder / each).read_bytes())
        except ValueError as error:
            raise BadIssuers(f"{each} of [{name}] is not a PEM certificate") from error
    for certificate in found:
        key = certificate.public_key()
        strong = isinstance(key, ec.EllipticCurvePublicKey) or (
            isinstance(key, rsa.RSAPublicKey) and key.key_size >= _LEAST_RSA
        )
        if not strong:
            raise BadIssuers(f"a key of [{name}] is neither elliptic nor RSA of {_LEAST_RSA} bits or more")
    return tuple(found)


def followed(place: Path, now: Callable[[], float] = time.monotonic) -> Followed[Issuers]:
    """The issuers as their files are; OSError, BadIssuers when those cannot be used to begin with."""

    def files() -> list[Path]:
        told = tomllib.loads(place.read_text(encoding="utf-8"))
        rows = [row.get("certificates", ()) for row in told.values() if isinstance(row, dict)]
        return [place, *(place.parent / str(each) for row in rows for each in row)]

    return Followed("issuers", lambda: read_issuers(place), files, (OSError, BadIssuers), log, now)
