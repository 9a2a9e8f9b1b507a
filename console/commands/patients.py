"""`portolan patients`: an administrator's feed of patients, and who is known."""

from __future__ import annotations

import csv
import getpass
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

import click

from common.db import Database, decided
from common.settings import Settings
from common.standard.nhs import nhs_number_problem
from console.cli import config_option, settings
from console.database import database, ready_database
from console.failure import Failure
from console.output import json_option, print_json, print_table, shown_time, spaced_nhs_number
from registry.app import affinity_domain
from registry.patients import Patients
from registry.store import feeding, merging

_MOST_SHOWN = 20


@click.group()
def patients() -> None:
    """Make patients known to the Registry, list those who are, and merge them.

    With PORTOLAN_PATIENT_POLICY=fed the Registry takes documents of fed patients only; otherwise every valid NHS
    Number is known to it, and nobody has to be fed.
    """


@patients.command("feed")
@click.argument("numbers", metavar="[NHS_NUMBER]…", nargs=-1)
@click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="CSV",
    help="A CSV file with the numbers in its first column, or in one headed nhs_number.",
)
@config_option
@json_option
def feed_patients(numbers: tuple[str, ...], file: Path | None, as_json: bool) -> None:
    """Make patients known by their NHS Numbers; all of them, or none when a number is wrong.

    Whoever is known already stays as it is, so the same feed can be run again.

    \b
    Examples:
      portolan patients feed 9990001006 "999 000 1014"
      portolan patients feed --file patients.csv
    """
    given = [(f"number {place}", number) for place, number in enumerate(numbers, 1)]
    given += _from_csv(file) if file else []
    if not given:
        raise click.UsageError("Name at least one NHS Number, or a file with --file.")
    current = settings()
    chosen = _checked(given, current)
    ready_database(current, migrate=False)
    with database(current) as opened:
        new = _feed(opened, [_cx(number, current) for number in chosen])
    if as_json:
        print_json({"new": len(new), "known": len(chosen) - len(new)})
    else:
        click.echo(f"{len(new)} made known; {len(chosen) - len(new)} were known already.")


@patients.command("list")
@config_option
@json_option
def list_patients(as_json: bool) -> None:
    """List the patients who were fed.

    \b
    Example:
      portolan patients list --json
    """
    current = settings()
    ready_database(current, migrate=False)
    with database(current) as opened, opened.read() as work:
        rows = feeding.fed_patients(work)
    if as_json:
        print_json([{"patient_id": row[0], "fed_at": row[1], "merged_into": row[2]} for row in rows])
        return
    shown = [(_number(row[0]), shown_time(row[1]), _number(row[2] or "")) for row in rows]
    print_table(("NHS Number", "fed (UTC)", "merged into"), shown)


@patients.command("merges")
@config_option
@json_option
def list_merges(as_json: bool) -> None:
    """List every merge of two patients, from a feed or by `portolan patients merge`, and those that were undone.

    \b
    Example:
      portolan patients merges
    """
    current = settings()
    ready_database(current, migrate=False)
    with database(current) as opened, opened.read() as work:
        found = merging.merges(work)
    if as_json:
        print_json([asdict(each) for each in found])
        return
    rows = [
        (_number(each.subsumed), _number(each.survivor), shown_time(each.merged_at), each.message_id,
         shown_time(each.undone_at) if each.undone_at else "")
        for each in found
    ]  # fmt: skip
    print_table(("subsumed", "survivor", "merged (UTC)", "message", "undone (UTC)"), rows)


@patients.command("merge")
@click.argument("subsumed")
@click.argument("survivor")
@config_option
def merge_patients(subsumed: str, survivor: str) -> None:
    """Merge a patient into another, as an A40 of a feed would: everything of SUBSUMED becomes SURVIVOR's.

    \b
    Example:
      portolan patients merge 9990001022 9990001006
    """
    current, (first, second) = settings(), (_bare(subsumed), _bare(survivor))
    ready_database(current, migrate=False)
    with database(current) as opened:
        problem = _action(opened, current).merge(
            _cx(first, current), _cx(second, current), f"command line|{getpass.getuser()}|{uuid4().hex[:12]}"
        )
    if problem:
        raise Failure(f"{problem.reason[:1].upper()}{problem.reason[1:]}.", "Nothing was changed.")
    click.echo(f"{spaced_nhs_number(first)} was merged into {spaced_nhs_number(second)}.")


@patients.command("unmerge")
@click.argument("subsumed")
@config_option
def unmerge_patients(subsumed: str) -> None:
    """Undo the merge of a patient into another, while nothing that came later depends on it.

    What was SUBSUMED's before goes back; what came since stays with the survivor. It has to be allowed with
    PORTOLAN_PATIENT_UNMERGE=true: the standard knows no way back, and feeds are not told.

    \b
    Example:
      portolan patients unmerge 9990001022
    """
    current, number = settings(), _bare(subsumed)
    if not current.patient_unmerge:
        raise Failure("Merges are not undone here.", "PORTOLAN_PATIENT_UNMERGE=true allows it.")
    ready_database(current, migrate=False)
    with database(current) as opened:
        problems = _action(opened, current).unmerge(_cx(number, current))
    if problems:
        shown = [f"{each[:1].upper()}{each[1:]}." for each in problems[:_MOST_SHOWN]]
        more = [f"… and {len(problems) - _MOST_SHOWN} more."] if len(problems) > _MOST_SHOWN else []
        raise Failure(*shown, *more, "Nothing was changed.")
    click.echo(f"The merge of {spaced_nhs_number(number)} was undone.")


def _action(opened: Database, current: Settings) -> Patients:
    return Patients(opened, affinity_domain(current))


def _bare(number: str) -> str:
    return number.replace(" ", "").replace("-", "")


def _cx(number: str, current: Settings) -> str:
    return f"{number}^^^&{current.patient_authority}&ISO"


def _number(patient_id: str) -> str:
    return spaced_nhs_number(patient_id.split("^")[0])


def _feed(opened: Database, patient_ids: Sequence[str]) -> list[str]:
    """Feed; again when somebody else fed one of them at the same moment."""

    def once() -> list[str]:
        with opened.write() as work:
            new = feeding.feed(work, patient_ids)
            work.commit()
            return new

    return decided(once)


def _checked(given: Sequence[tuple[str, str]], current: Settings) -> list[str]:
    """The numbers without spaces, each once; Failure names the place of every wrong one, and never repeats it."""
    plain = [(place, number.replace(" ", "").replace("-", "")) for place, number in given]
    wrong = [
        f"{place}: {problem}."
        for place, number in plain
        if (problem := nhs_number_problem(number, test_numbers=current.patient_test_numbers))
    ]
    if wrong:
        more = [f"… and {len(wrong) - _MOST_SHOWN} more."] if len(wrong) > _MOST_SHOWN else []
        raise Failure(*wrong[:_MOST_SHOWN], *more, "Nobody was made known; correct them and run it again.")
    return list(dict.fromkeys(number for _, number in plain))


def _from_csv(file: Path) -> Iterator[tuple[str, str]]:
    """The numbers of a CSV file with the lines they stand in."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            column = 0
            for row in reader:
                heads = [cell.strip().lower().replace(" ", "_") for cell in row]
                if reader.line_num == 1 and not any(character.isdigit() for character in "".join(row)):
                    column = heads.index("nhs_number") if "nhs_number" in heads else 0
                elif any(heads):
                    yield f"line {reader.line_num}", row[column] if column < len(row) else ""
    except (UnicodeDecodeError, csv.Error) as error:
        raise Failure(f"{file} is not a CSV file in UTF-8: {error}.") from error
