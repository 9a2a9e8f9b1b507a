"""`portolan pki`: an authority and certificates for development; a site's own come from its own authority."""

from __future__ import annotations

from pathlib import Path

import click

from console import development_ca
from console.development_ca import Authority
from console.failure import Failure

_FOLDER = click.argument("folder", type=click.Path(file_okay=False, path_type=Path))


@click.group()
def pki() -> None:
    """Make an authority and certificates to try mutual TLS with (ITI-19). For development: its key lies in a file.

    \b
    Examples:
      portolan pki init trial-pki
      portolan pki issue trial-pki registry --name registry.trust.example --name localhost
      portolan pki revoke trial-pki registry
    """


@pki.command("init")
@_FOLDER
@click.option("--days", default=365, show_default=True, type=click.IntRange(1, 3650), help="How long it is valid.")
def init(folder: Path, days: int) -> None:
    """Make an authority in a new FOLDER: ca.pem, its key, and an empty revocation list crl.pem.

    \b
    Example:
      portolan pki init trial-pki
    """
    try:
        development_ca.create(folder, days)
    except FileExistsError as error:
        raise Failure(f"There is an authority in {folder} already.", "Name another folder.") from error
    except OSError as error:
        raise Failure(f"{folder} cannot be written: {error.strerror}.") from error
    click.echo(f"Made an authority for development: {folder / 'ca.pem'}, {folder / 'crl.pem'}")
    click.echo("Whoever has its key can make certificates that its partners trust: never use it for patients' data.")


@pki.command("issue")
@_FOLDER
@click.argument("name")
@click.option("--name", "names", multiple=True, metavar="HOST", help="A host name or address it is of; repeatable.")
@click.option("--days", default=90, show_default=True, type=click.IntRange(1, 730), help="How long it is valid.")
def issue(folder: Path, name: str, names: tuple[str, ...], days: int) -> None:
    """Make the key and certificate NAME.pem, to serve and to call with.

    \b
    Examples:
      portolan pki issue trial-pki registry --name registry.trust.example
      portolan pki issue trial-pki source --days 30
    """
    authority = _authority(folder)
    if not name.replace("-", "").replace(".", "").replace("_", "").isalnum() or name in ("ca", "crl"):
        raise click.UsageError("NAME is of letters, digits, dots, dashes, and neither ca nor crl.")
    place = folder / f"{name}.pem"
    if place.exists():
        raise Failure(f"There is a certificate {place} already.", "Revoke it, or choose another name.")
    made = authority.issue(name, names, days)
    development_ca.write_secret(place, made.pem)
    click.echo(f"Made {place}; sha256:{made.fingerprint}")


@pki.command("revoke")
@_FOLDER
@click.argument("name")
def revoke(folder: Path, name: str) -> None:
    """Take the certificate NAME.pem back: it is moved aside, and on the revocation list crl.pem from now on.

    \b
    Example:
      portolan pki revoke trial-pki source
    """
    authority = _authority(folder)
    place = folder / f"{name}.pem"
    if not place.is_file():
        raise Failure(f"There is no certificate {place}.")
    authority.revoke(place.read_bytes())
    place.rename(place.with_suffix(".revoked"))
    click.echo(f"{place} was taken back: {folder / 'crl.pem'} says so.")


def _authority(folder: Path) -> Authority:
    try:
        return Authority(folder)
    except OSError as error:
        raise Failure(f"There is no authority in {folder}.", f"Make one: portolan pki init {folder}") from error
