"""A token taken apart before anything of it is believed (RFC 7515, RFC 8725): three parts, small, each name once."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from common.oauth.refusal import NotAuthorised

# RSA, elliptic curves and Edwards curves. Never `none`, and never an HMAC, whose secret would be a public key.
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519")
TYPES: Final = frozenset(("", "jwt", "at+jwt", "application/at+jwt", "application/jwt"))
LONGEST: Final = 8 * 1024
_PART: Final = re.compile(r"[A-Za-z0-9_-]+")
_KID: Final = re.compile(r"[!-~]{1,200}")
_DEEPEST: Final = 12


@dataclass(frozen=True, slots=True)
class Shape:
    """What the header says, and what the claims would say if the signature is right."""

    algorithm: str
    kid: str
    claims: Mapping[str, Any]


def is_signed(token: str) -> bool:
    """Whether it looks like a JWT, rather than one that only its issuer can read."""
    return token.count(".") >= 2


def taken_apart(token: str) -> Shape:
    """NotAuthorised."""
    if len(token) > LONGEST:
        raise NotAuthorised("The token is too long.")
    parts = token.split(".")
    if len(parts) == 5:
        raise NotAuthorised("The token is encrypted, and only signed ones are taken.")
    if len(parts) != 3 or not all(_PART.fullmatch(part) for part in parts):
        raise NotAuthorised("The token is no signed JWT.")
    header = _object(parts[0])
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise NotAuthorised("The token is signed in a way that is not taken.")
    if str(header.get("typ", "")).lower() not in TYPES or "cty" in header:
        raise NotAuthorised("The token is of another type.")
    if "crit" in header or "zip" in header or "b64" in header:
        raise NotAuthorised("The token asks for what is not done here.")
    kid = header.get("kid", "")
    if not isinstance(kid, str) or (kid and not _KID.fullmatch(kid)):
        raise NotAuthorised("The token names its key in a way that is not taken.")
    return Shape(str(algorithm), kid, _object(parts[1]))


def _object(part: str) -> dict[str, Any]:
    """A JSON object in which no name comes twice: which of two is meant, others may see otherwise."""
    try:
        data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        if base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii") != part:
            raise ValueError("it has another form")
        found = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (binascii.Error, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise NotAuthorised("The token is no signed JWT.") from error
    if not isinstance(found, dict) or _depth(found) > _DEEPEST:
        raise NotAuthorised("The token is no signed JWT.")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level:
        depth += 1
        level = [
            below
            for each in level
            if isinstance(each, dict | list)
            for below in (each.values() if isinstance(each, dict) else each)
        ]
    return depth
