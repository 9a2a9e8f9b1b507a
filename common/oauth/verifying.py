"""Verifies a bearer token (ITI-72; RFC 7519, 9068, 8725): its shape, its signature, its claims, and its scopes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from common.caller import Caller
from common.oauth.claims import caller_of
from common.oauth.introspection import Introspection
from common.oauth.keys import Keys, PublicKey
from common.oauth.refusal import SCOPE, NotAuthorised
from common.oauth.shape import ALGORITHMS, LONGEST, is_signed, taken_apart

_MOST_TRIED: Final = 8
_REGISTRY: Final = jws.JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)
_OF_KIND: Final = {"RS": RSAKey, "PS": RSAKey, "ES": ECKey, "Ed": OKPKey}


@dataclass(frozen=True, slots=True)
class Policy:
    """Whose tokens count and for whom they are; times in seconds. A token may live an hour (ITI TF-2 3.71)."""

    issuer: str
    audiences: frozenset[str]
    skew: float = 60.0
    longest: float = 3600.0


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who bears a token, and what it is good for."""

    caller: Caller
    scopes: frozenset[str]
    client: str

    def needs(self, scope: str) -> None:
        """NotAuthorised where the token is not good for it."""
        if scope and scope not in self.scopes:
            raise NotAuthorised(f"The token lacks the scope {scope}.", SCOPE)


class Verifier:
    """Verifies tokens; safe to use from many threads."""

    def __init__(self, policy: Policy, keys: Keys | None, introspection: Introspection | None = None) -> None:
        """With ``keys`` tokens are JWTs; with ``introspection`` the issuer is asked of each as well, or alone."""
        self._policy, self._keys, self._introspection = policy, keys, introspection

    def verify(self, token: str, now: float) -> Bearer:
        """NotAuthorised, CannotTell."""
        if self._keys is not None and (is_signed(token) or self._introspection is None):
            claims = self._signed(token, self._keys)
            self._check(claims, now)
            if self._introspection is not None:
                self._introspection.claims(token)
        elif self._introspection is not None:
            if len(token) > LONGEST:
                raise NotAuthorised("The token is too long.")
            claims = {"iss": self._policy.issuer, **self._introspection.claims(token)}
            self._check(claims, now, told_by_issuer=True)
        else:
            raise NotAuthorised("No tokens are taken.")
        scopes = _scopes(claims)
        return Bearer(caller_of(claims, sorted(scopes)), scopes, _named(claims, "client_id", "azp"))

    def _signed(self, token: str, keys: Keys) -> Mapping[str, Any]:
        """The claims of a token that a key of the issuer's signed."""
        shape = taken_apart(token)
        kind = _OF_KIND[shape.algorithm[:2]]
        found = [key for key in keys.find(shape.kid) if isinstance(key, kind) and _is_for(key, shape.algorithm)]
        if not found:
            raise NotAuthorised("The token is signed with a key that is not known.")
        for key in found[:_MOST_TRIED]:
            try:
                jws.deserialize_compact(token, key, algorithms=[shape.algorithm], registry=_REGISTRY)
            except (JoseError, ValueError, TypeError):
                continue
            return shape.claims
        raise NotAuthorised("The token's signature is wrong.")

    def _check(self, claims: Mapping[str, Any], now: float, *, told_by_issuer: bool = False) -> None:
        """What an issuer that was asked leaves out is not missed, but for when the token ends."""
        policy = self._policy
        if claims.get("iss") != policy.issuer:
            raise NotAuthorised("The token's issuer is not trusted here.")
        audience = claims.get("aud")
        meant = {audience} if isinstance(audience, str) else set(_listed(audience))
        if not meant & policy.audiences and not (told_by_issuer and audience is None):
            raise NotAuthorised("The token is not meant for this service.")
        ends, begins, issued = (_time(claims, name) for name in ("exp", "nbf", "iat"))
        if ends is None or (issued is None and not told_by_issuer):
            raise NotAuthorised("The token does not say when it was issued and when it ends.")
        if now >= ends + policy.skew:
            raise NotAuthorised("The token has expired.")
        if any(each is not None and now < each - policy.skew for each in (begins, issued)):
            raise NotAuthorised("The token is not valid yet.")
        if issued is not None and ends - issued > policy.longest:
            raise NotAuthorised("The token lives longer than is taken.")
        if told_by_issuer:
            return
        for name in ("sub", "jti"):
            if not isinstance(claims.get(name), str) or not claims[name]:
                raise NotAuthorised(f"The token has no {name}.")


def _is_for(key: PublicKey, algorithm: str) -> bool:
    """Whether a key that says what it is for is for this."""
    return key.get("alg") in (None, algorithm) and "verify" in (key.get("key_ops") or ["verify"])


def _listed(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise NotAuthorised(f"The token's {name} is no time.")
    return float(value)


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """`scope` of RFC 9068, a text; or `scp`, a list, as some issuers have it."""
    told = claims.get("scope", claims.get("scp", ""))
    found = told.split() if isinstance(told, str) else _listed(told)
    if len(found) > 200:
        raise NotAuthorised("The token has more scopes than are taken.")
    return frozenset(found)


def _named(claims: Mapping[str, Any], *names: str) -> str:
    return next((value for name in names if isinstance(value := claims.get(name), str)), "")
