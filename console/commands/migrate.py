"""`portolan migrate`: bring the databases to this release's schema."""

from __future__ import annotations

import click

from auditing.store import schema as audit_schema
from common.db import Database
from common.outbox.schema import SCHEMA
from console.cli import config_option, settings
from console.database import audit_database, database, identity_database
from console.failure import Failure
from console.outbox import outbox_database, served_outboxes
from identity.store import schema as identity_schema
from registry.store import schema


@click.command()
@config_option
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 when a schema is behind.")
def migrate(check: bool) -> None:
    """Bring the databases of the Registry, the cross-reference and the audit trail, and the outboxes, to this release's
    schema.

    `portolan serve` does this by itself. Where the services may not change the schema, run it before they are
    started with --no-migrate. It can be run by several at once, and again.

    \b
    Examples:
      portolan migrate
      portolan migrate --check
    """
    current = settings()
    with database(current) as opened:
        if check:
            _insist("database", schema.current(opened), schema.newest())
        else:
            _told("database", *schema.upgrade(opened))
    with identity_database(current) as opened:
        if check:
            _insist("cross-reference's database", identity_schema.current(opened), identity_schema.newest())
        else:
            _told("cross-reference's database", *identity_schema.upgrade(opened))
    with audit_database(current) as opened:
        if check:
            _insist("audit trail's database", audit_schema.current(opened), audit_schema.newest())
        else:
            _told("audit trail's database", *audit_schema.upgrade(opened))
    for service in served_outboxes(current):
        with outbox_database(current, service) as opened:
            _outbox(opened, f"outbox of the {service}", check=check)


def _outbox(opened: Database, name: str, *, check: bool) -> None:
    if check:
        _insist(name, SCHEMA.current(opened), SCHEMA.newest())
    else:
        _told(name, *SCHEMA.upgrade(opened))


def _told(name: str, before: str, after: str) -> None:
    if before == after:
        click.echo(f"The {name} is at schema {after} already.")
    else:
        click.echo(f"The {name} was brought from schema {before or 'none'} to {after}.")


def _insist(name: str, found: str, needed: str) -> None:
    if found != needed:
        raise Failure(
            f"The {name} is at schema {found or 'none'}, and this release needs {needed}.", "Run `portolan migrate`."
        )
    click.echo(f"The {name} is at schema {found}, as this release needs it.")
