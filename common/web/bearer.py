"""Bearer tokens at the door of the REST faces (ITI-72): who asks, or what is missing (RFC 6750)."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from common.caller import Caller
from common.oauth import (
    BadKeys,
    Bearer,
    CannotTell,
    FileKeys,
    Introspection,
    IssuerKeys,
    Keys,
    NotAuthorised,
    Policy,
    Verifier,
)
from common.oauth.fetching import fetcher
from common.oauth.refusal import SCOPE
from common.settings import Settings

log = logging.getLogger("portolan.oauth")

_SCHEME: Final = "bearer"


class CannotAuthorise(Exception):  # noqa: N818
    """The files that say whose tokens count cannot be used; the text says which, and why."""


class Refused(Exception):  # noqa: N818
    """The status, the value of WWW-Authenticate or none, and a sentence."""

    def __init__(self, status: int, challenge: str, told: str, caller: Caller | None = None) -> None:
        """``caller`` is who asked, where that is known."""
        super().__init__(told)
        self.status, self.challenge, self.told, self.caller = status, challenge, told, caller


def verifier(settings: Settings, audiences: Collection[str]) -> Verifier | None:
    """As settings say; None where no tokens are asked for. CannotAuthorise."""
    if settings.oauth == "off":
        return None
    fetch = fetcher(settings.connect_timeout, settings.answer_timeout)
    keys: Keys | None = None
    if settings.oauth_jwks:
        try:
            keys = FileKeys(Path(settings.oauth_jwks))
        except OSError as error:
            raise CannotAuthorise(f"{settings.oauth_jwks}: {error.strerror}") from error
        except BadKeys as error:
            raise CannotAuthorise(f"{settings.oauth_jwks}: {error}") from error
    elif settings.oauth_metadata:
        keys = IssuerKeys(settings.oauth_issuer, settings.oauth_metadata, fetch)
    more = (each.strip() for each in settings.oauth_audiences.split(","))
    policy = Policy(settings.oauth_issuer, frozenset(filter(None, (*audiences, *more))), settings.oauth_skew)
    return Verifier(policy, keys, _introspection(settings))


def _introspection(settings: Settings) -> Introspection | None:
    if not settings.oauth_introspection:
        return None
    credentials = (settings.oauth_client, settings.oauth_client_secret) if settings.oauth_client else None
    fetch = fetcher(settings.connect_timeout, settings.answer_timeout, credentials)
    return Introspection(settings.oauth_introspection, fetch)


def bearer(environ: Mapping[str, Any], verifies: Verifier, scope: str, now: float | None = None) -> Bearer:
    """Whoever asks, by the Authorization header alone: a token in an address would be in every log. Refused."""
    header = str(environ.get("HTTP_AUTHORIZATION", ""))
    scheme, _, token = header.partition(" ")
    if not header or scheme.lower() != _SCHEME:
        # Who did not try is told nothing but how (RFC 6750 section 3.1).
        raise Refused(401, _challenge(scope=scope), "A bearer token is required.")
    found: Bearer | None = None
    try:
        found = verifies.verify(token.strip(), time.time() if now is None else now)
        found.needs(scope)
    except NotAuthorised as refused:
        status = 403 if refused.error == SCOPE else 401
        log.warning("refused a token: %s", refused.told)
        challenge = _challenge(refused.error, refused.told, scope)
        raise Refused(status, challenge, refused.told, found.caller if found else None) from refused
    except CannotTell as error:
        log.error("a token could not be verified: %s", error)
        raise Refused(503, "", "Tokens cannot be verified now; try again later.") from error
    return found


def _challenge(error: str = "", told: str = "", scope: str = "") -> str:
    parts = [f'{name}="{value}"' for name, value in (("error", error), ("error_description", told)) if value]
    parts += [f'scope="{scope}"'] if scope and error in ("", SCOPE) else []
    return "Bearer " + ", ".join(['realm="portolan"', *parts])
