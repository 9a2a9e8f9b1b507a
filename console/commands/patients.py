"""`portolan patients`: an administrator's feed of patients, and who is known."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from common.db import Conflict, Database
from common.settings import Settings
from common.standard.nhs import nhs_number_problem
from console.cli import config_option, settings
from console.database import database, ready_database
from console.failure import Failure
from console.output import json_option, print_json, print_table, shown_time, spaced_nhs_number
from registry.store import feeding

_MOST_SHOWN = 20


@click.group()
def patients() -> None:
    """Make patients known to the Registry, and list those who are.

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
        new = _feed(opened, [f"{number}^^^&{current.patient_authority}&ISO" for number in chosen])
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


def _number(patient_id: str) -> str:
    return spaced_nhs_number(patient_id.split("^")[0])


def _feed(opened: Database, patient_ids: Sequence[str]) -> list[str]:
    """Feed; once more when somebody else fed one of them at the same moment."""
    for attempt in (1, 2):
        try:
            with opened.write() as work:
                new = feeding.feed(work, patient_ids)
                work.commit()
                return new
        except Conflict:
            if attempt == 2:
                raise
    raise AssertionError


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
