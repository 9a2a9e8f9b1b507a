"""`portolan migrate`: bring the Registry's database to this release's schema."""

from __future__ import annotations

import click

from console.cli import config_option, settings
from console.database import database
from console.failure import Failure
from registry.store import schema


@click.command()
@config_option
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 when the schema is behind.")
def migrate(check: bool) -> None:
    """Bring the Registry's database to this release's schema.

    `portolan serve` does this by itself. Where the services may not change the schema, run it before they are
    started with --no-migrate. It can be run by several at once, and again.

    \b
    Examples:
      portolan migrate
      portolan migrate --check
    """
    with database(settings()) as opened:
        if check:
            _insist(schema.current(opened), schema.newest())
            return
        before, after = schema.upgrade(opened)
    if before == after:
        click.echo(f"The database is at schema {after} already.")
    else:
        click.echo(f"The database was brought from schema {before or 'none'} to {after}.")


def _insist(found: str, needed: str) -> None:
    if found != needed:
        raise Failure(
            f"The database is at schema {found or 'none'}, and this release needs {needed}.", "Run `portolan migrate`."
        )
    click.echo(f"The database is at schema {found}, as this release needs it.")
