"""Who may vouch for users, and with which keys: never a key that comes with the assertion itself."""

from __future__ import annotations

import logging
import threading
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

Issuers = Mapping[str, tuple[x509.Certificate, ...]]
"""The certificates of each issuer, by the Issuer that its assertions name."""

log = logging.getLogger("portolan.xua")

_LEAST_RSA: Final = 2048
_LOOK_EVERY: Final = 1.0


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


class FollowedIssuers:
    """The issuers as their files are, which are looked at once a second; safe to use from many threads.

    Files that cannot be used, half-copied ones, leave what was before in force, and are told of in the log.
    """

    def __init__(self, place: Path, now: Callable[[], float] = time.monotonic) -> None:
        """OSError, BadIssuers when the files cannot be used to begin with."""
        self._place, self._now = place, now
        self._lock = threading.Lock()
        self._state = self._seen()
        self._issuers = read_issuers(place)
        self._looked = now()

    def __call__(self) -> Issuers:
        """Those of now."""
        if self._now() - self._looked > _LOOK_EVERY:
            with self._lock:
                if self._now() - self._looked > _LOOK_EVERY:
                    self._looked = self._now()
                    self._look()
        return self._issuers

    def _look(self) -> None:
        state = self._seen()
        if state == self._state:
            return
        self._state = state
        try:
            self._issuers = read_issuers(self._place)
        except (OSError, BadIssuers) as error:
            log.error("changed issuers cannot be used, those from before stay in force: %s", error)
        else:
            log.info("issuers were read again")

    def _seen(self) -> tuple[tuple[str, int, int], ...]:
        """Names, times and sizes of what lies beside the file, certificates among them, and of the file."""
        try:
            found = [(str(each), each.stat()) for each in self._named()]
        except (OSError, ValueError):
            return ()
        return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in found)

    def _named(self) -> list[Path]:
        told = tomllib.loads(self._place.read_text(encoding="utf-8"))
        rows = [row.get("certificates", ()) for row in told.values() if isinstance(row, dict)]
        return [self._place, *(self._place.parent / str(each) for row in rows for each in row)]
