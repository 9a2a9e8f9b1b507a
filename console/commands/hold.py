"""`portolan hold`: legal holds, which stop every removal."""

from __future__ import annotations

import uuid
from dataclasses import asdict

import click

from common.clock import utc_now
from console.cli import config_option, settings
from console.database import database, ready_database
from console.failure import Failure
from console.output import json_option, print_json, print_table, shown_time, spaced_nhs_number
from registry.store import holding
from registry.store.holding import Hold


@click.group()
def hold() -> None:
    """Place and lift legal holds: what is on hold cannot be removed or purged by anybody."""


@hold.command("place")
@click.argument("unique_ids", metavar="[UNIQUE_ID]…", nargs=-1)
@click.option("--patient", metavar="NHS_NUMBER", help="Everything of this patient, what is yet to come included.")
@click.option("--reason", required=True, help="Why, as the name of an inquiry or a case.")
@click.option("--by", required=True, metavar="NAME", help="Who places it.")
@config_option
@json_option
def place_hold(unique_ids: tuple[str, ...], patient: str | None, reason: str, by: str, as_json: bool) -> None:
    """Place a hold on documents, or on everything of a patient; it stands until it is lifted.

    \b
    Examples:
      portolan hold place 2.999.826.9.2.20260311.1 --reason "Case 2026/17" --by "R. Manager"
      portolan hold place --patient 9990001006 --reason "Infected Blood Inquiry" --by "R. Manager"
    """
    if bool(unique_ids) == bool(patient):
        raise click.UsageError("Name documents by their uniqueIds, or one patient with --patient.")
    current = settings()
    ready_database(current, migrate=False)
    hold_id, now = f"hold-{uuid.uuid4().hex[:12]}", utc_now()
    with database(current) as opened, opened.write() as work:
        if patient:
            places: list[tuple[str, str | None]] = [
                (f"{patient.replace(' ', '')}^^^&{current.patient_authority}&ISO", None)
            ]
        else:
            known = holding.owners(work, unique_ids)
            if unknown := set(unique_ids) - {each[2] for each in known}:
                raise Failure(f"No document has the uniqueId {sorted(unknown)[0]}.", "Nothing was placed.")
            places = list(dict.fromkeys((each[1], each[2]) for each in known))
        names = [hold_id if len(places) == 1 else f"{hold_id}-{number}" for number in range(1, len(places) + 1)]
        holds = [
            Hold(patient_id, name, unique_id, reason, by, now)
            for name, (patient_id, unique_id) in zip(names, places, strict=True)
        ]
        holding.place(work, holds)
        work.commit()
    if as_json:
        print_json([each.hold_id for each in holds])
    for each in () if as_json else holds:
        click.echo(each.hold_id)


@hold.command("lift")
@click.argument("hold_id", metavar="HOLD_ID")
@click.option("--reason", required=True, help="Why.")
@click.option("--by", required=True, metavar="NAME", help="Who lifts it.")
@config_option
def lift_hold(hold_id: str, reason: str, by: str) -> None:
    """Lift a hold. It stays in the list, with who lifted it and why.

    \b
    Example:
      portolan hold lift hold-0123456789ab --reason "Case closed" --by "R. Manager"
    """
    current = settings()
    ready_database(current, migrate=False)
    with database(current) as opened, opened.write() as work:
        if not holding.lift(work, hold_id, by=by, at=utc_now(), reason=reason):
            raise Failure(f"No hold {hold_id} stands.", "`portolan hold list` shows those that do.")
        work.commit()
    click.echo(f"{hold_id} was lifted.")


@hold.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that were lifted as well.")
@config_option
@json_option
def list_holds(everything: bool, as_json: bool) -> None:
    """List the holds that stand.

    \b
    Example:
      portolan hold list --all --json
    """
    current = settings()
    ready_database(current, migrate=False)
    with database(current) as opened, opened.read() as work:
        rows = [each for each in holding.holds(work) if everything or each.lifted_at is None]
    if as_json:
        print_json([asdict(each) for each in rows])
        return
    shown = [
        (
            each.hold_id,
            spaced_nhs_number(each.patient_id.split("^")[0]),
            each.unique_id or "everything",
            each.reason,
            f"{each.placed_by}, {shown_time(each.placed_at)}",
            f"{each.lifted_by}, {shown_time(each.lifted_at)}" if each.lifted_at else "",
        )
        for each in rows
    ]
    print_table(("hold", "patient", "document", "reason", "placed (UTC)", "lifted (UTC)"), shown)
