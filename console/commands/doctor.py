"""`portolan doctor`: is this set-up fit for work, and what is to be done where it is not?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import click

from common.settings import Settings, SettingsError
from console.cli import config_option, settings
from console.doctor import (
    audit,
    audit_trail,
    callers,
    certificates,
    database,
    identity,
    machine,
    neighbours,
    observing,
    outbox,
    storage,
)
from console.doctor.finding import Finding, Findings, Outcome, fail, ok
from console.output import json_option, print_json, print_table

_LOOKS = (
    machine.production,
    database.look,
    storage.look,
    outbox.look,
    audit.look,
    identity.look,
    audit_trail.look,
    observing.look,
    machine.codes,
    machine.memory,
    certificates.look,
    callers.look,
    neighbours.look,
)


@click.command(short_help="Check the whole set-up, and say what to do.")
@config_option
@json_option
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Check settings, database, storage, codes, services, clocks and certificates, and say what to do.

    Each finding is ok, warn or fail; the exit code is 1 when one of them is fail. Nothing is changed, and a service
    that is not running is only a warning.

    \b
    Examples:
      portolan doctor
      portolan doctor --json | jq '.[] | select(.outcome != "ok")'
    """
    found = list(examine())
    if as_json:
        print_json([asdict(finding) for finding in found])
    else:
        _print(found)
    context.exit(1 if any(finding.outcome is Outcome.FAIL for finding in found) else 0)


def examine() -> Findings:
    """All findings; with wrong settings nothing else can be looked at."""
    try:
        current = settings()
    except SettingsError as error:
        for problem in error.problems:
            yield fail("settings", problem, "docs/reference/settings.md says what each may be.")
        return
    yield ok("settings", "can be used")
    yield from _all(current)


def _all(current: Settings) -> Iterator[Finding]:
    for look in _LOOKS:
        try:
            yield from look(current)
        except OSError as error:
            yield fail(look.__module__.rpartition(".")[2], f"{error.strerror} ({error.filename})", "See to it.")


def _print(found: list[Finding]) -> None:
    print_table(("", "about", "found"), [(finding.outcome, finding.about, finding.text) for finding in found])
    advice = [finding for finding in found if finding.advice]
    if advice:
        click.echo("\nWhat to do:")
    for finding in advice:
        click.echo(f"  {finding.about}: {finding.advice}")
