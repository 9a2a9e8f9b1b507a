"""What a person sees of the demonstration."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

import click

from common.settings import Settings
from console.demo.place import SHOWN, Place
from console.demo.story import Story, Told
from console.metadata.people import patient_number, shown_author
from console.output import Cell, print_table, shown_bytes, shown_time, spaced_nhs_number
from console.serving.services import shown_database, shown_storage

_COLUMNS = ("patient", "document", "author, organisation", "SHA-1", "in", "out")


def before(place: Place) -> None:
    """What is about to happen, and where."""
    for name, port in place.moved.items():
        click.echo(f"The usual port of the {name} is taken; it gets {port} for now.")
    click.echo("Starting a Registry and a Repository …")


def submitted(story: Story) -> None:
    """After the first step."""
    new = len(story.new)
    if new:
        click.echo(f"1. Submitted {new} letters to the Repository (ITI-41, Provide and Register).")
    if new < len(story.letters):
        left = len(story.letters) - new
        click.echo(f"1. {left} letters are there from an earlier run, and were not submitted again.")


def found(story: Story) -> None:
    """After the second step."""
    click.echo("2. Found them in the Registry by NHS Number (ITI-18, Registry Stored Query):")
    for patient_id, took in story.find_ms.items():
        count = sum(told.letter.letter.patient.patient_id == patient_id for told in story.letters)
        number = spaced_nhs_number(patient_number(patient_id))
        click.echo(f"     {number}  {count} letters in {took:.0f} ms")


def fetched(story: Story) -> None:
    """After the third step: the table."""
    good = sum(told.sha1_ok for told in story.letters)
    click.echo(
        f"3. Retrieved {good} from the Repository (ITI-43, Retrieve Document Set), byte for byte as they were.\n"
    )
    print_table(_COLUMNS, [_row(told) for told in story.letters], right=("in", "out"))
    click.echo("\nin, out: milliseconds to submit it and to read it back.")


def _row(told: Told) -> tuple[Cell, ...]:
    """Two lines each, so that the table fits into 80 columns."""
    entry = told.entry
    assert entry is not None  # the story ends with a Failure otherwise
    kind = "PDF" if entry.mime_type == "application/pdf" else "CDA"
    return (
        (spaced_nhs_number(patient_number(entry.patient_id)), shown_time(entry.creation_time).partition(" ")[0]),
        (entry.type_code.label if entry.type_code else "", f"{kind}, {shown_bytes(int(entry.size or 0))}"),
        tuple(shown_author(entry).split(", ")),
        "✔" if told.sha1_ok else "WRONG",
        "-" if told.submit_ms is None else f"{told.submit_ms:.0f}",
        f"{told.fetch_ms:.0f}",
    )


def addresses(place: Place) -> None:
    """Where everything is."""
    settings = place.settings
    click.echo("")
    for service in SHOWN:
        click.echo(f"{service.name.title():<11} {service.url(settings)}")
    click.echo(f"Database    {shown_database(settings)}")
    click.echo(f"Documents   {shown_storage(settings)}")
    click.echo(f"Log         {place.log}")


def next_steps(place: Place, story: Story, *, stay: bool) -> None:
    """Commands that can be pasted as they are."""
    command = this_command()
    told = story.letters[0]
    number = told.letter.letter.patient.nhs_number
    changed = _changed(place)
    suffix = Path(told.letter.name).suffix
    click.echo("\nTo try next" + (", in another terminal:" if stay else ":"))
    if not stay:
        click.echo(f"  {command} demo --stay    (starts the services again; then, in another terminal)")
    click.echo(f"  {changed}{command} find {number}")
    click.echo(f"  {changed}{command} fetch {told.unique_id} -o letter{suffix}")
    click.echo(f"  {changed}{command} show {told.unique_id}")
    click.echo(f"  curl '{place.settings.registry_url}?wsdl'")
    click.echo("  docs/guide/first-steps.md goes on from here.")
    if stay:
        click.echo("\nThe services run until Ctrl-C.")


def _changed(place: Place) -> str:
    """The settings that another command needs to find these services; none at the usual ports."""
    usual = Settings()
    here = place.settings
    pairs = (
        ("PORTOLAN_REGISTRY_URL", here.registry_url, usual.registry_url),
        ("PORTOLAN_REPOSITORY_URL", here.repository_url, usual.repository_url),
    )
    return "".join(f"{name}={shlex.quote(value)} " for name, value, default in pairs if value != default)


def this_command() -> str:
    """How this program was called, in a form that works from the same folder."""
    called = Path(sys.argv[0])
    on_path = shutil.which("portolan")
    if called.name != "portolan":
        return "portolan" if on_path else f"{_path(Path(sys.executable))} -m console"
    if on_path and Path(on_path).resolve() == called.resolve():
        return "portolan"
    return _path(called)


def _path(program: Path) -> str:
    """A program's path from here where it is below, else the whole of it."""
    near = os.path.relpath(program)
    return shlex.quote(str(program.absolute()) if near.startswith("..") else near)
