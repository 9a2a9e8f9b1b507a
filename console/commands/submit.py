"""`portolan submit`: files to the Repository, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import track

from common.client import DocumentConsumer
from common.settings import Settings
from console import client
from console.cli import config_option, settings
from console.failure import Failure
from console.metadata.fields import FIELDS
from console.metadata.values import MetadataError, Values, read_file
from console.output import json_option, print_json, print_table
from console.submitting.files import Letter, described, meant
from console.submitting.outcome import Outcome, State, all_submitted, already_there

_Command = TypeVar("_Command", bound=Callable[..., Any])
T = TypeVar("T")


def metadata_options(command: _Command) -> _Command:
    """One option for each field of the table."""
    for field in reversed(FIELDS.values()):
        shown = "CODE" if field.key.endswith("_code") else "TEXT"
        command = click.option(field.option, field.key, metavar=shown, multiple=field.many, help=field.help)(command)
    return command


@click.command()
@click.argument("paths", metavar="FILE…|FOLDER…", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--defaults",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="A TOML or JSON file with metadata for all that do not say otherwise.",
)
@click.option("--replaces", metavar="UNIQUE_ID", help="The document that this one takes the place of.")
@click.option("--dry-run", is_flag=True, help="Say what would be submitted, and what is missing.")
@metadata_options
@config_option
@json_option
def submit(
    paths: tuple[Path, ...], defaults: Path | None, replaces: str | None, dry_run: bool, as_json: bool, **options: Any
) -> None:
    """Submit files, or all files in folders, to the Repository.

    Metadata comes from options; from a sidecar, letter.pdf.toml or letter.pdf.json beside letter.pdf; from the header
    of a CDA document; and from --defaults, in this order. A code is written CODE, or CODE^^SCHEME.

    It is safe to run again: what is registered already is recognised, and left as it is.

    \b
    Examples:
      portolan submit letter.pdf --patient 9990001006 --title "Discharge letter" --type-code 373942005 \\
          --class-code 823651000000106 --practice-setting-code 394802001 --healthcare-facility-type-code 22232009
      portolan submit letters/ --defaults hospital.toml
      portolan submit new.pdf --replaces 2.25.1234 --defaults hospital.toml
    """
    files = meant(paths)
    if replaces and len(files) != 1:
        raise click.UsageError("--replaces goes with one file.")
    current = settings()
    given = {key: value if isinstance(value, tuple) else (value,) for key, value in options.items() if value}
    letters, outcomes = _described(files, given, read_file(defaults) if defaults else {}, current)
    outcomes += _dry(letters, current) if dry_run else _sent(letters, current, replaces)
    _report(sorted(outcomes, key=lambda outcome: files.index(outcome.file)), as_json=as_json)


def _described(
    files: Sequence[Path], options: Values, defaults: Values, current: Settings
) -> tuple[list[Letter], list[Outcome]]:
    """The letters that are ready, and the outcomes of those that are not."""
    domain = client.domain(current)
    letters, failed = [], []
    for file in _progress(files, "Reading", len(files)):
        try:
            letters.append(described(file, options, defaults, domain))
        except MetadataError as error:
            failed.append(Outcome(file, State.FAILED, why=error.problems))
    return letters, failed


def _dry(letters: Sequence[Letter], current: Settings) -> list[Outcome]:
    with client.consumer(current) as consumer:
        there = client.registered(consumer, _ids(letters))
    return [already_there(letter, there) or Outcome(letter.file, State.READY, letter.unique_id) for letter in letters]


def _sent(letters: Sequence[Letter], current: Settings, replaces: str | None) -> list[Outcome]:
    if not letters:
        return []
    with client.consumer(current) as consumer, client.source(current) as source:
        there = client.registered(consumer, _ids(letters))
        old = _entry_to_replace(consumer, replaces) if replaces else None
        outcomes = all_submitted(letters, source, there, old)
        return list(_progress(outcomes, "Submitting", len(letters)))


def _ids(letters: Sequence[Letter]) -> list[tuple[str, str]]:
    return [(letter.entry.patient_id or "", letter.unique_id) for letter in letters]


def _entry_to_replace(consumer: DocumentConsumer, unique_id: str) -> str:
    found = consumer.get(unique_ids=[unique_id])
    if not found:
        raise Failure(f"There is no document {unique_id} to replace.", "`portolan find` lists a patient's documents.")
    return found[0].entry_uuid


def _progress(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    """The items, with a bar on a terminal when there are several."""
    console = Console(stderr=True)
    hidden = total < 2 or not console.is_terminal
    yield from track(items, description=what, total=total, console=console, disable=hidden, transient=True)


def _report(outcomes: Sequence[Outcome], *, as_json: bool) -> None:
    failed = [outcome for outcome in outcomes if outcome.state is State.FAILED]
    if as_json:
        print_json([_as_json(outcome) for outcome in outcomes])
    else:
        rows = [(outcome.state, (str(outcome.file), outcome.unique_id)) for outcome in outcomes]
        print_table(("", "file, uniqueId"), rows)
        for outcome in outcomes:
            for sentence in outcome.why:
                click.echo(f"{outcome.file}: {sentence}")
        counts = ((state, sum(outcome.state is state for outcome in outcomes)) for state in State)
        click.echo(", ".join(f"{count} {state}" for state, count in counts if count) + ".")
    if failed:
        raise Failure(f"{len(failed)} of {len(outcomes)} could not be submitted; it is safe to run this again.")


def _as_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "file": str(outcome.file),
        "state": outcome.state,
        "unique_id": outcome.unique_id,
        "why": list(outcome.why),
    }
