"""`portolan access`: questions to the registry of agreements and the directories, and what is printed of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import click

from common.clock import utc_now
from common.db import Work
from console.access import directories, papers
from console.access.opening import ready, time_of
from console.cli import config_option
from console.database import database
from console.output import json_option, print_json, print_table
from registry.access.store import Record

_AGREEMENT: Final = ("id", "title", "providers", "recipients", "types", "purposes", "begins", "ends")
_ENDPOINT: Final = ("organisation", "service", "transactions", "address", "begins", "ends")
at_option = click.option("--at", default="", metavar="DAY", help="When it has to count; now when not given.")


def _found(ask: Callable[[Work], list[Record]], columns: Sequence[str], *, as_json: bool) -> None:
    with database(ready()) as opened, opened.read() as work:
        found = ask(work)
    if as_json:
        print_json(found)
    else:
        print_table(columns, [[each[name] for name in columns] for each in found])


@click.command("find")
@click.option("--provider", default="", metavar="CODE", help="Whose documents.")
@click.option("--recipient", default="", metavar="CODE", help="Who wants to see them.")
@click.option("--type", "type_code", default="", metavar="CODE", help="Of which typeCode or classCode.")
@click.option("--purpose", default="", metavar="CODE", help="For which purpose of use.")
@at_option
@config_option
@json_option
def find_agreements(provider: str, recipient: str, type_code: str, purpose: str, at: str, as_json: bool) -> None:
    """Find the agreements that cover something, those of whoever operates an organisation included.

    \b
    Example:
      portolan access agreements find --provider ZT901 --recipient ZG902 --type 373942005
    """
    moment = time_of(at)
    _found(
        lambda work: directories.agreements(
            work, provider=provider, recipient=recipient, type_code=type_code, purpose=purpose, at=moment
        ),
        _AGREEMENT,
        as_json=as_json,
    )


@click.command("find")
@click.option("--organisation", default="", metavar="CODE", help="Whose, or whose operator's.")
@click.option("--service", default="", metavar="ID", help="Of which service.")
@click.option("--transaction", default="", metavar="NAME", help="Where what is served, as ITI-18.")
@at_option
@config_option
@json_option
def find_endpoints(organisation: str, service: str, transaction: str, at: str, as_json: bool) -> None:
    """Find where a service of an organisation lives: its own endpoints first, then those of whoever operates it.

    \b
    Example:
      portolan access endpoints find --organisation ZT90101 --transaction ITI-18
    """
    moment = time_of(at)
    _found(
        lambda work: directories.endpoints(
            work, organisation=organisation, service=service, transaction=transaction, at=moment
        ),
        _ENDPOINT,
        as_json=as_json,
    )


@click.command("print")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, writable=True), required=False)
@at_option
@config_option
def print_services(file: Path | None, at: str) -> None:
    """Print the directory of business services, and where each lives: on the terminal, or as PDF into FILE.

    \b
    Example:
      portolan access services print services.pdf
    """
    moment = time_of(at)
    with database(ready()) as opened, opened.read() as work:
        found = directories.services(work, moment)
        codes = {each["organisation"] for service, places in found for each in (service, *places)}
        names = directories.names(work, codes)
    if file is None:
        click.echo(papers.services_as_text(found, names))
        return
    file.write_bytes(papers.services_as_pdf(found, names, at=moment, now=utc_now()))
    click.echo(f"{file} was written.")
