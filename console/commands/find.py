"""`portolan find`: a patient's documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from common.model import DocumentEntry
from console import client
from console.cli import config_option, settings
from console.failure import Failure
from console.metadata.asking import FILTERS, Of, asked
from console.metadata.entry import UnknownPatient, patient_id
from console.metadata.people import shown_author, shown_text
from console.metadata.shown import as_json as entry_as_json
from console.output import is_terminal, json_option, print_json, print_table, shown_bytes, shown_time

_Command = TypeVar("_Command", bound=Callable[..., Any])
_METAVARS = {Of.CODE: "CODE", Of.CODES: "CODE[,CODE…]", Of.TEXT: "TEXT", Of.TIME: "TIME"}
_COLUMNS = ("date", "title", "type", "author, organisation", "size", "uniqueId")


def filter_options(command: _Command) -> _Command:
    """One option for each parameter of the query."""
    for row in reversed(FILTERS.values()):
        if row.words:
            choice = click.Choice(list(row.words))
            made = click.option(row.option, row.key, type=choice, default=row.default, help=row.help)
        else:
            made = click.option(row.option, row.key, metavar=_METAVARS[row.of], multiple=row.many, help=row.help)
        command = made(command)
    return command


@click.command()
@click.argument("patient", metavar="PATIENT")
@filter_options
@config_option
@json_option
def find(patient: str, as_json: bool, **filters: Any) -> None:
    """Find a patient's documents in the Registry, the newest first.

    PATIENT is an NHS Number, or a local id as id^^^&OID&ISO, whose NHS Number the cross-reference service is asked for.

    A code is written CODE, or CODE^^SCHEME. A time is a date, a time of ISO 8601 with its offset, or a DTM.

    \b
    Examples:
      portolan find 9990001006
      portolan find "999 000 1006" --type-code 373942005 --creation-time-from 2026-01-01
      portolan find 'NGH4471893^^^&2.999.826.4.1&ISO'
      portolan find 9990001006 --status any --json | jq -r '.[].unique_id'
    """
    current = settings()
    domain = client.domain(current)
    try:
        arguments = asked(filters, domain)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    try:
        who = patient_id(patient, domain)
    except UnknownPatient as error:
        raise Failure(f"The patient's id {error}.", "`portolan identity find` looks for patients by name.") from error
    except ValueError as error:
        raise click.UsageError(f"The patient's number {error}.") from error
    with client.consumer(current) as consumer:
        found = consumer.find(who, **arguments)
    found.sort(key=lambda entry: (entry.creation_time or "", entry.unique_id or ""), reverse=True)
    if as_json:
        print_json([entry_as_json(entry) for entry in found])
    elif found:
        _print(found)
    else:
        click.echo("Nothing was found.")


def _print(found: list[DocumentEntry]) -> None:
    """One line for each document in a pipe; on a terminal several, so that they fit into 80 columns."""
    rows = [_row(entry) for entry in found]
    if is_terminal():
        folded = [
            (date, (title, "" if kind == title else kind, author, name), size)
            for date, title, kind, author, size, name in rows
        ]
        print_table(("date", "document", "size"), folded, right=("size",))
    else:
        print_table(_COLUMNS, rows)


def _row(entry: DocumentEntry) -> tuple[str, str, str, str, str, str]:
    replaced = " (replaced)" if entry.is_deprecated else ""
    return (
        shown_time(entry.creation_time).partition(" ")[0],
        shown_text(entry.title) + replaced,
        entry.type_code.label if entry.type_code else "",
        shown_author(entry),
        shown_bytes(int(entry.size)) if entry.size else "",
        entry.unique_id or "",
    )
