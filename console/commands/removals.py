"""`portolan removals`: the evidence of what was removed."""

from __future__ import annotations

from dataclasses import asdict

import click

from console.cli import config_option, settings
from console.database import database, ready_database
from console.failure import Failure
from console.output import json_option, print_json, print_table, shown_time
from registry.store import evidence


@click.group()
def removals() -> None:
    """Show the evidence of removals: what was removed, when, by whom and why."""


@removals.command("list")
@click.option("--patient", metavar="NHS_NUMBER", help="Of this patient only.")
@click.option("--most", default=100, show_default=True, help="How many, the latest first.")
@config_option
@json_option
def list_removals(patient: str | None, most: int, as_json: bool) -> None:
    """List the latest removals; associations are left out.

    \b
    Example:
      portolan removals list --patient 9990001006
    """
    current = settings()
    patient_id = f"{patient.replace(' ', '')}^^^&{current.patient_authority}&ISO" if patient else ""
    ready_database(current, migrate=False)
    with database(current) as opened, opened.read() as work:
        rows = evidence.last_removed(work, patient_id=patient_id, most=most)
    if as_json:
        print_json([asdict(each) for each in rows])
        return
    shown = [
        (shown_time(each.removed_at), each.kind, each.unique_id or each.entry_uuid, each.removed_by, each.reason)
        for each in rows
    ]
    print_table(("removed (UTC)", "kind", "id", "by", "reason"), shown)


@removals.command("show")
@click.argument("identifier", metavar="ID")
@config_option
def show_removal(identifier: str) -> None:
    """Print the evidence of one removal as JSON; ID is a uniqueId or an entryUUID.

    \b
    Example:
      portolan removals show 2.999.826.9.2.20260311.1
    """
    current = settings()
    ready_database(current, migrate=False)
    with database(current) as opened, opened.read() as work:
        rows = evidence.removals_of(work, identifier)
    if not rows:
        raise Failure(f"Nothing with the id {identifier} was ever removed.")
    print_json([asdict(each) for each in rows])
