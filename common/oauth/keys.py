"""The issuer's public keys: from a file, or from where its configured metadata say; never from where a token says."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from common.followed import Followed
from common.oauth.fetching import Fetch
from common.oauth.refusal import CannotTell

log = logging.getLogger("portolan.oauth")

PublicKey = RSAKey | ECKey | OKPKey

_KINDS: Final[dict[str, type[RSAKey] | type[ECKey] | type[OKPKey]]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_PRIVATE: Final = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k"))
_LEAST_RSA: Final = 2048
_MOST_KEYS: Final = 100
_REFRESH_EVERY: Final = 3600.0
_ASK_AGAIN: Final = 60.0


class BadKeys(ValueError):  # noqa: N818
    """A set of keys that cannot be used; the text says why."""


class Keys(Protocol):
    """Where keys come from."""

    def find(self, kid: str) -> Sequence[PublicKey]:
        """Those of a name; all of them for no name. CannotTell."""


def read_keys(told: Any) -> tuple[PublicKey, ...]:
    """The keys of a JWK Set (RFC 7517) that signatures may be verified with; others are passed over. BadKeys."""
    rows = told.get("keys") if isinstance(told, dict) else None
    if not isinstance(rows, list) or len(rows) > _MOST_KEYS:
        raise BadKeys("it is no JWK Set")
    found = [key for row in rows if isinstance(row, dict) and (key := _key(row)) is not None]
    if not found:
        raise BadKeys("there is no public key in it that signatures are verified with")
    return tuple(found)


def _key(row: dict[str, Any]) -> PublicKey | None:
    kind = _KINDS.get(str(row.get("kty")))
    if kind is None or row.get("use", "sig") != "sig":
        return None
    public = {name: value for name, value in row.items() if name not in _PRIVATE}
    try:
        made = kind.import_key(public)
        if isinstance(made, RSAKey) and made.public_key.key_size < _LEAST_RSA:
            return None
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return made


def _named(keys: Sequence[PublicKey], kid: str) -> Sequence[PublicKey]:
    return [key for key in keys if key.kid == kid] if kid else keys


class FileKeys:
    """A JWK Set in a file, read again when it changes."""

    def __init__(self, file: Path) -> None:
        """OSError, BadKeys."""
        self._keys = Followed("keys", lambda: _of_file(file), lambda: (file,), (OSError, BadKeys), log)

    def find(self, kid: str) -> Sequence[PublicKey]:
        """Those of a name; all of them for no name."""
        return _named(self._keys(), kid)


def _of_file(file: Path) -> tuple[PublicKey, ...]:
    try:
        return read_keys(json.loads(file.read_text(encoding="utf-8")))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise BadKeys("it is no JSON") from error


class IssuerKeys:
    """Keys from where the issuer's metadata (RFC 8414) say that they are.

    They are fetched anew every hour, and for a name that is not known, but not more than once a minute: tokens that
    name keys at random make nobody fetch. While the issuer is away, what was fetched before stays in force.
    """

    def __init__(self, issuer: str, metadata: str, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer, self._metadata, self._fetch, self._clock = issuer, metadata, fetch, clock
        self._lock = threading.Lock()
        self._keys: tuple[PublicKey, ...] = ()
        self._fetched = self._asked = float("-inf")

    def find(self, kid: str) -> Sequence[PublicKey]:
        """Those of a name; all of them for no name. CannotTell where there are none yet."""
        with self._lock:
            now = self._clock()
            known = _named(self._keys, kid)
            if (now - self._fetched >= _REFRESH_EVERY or not known) and now - self._asked >= _ASK_AGAIN:
                self._asked = now
                self._refresh(now)
                known = _named(self._keys, kid)
            if not self._keys:
                raise CannotTell("the issuer's keys are not known yet")
            return known

    def _refresh(self, now: float) -> None:
        try:
            self._keys = read_keys(self._fetch(self._place(), None))
            self._fetched = now
        except (CannotTell, BadKeys) as error:
            log.error("the issuer's keys could not be fetched: %s", error)

    def _place(self) -> str:
        """Of this very issuer, and where nobody between can write."""
        told = self._fetch(self._metadata, None)
        if not isinstance(told, dict) or told.get("issuer") != self._issuer:
            raise CannotTell("the metadata are of another issuer")
        place = told.get("jwks_uri")
        if not isinstance(place, str):
            raise CannotTell("the metadata do not say where the keys are")
        wanted, found = urlsplit(self._metadata), urlsplit(place)
        if found.scheme != "https" and (found.scheme, found.netloc) != (wanted.scheme, wanted.netloc):
            raise CannotTell("the keys are at an address that is not https")
        return place
