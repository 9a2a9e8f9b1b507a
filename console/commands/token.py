"""`portolan token`: bearer tokens for development; a site's own come from its own authorisation server."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import Any, Final

import click
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from console.failure import Failure

DEVELOPMENT_ISSUER: Final = "urn:portolan:development"
_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}

Signing = tuple[RSAKey | ECKey | OKPKey, str]


@click.command()
@click.argument("key", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--user", default="", metavar="ID", help="Who asks, as a national user id.")
@click.option("--audience", "audiences", multiple=True, metavar="URI", help="For whom; repeatable.")
@click.option("--scope", default="system/AuditEvent.rs", show_default=True, help="What it is good for.")
@click.option("--issuer", default=DEVELOPMENT_ISSUER, show_default=True, help="Who vouches for the user.")
@click.option("--name", default="", help="The user's name.")
@click.option("--organisation", default="", metavar="NAME", help="The user's organisation.")
@click.option("--role", "roles", multiple=True, metavar="CODE^SYSTEM", help="A role; repeatable.")
@click.option("--purpose", "purposes", multiple=True, metavar="CODE^SYSTEM", help="Why; repeatable.")
@click.option("--patient", default="", metavar="CX", help="About whom.")
@click.option("--minutes", default=5, show_default=True, type=click.IntRange(1, 60), help="How long it counts.")
@click.option("--jwks", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write the public key for PORTOLAN_OAUTH_JWKS; without --user, nothing else.")  # fmt: skip
def token(
    key: Path,
    user: str,
    audiences: tuple[str, ...],
    scope: str,
    issuer: str,
    name: str,
    organisation: str,
    roles: tuple[str, ...],
    purposes: tuple[str, ...],
    patient: str,
    minutes: int,
    jwks: Path | None,
) -> None:
    """Sign a bearer token that says who asks (ITI-72), with the key in KEY, and print it.

    For development: whoever has the key is whoever they say. Services believe it when PORTOLAN_OAUTH_ISSUER names the
    issuer and PORTOLAN_OAUTH_JWKS the file that --jwks has written.

    \b
    Examples:
      portolan token trial-pki/sts.pem --jwks jwks.json
      portolan token trial-pki/sts.pem --user 555000000001 --audience http://localhost:8090/audit
    """
    signing = _signing(key)
    if jwks is not None:
        _write(jwks, signing)
    if not user:
        if jwks is None:
            raise click.UsageError("Say --user, or --jwks, or both.")
        return
    if not audiences:
        raise click.UsageError("Say for whom it is, with --audience.")
    now = int(time.time())
    iua: dict[str, Any] = {
        "subject_name": name,
        "subject_organization": organisation,
        "subject_role": [_coded(each) for each in roles],
        "purpose_of_use": [_coded(each) for each in purposes],
    }
    claims = {
        "iss": issuer,
        "sub": user,
        "client_id": "portolan-token",
        "aud": list(audiences),
        "jti": str(uuid.uuid4()),
        "iat": now,
        "exp": now + 60 * minutes,
        "scope": scope,
        "extensions": {"ihe_iua": {part: value for part, value in iua.items() if value}},
    }
    if patient:
        claims["extensions"]["ihe_bppc"] = {"patient_id": patient}  # type: ignore[index]
    click.echo(signed(claims, signing))


def signed(claims: dict[str, Any], signing: Signing, **header: Any) -> str:
    """A JWT."""
    key, algorithm = signing
    told = {"alg": algorithm, "typ": "at+jwt", "kid": key.thumbprint(), **header}
    return jws.serialize_compact(told, json.dumps(claims), key, algorithms=[algorithm])


def public_set(signing: Signing) -> dict[str, Any]:
    """The JWK Set of a key."""
    key, algorithm = signing
    return {"keys": [{**key.as_dict(private=False), "kid": key.thumbprint(), "use": "sig", "alg": algorithm}]}


def _signing(file: Path) -> Signing:
    """The private key in a PEM file, and the algorithm that it signs with; Failure."""
    try:
        return signing_with(file.read_bytes())
    except (ValueError, TypeError) as error:
        told = f"{file} holds no private key, as PEM and without a password, that tokens are signed with."
        raise Failure(told) from error


def signing_with(pem: bytes) -> Signing:
    """From PEM, in which a certificate may stand beside the key; ValueError, TypeError."""
    key = load_pem_private_key(pem, None)
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    if isinstance(key, rsa.RSAPrivateKey):
        return RSAKey.import_key(plain), "RS256"
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return ECKey.import_key(plain), _CURVES[key.curve.name]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return OKPKey.import_key(plain), "Ed25519"
    raise ValueError("its kind is not taken")


def _write(file: Path, signing: Signing) -> None:
    try:
        file.write_text(json.dumps(public_set(signing), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {file}, the public key.", err=True)


def _coded(text: str) -> dict[str, str]:
    code, _, system = text.partition("^")
    if not code or not system:
        raise click.UsageError(f"{text!r} is not CODE^SYSTEM.")
    return {"code": code, "system": system}
