"""`portolan purge`: documents whose retention has ended go, when two people agree."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from console import client
from console.cli import config_option, settings
from console.commands.retention import load_policy
from console.database import database, ready_database
from console.failure import Failure
from console.output import json_option, print_json, print_table, shown_time, spaced_nhs_number
from console.purging import planning
from console.purging.judging import Judged
from console.purging.running import Pace, Run
from registry.store import purging
from registry.store.purging import Item

csv_option = click.option("--csv", "as_csv", is_flag=True, help="Print CSV instead of a table.")


@click.group()
def purge() -> None:
    """Remove documents whose retention has ended: planned, confirmed by a second person, and carried out.

    `plan` removes nothing and says what would go and why. `confirm` is for somebody else than who planned; what has
    changed since is left out. `run` removes, and can be run again after it was cut off. `show` is the evidence.
    """


@purge.command("plan")
@click.option("--policy", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A TOML file.")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="The day to judge by; today without it.")
@click.option("--by", required=True, metavar="NAME", help="Who plans.")
@click.option("--kept", is_flag=True, help="Show what is kept, and why, instead of what would go.")
@config_option
@json_option
@csv_option
def plan_purge(policy: Path | None, as_of: datetime | None, by: str, kept: bool, as_json: bool, as_csv: bool) -> None:
    """List what would go by a policy and why, and keep that as a plan. Nothing is removed.

    Without --policy the example that is shipped is used; see `portolan retention check`.

    \b
    Examples:
      portolan purge plan --policy our-policy.toml --by "R. Manager" --csv > plan.csv
      portolan purge plan --as-of 2030-01-01 --by "R. Manager" --kept
    """
    today = datetime.now(UTC).date()
    day = as_of.date() if as_of else today
    chosen, current = load_policy(policy), settings()
    ready_database(current, migrate=False)
    with database(current) as opened:
        found = list(planning.judged(opened, chosen, day))
        going = [each for each in found if each.verdict.may_go]
        plan, items = planning.new_plan(chosen, day, by, going)
        if going and day <= today:
            with opened.write() as work:
                purging.keep(work, plan, items)
                work.commit()
    _print_judged([each for each in found if each.verdict.may_go is not kept], as_json=as_json, as_csv=as_csv)
    click.echo(f"{len(going)} of {len(found)} documents may go as of {day.isoformat()}.", err=True)
    if going and day <= today:
        click.echo(f"The plan is {plan.plan_id}, digest {plan.digest[:16]}.", err=True)
    elif going:
        click.echo("A plan for a day that is to come is only looked at, and not kept.", err=True)


def _print_judged(found: Sequence[Judged], *, as_json: bool, as_csv: bool) -> None:
    rows: list[dict[str, str | None]] = [
        {
            "patient_id": each.entry.patient_id,
            "unique_id": each.entry.unique_id,
            "entry_uuid": each.entry.entry_uuid,
            "rule": each.verdict.rule,
            "reason": each.verdict.reason,
        }
        for each in found
    ]
    _print(rows, as_json=as_json, as_csv=as_csv)


def _print(rows: Sequence[dict[str, str | None]], *, as_json: bool, as_csv: bool) -> None:
    if as_json:
        print_json(list(rows))
    elif as_csv:
        if rows:
            writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)
    else:
        names = list(rows[0]) if rows else ["unique_id", "rule", "reason"]
        shown = [name for name in names if name not in ("entry_uuid", "repository_unique_id", "hash", "changed_at")]
        print_table(shown, [tuple(_shown(name, row[name]) for name in shown) for row in rows])


def _harmless(value: str | None) -> str:
    """A value that no spreadsheet takes for a formula."""
    text = value or ""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _shown(name: str, value: str | None) -> str:
    return spaced_nhs_number((value or "").split("^")[0]) if name == "patient_id" else value or ""


@purge.command("plans")
@config_option
@json_option
def list_plans(as_json: bool) -> None:
    """List all plans, and how far each has come.

    \b
    Example:
      portolan purge plans
    """
    current = settings()
    ready_database(current, migrate=False)
    with database(current) as opened, opened.read() as work:
        plans = [(each, purging.counts(work, each.plan_id)) for each in purging.plans(work)]
    if as_json:
        told = [{**asdict(each), "items": counts} for each, counts in plans]
        print_json([{name: value for name, value in row.items() if name != "policy"} for row in told])
        return
    rows = [
        (
            each.plan_id,
            each.as_of,
            f"{each.planned_by}, {shown_time(each.planned_at)}",
            f"{each.confirmed_by}, {shown_time(each.confirmed_at)}" if each.confirmed_by else "",
            shown_time(each.finished_at),
            _told(counts),
        )
        for each, counts in plans
    ]
    print_table(("plan", "as of", "planned (UTC)", "confirmed (UTC)", "finished (UTC)", "items"), rows)


@purge.command("confirm")
@click.argument("plan_id", metavar="PLAN")
@click.option("--by", required=True, metavar="NAME", help="Who confirms: not who planned.")
@config_option
def confirm_purge(plan_id: str, by: str) -> None:
    """Agree to a plan, as a second person. What was put on hold, changed or replaced since is left out.

    \b
    Example:
      portolan purge confirm purge-20300101090000-0123abcd --by "M. Guardian"
    """
    current = settings()
    ready_database(current, migrate=False)
    with database(current) as opened:
        counts = planning.confirm(opened, plan_id, by)
    click.echo(f"{plan_id}: {_told(counts)}.")


@purge.command("run")
@click.argument("plan_id", metavar="PLAN")
@click.option("--rate", default=50.0, show_default=True, help="Documents a second at most; 0 for no limit.")
@click.option("--batch", default=50, show_default=True, help="Documents of one patient in one message at most.")
@config_option
def run_purge(plan_id: str, rate: float, batch: int) -> None:
    """Carry out a confirmed plan; after a crash run it again. Services have to run.

    Each document is judged once more just before it goes. The exit code is 1 when something is left.

    \b
    Example:
      portolan purge run purge-20300101090000-0123abcd --rate 20
    """
    current = settings()
    ready_database(current, migrate=False)
    with database(current) as opened, client.administrator(current) as administrator:
        with opened.read() as work:
            plan = planning.known_plan(work, plan_id)
        if plan.confirmed_by is None:
            raise Failure(f"{plan_id} is not confirmed.", "A second person has to run `portolan purge confirm`.")
        done = Run(opened, administrator, plan, max(1, batch), Pace(rate), lambda _: None).all()
    click.echo(f"{plan_id}: {_told(done)}.")
    if set(done) - {"removed", "excluded"}:
        raise Failure("Not everything was removed.", f"`portolan purge show {plan_id}` says why; run it again later.")


@purge.command("show")
@click.argument("plan_id", metavar="PLAN")
@config_option
@json_option
@csv_option
def show_purge(plan_id: str, as_json: bool, as_csv: bool) -> None:
    """Show what became of each document of a plan: the evidence.

    \b
    Example:
      portolan purge show purge-20300101090000-0123abcd --csv > evidence.csv
    """
    current = settings()
    ready_database(current, migrate=False)
    with database(current) as opened, opened.read() as work:
        plan, items = planning.known_plan(work, plan_id), purging.items(work, plan_id)
    if as_json:
        told = {name: value for name, value in asdict(plan).items() if name != "policy"}
        print_json({**told, "items": [_evidence(each) for each in items]})
        return
    click.echo(f"planned by {plan.planned_by}, {shown_time(plan.planned_at)}; digest {plan.digest}", err=True)
    click.echo(f"confirmed by {plan.confirmed_by or 'nobody yet'}, {shown_time(plan.confirmed_at)}", err=True)
    _print([_evidence(each) for each in items], as_json=False, as_csv=as_csv)
    click.echo(_told(dict(Counter(each.state for each in items))), err=True)


def _evidence(item: Item) -> dict[str, str | None]:
    return {name: value for name, value in asdict(item).items() if name not in ("plan_id", "state_digest")}


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "nothing"
