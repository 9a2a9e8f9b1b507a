"""`portolan retention`: policies looked over, and the dates that they count from."""

from __future__ import annotations

import csv
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from common.clock import utc_now
from common.settings import Settings
from common.standard.nhs import nhs_number_problem
from console.cli import config_option, settings
from console.database import database, ready_database
from console.failure import Failure
from console.output import json_option, print_json, print_table
from registry.retention import SHIPPED
from registry.retention.deciding import day_of
from registry.retention.policy import Policy, PolicyError, Rule, read_policy
from registry.store import retaining

_MOST_SHOWN = 20


def load_policy(file: Path | None) -> Policy:
    """The policy in a file, or the one that is shipped; Failure when it cannot be used."""
    path = file or SHIPPED
    try:
        return read_policy(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise Failure(f"{path} is not UTF-8 text.") from error
    except PolicyError as error:
        raise Failure(*(f"{path}: {problem}." for problem in error.problems)) from error


@click.group()
def retention() -> None:
    """Look over retention policies, and tell the Registry when patients died."""


@retention.command("check")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=False)
@json_option
def check_policy(file: Path | None, as_json: bool) -> None:
    """Read a policy, and show its rules; without FILE the example that is shipped.

    \b
    Examples:
      portolan retention check
      portolan retention check our-policy.toml
    """
    policy = load_policy(file)
    if as_json:
        print_json({"name": policy.name, "rules": [_plain(rule) for rule in policy.rules]})
        return
    click.echo(policy.name)
    rows = [(rule.name, _about(rule), _kept(rule), "" if rule.confirmed else "unconfirmed") for rule in policy.rules]
    print_table(("rule", "about", "keep", ""), rows)


def _plain(rule: Rule) -> dict[str, Any]:
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in asdict(rule).items()}


def _about(rule: Rule) -> str:
    codes = rule.class_codes | rule.type_codes | rule.practice_setting_codes | rule.facility_codes
    ages = (
        ("age", rule.age_from, rule.age_below),
        ("age when last seen", rule.last_seen_age_from, rule.last_seen_age_below),
    )
    told = [", ".join(sorted(codes))] if codes else []
    for name, least, below in ages:
        if least is not None:
            told.append(f"{name} from {least}")
        if below is not None:
            told.append(f"{name} below {below}")
    return "; ".join(told) or "everything"


def _kept(rule: Rule) -> str:
    word = " or, if sooner, " if rule.choose == "first" else " and "
    return word.join(f"{each.years} years after {each.after.replace('_', ' ')}" for each in rule.keep)


@retention.command("deaths")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="CSV")
@click.option("--by", required=True, metavar="NAME", help="Who says so.")
@config_option
def tell_deaths(file: Path, by: str) -> None:
    """Record when patients died, from a CSV file with the columns nhs_number and died_on (YYYY-MM-DD).

    All of the file is taken, or nothing. A date that is told again is corrected; an empty one is taken back.

    \b
    Example:
      portolan retention deaths deaths.csv --by "R. Manager"
    """
    current = settings()
    died = _read_deaths(file, current)
    ready_database(current, migrate=False)
    with database(current) as opened, opened.write() as work:
        retaining.record_deaths(work, died, by=by, at=utc_now())
        work.commit()
    click.echo(f"{len(died)} recorded.")


def _read_deaths(file: Path, current: Settings) -> dict[str, str]:
    with file.open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.DictReader(opened))
    if not rows or not {"nhs_number", "died_on"} <= rows[0].keys():
        raise Failure(f"{file} needs the columns nhs_number and died_on, and at least one row.")
    died: dict[str, str] = {}
    problems = []
    for line, row in enumerate(rows, 2):
        number = (row["nhs_number"] or "").replace(" ", "").replace("-", "")
        day = (row["died_on"] or "").strip().replace("-", "")
        if problem := nhs_number_problem(number, test_numbers=current.patient_test_numbers):
            problems.append(f"{file}, line {line}: {problem}.")
        elif day and (len(day) != 8 or day_of(day) is None):
            problems.append(f"{file}, line {line}: died_on is no date of the form YYYY-MM-DD.")
        else:
            died[f"{number}^^^&{current.patient_authority}&ISO"] = day
    if problems:
        raise Failure(*problems[:_MOST_SHOWN], "Nothing was recorded.")
    return died
