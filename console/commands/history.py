"""`portolan history`: the life of a document."""

from __future__ import annotations

from dataclasses import asdict

import click

from console import client
from console.cli import config_option, settings
from console.output import json_option, print_json, print_table, shown_time
from console.timeline import timeline


@click.command(short_help="Show the life of a document as a timeline.")
@click.argument("identifier", metavar="ID")
@config_option
@json_option
def history(identifier: str, as_json: bool) -> None:
    """Show the life of a document: when it was registered, amended, replaced, appended to, acknowledged.

    ID is the document's uniqueId, or the entryUUID of any version of it. Times and names are those of the submissions.

    \b
    Example:
      portolan history 2.999.826.9.2.20260311.1
    """
    with client.consumer(settings()) as consumer:
        events = timeline(consumer, client.the_entry(consumer, identifier))
    if as_json:
        print_json([asdict(event) for event in events])
        return
    rows = [
        (
            shown_time(event.time),
            event.what,
            event.who,
            event.why,
            f"v{event.version}{'' if event.is_current else ', deprecated'}",
            event.unique_id,
        )
        for event in events
    ]
    print_table(("time (UTC)", "what", "by", "title, reason", "version", "uniqueId"), rows)
