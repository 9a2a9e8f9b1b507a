"""`portolan assertion`: SAML assertions for development; a site's own come from its own identity provider."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click
from lxml import etree

from common.xua import Coded
from console.development_sts import Statement, signed
from console.development_sts import assertion as stated
from console.failure import Failure

DEVELOPMENT_ISSUER = "urn:portolan:development"


@click.command()
@click.argument("key", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--user", required=True, metavar="ID", help="Who asks, as a national user id.")
@click.option("--audience", "audiences", multiple=True, required=True, metavar="URI", help="For whom; repeatable.")
@click.option("--issuer", default=DEVELOPMENT_ISSUER, show_default=True, help="Who vouches for the user.")
@click.option("--name", default="", help="The user's name.")
@click.option("--organisation", default="", metavar="NAME", help="The user's organisation.")
@click.option("--organisation-id", default="", metavar="URI", help="Its id, as urn:oid:…")
@click.option("--role", "roles", multiple=True, metavar="CODE^SYSTEM", help="A role; repeatable.")
@click.option("--purpose", "purposes", multiple=True, metavar="CODE^SYSTEM", help="Why; repeatable.")
@click.option("--patient", default="", metavar="CX", help="About whom.")
@click.option("--reason", default="", metavar="TEXT", help="Why the glass is broken, as the shipped policy names it.")
@click.option("--minutes", default=5, show_default=True, type=click.IntRange(1, 1440), help="How long it counts.")
def assertion(
    key: Path,
    file: Path,
    user: str,
    audiences: tuple[str, ...],
    issuer: str,
    name: str,
    organisation: str,
    organisation_id: str,
    roles: tuple[str, ...],
    purposes: tuple[str, ...],
    patient: str,
    reason: str,
    minutes: int,
) -> None:
    """Sign an assertion that says who asks (ITI-40), with the key and certificate in KEY, and write it to FILE.

    For development: whoever has the key is whoever they say. Services believe it when its certificate stands in
    PORTOLAN_XUA_ISSUERS; commands send it when PORTOLAN_XUA_ASSERTION names it.

    \b
    Example:
      portolan assertion trial-pki/sts.pem assertion.xml --user 555000000001 --audience https://localhost:8010
    """
    told = Statement(
        user,
        audiences,
        name,
        organisation,
        organisation_id,
        [_coded(each) for each in roles],
        [_coded(each) for each in purposes],
        patient,
        reason,
        lasts=timedelta(minutes=minutes),
    )
    try:
        made = signed(stated(told, issuer), key.read_bytes())
    except (ValueError, AssertionError) as error:
        raise Failure(f"{key} is not a PEM file with a key and its certificate.") from error
    try:
        file.write_bytes(etree.tostring(made))
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {file}; it counts for {minutes} minutes.")


def _coded(text: str) -> Coded:
    code, _, system = text.partition("^")
    if not code or not system:
        raise click.UsageError(f"{text!r} is not CODE^SYSTEM.")
    return Coded(code, system)
