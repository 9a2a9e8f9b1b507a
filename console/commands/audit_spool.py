"""`portolan audit spool`: what waits for the audit repositories."""

from __future__ import annotations

from dataclasses import asdict

import click

from common.audit.opening import destinations_of, open_sender
from common.audit.segments import folder_of, segments, size_of, waiting
from common.settings import Settings
from common.tls import Unusable
from console.cli import config_option, settings
from console.failure import Failure
from console.output import json_option, print_json, print_table, shown_bytes


@click.command()
@click.option("--send", is_flag=True, help="Send what waits, if no service does it, and say what is left.")
@click.option("--seconds", default=30.0, show_default=True, help="How long to try.")
@config_option
@json_option
def spool(send: bool, seconds: float, as_json: bool) -> None:
    """Show what waits in the spool for each audit repository, and since when.

    \b
    Examples:
      portolan audit spool
      portolan audit spool --send
    """
    current = settings()
    if send:
        _send(current, seconds)
    folder = folder_of(current.data)
    found = [(each, waiting(folder, each)) for each in destinations_of(current)]
    if as_json:
        print_json([{"repository": str(each), **asdict(what)} for each, what in found])
        return
    click.echo(f"{folder}: {len(segments(folder))} files, {shown_bytes(size_of(folder))}")
    rows = [(each, what.records, shown_bytes(what.size), what.oldest or "-") for each, what in found]
    print_table(("repository", "records that wait", "size", "oldest (UTC)"), rows)


def _send(current: Settings, seconds: float) -> None:
    try:
        sender = open_sender(current)
    except Unusable as error:
        raise Failure(f"Records cannot be sent over TLS: {error}.", "`portolan doctor` looks closer.") from error
    if sender is None:
        raise Failure("Nothing is recorded or sent here.", "Set PORTOLAN_AUDIT and PORTOLAN_AUDIT_REPOSITORIES.")
    sender.start()
    sender.stop(seconds)
