"""`portolan doctor`: is this set-up fit for work, and what is to be done where it is not?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from typing import Final

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
from console.serving.services import SERVICES

Look = Callable[[Settings], Findings]

_DOCUMENTS: Final = ("registry", "repository")
_ASKED: Final = (*_DOCUMENTS, "identity")
_LOOKS: Final[tuple[tuple[Look, tuple[str, ...]], ...]] = (
    (machine.production, _DOCUMENTS),
    (database.look, ("registry",)),
    (storage.look, ("repository",)),
    (outbox.look, _DOCUMENTS),
    (audit.look, _ASKED),
    (identity.look, ("identity",)),
    (audit_trail.look, ("audit",)),
    (observing.look, tuple(SERVICES)),
    (machine.codes, _DOCUMENTS),
    (machine.memory, _DOCUMENTS),
    (certificates.look, tuple(SERVICES)),
    (callers.look, _ASKED),
    (callers.access, _DOCUMENTS),
)
"""Each with the services that it is of use to."""


@click.command(short_help="Check the whole set-up, and say what to do.")
@click.argument("services", metavar="[SERVICE]…", nargs=-1, type=click.Choice([*SERVICES]))
@config_option
@json_option
@click.pass_context
def doctor(context: click.Context, services: tuple[str, ...], as_json: bool) -> None:
    """Check settings, database, storage, codes, services, clocks and certificates, and say what to do.

    Each finding is ok, warn or fail; the exit code is 1 when one of them is fail. Nothing is changed, and a service
    that is not running is only a warning. SERVICE is registry, repository, identity or audit, where a machine or a
    container runs only some: what is of no use to them is left out.

    \b
    Examples:
      portolan doctor
      portolan doctor audit
      portolan doctor --json | jq '.[] | select(.outcome != "ok")'
    """
    found = list(examine(services))
    if as_json:
        print_json([asdict(finding) for finding in found])
    else:
        _print(found)
    context.exit(1 if any(finding.outcome is Outcome.FAIL for finding in found) else 0)


def examine(services: tuple[str, ...] = ()) -> Findings:
    """All findings, or those that are of use to some services; with wrong settings nothing else can be looked at."""
    try:
        current = settings()
    except SettingsError as error:
        for problem in error.problems:
            yield fail("settings", problem, "docs/reference/settings.md says what each may be.")
        return
    yield ok("settings", "can be used")
    yield from _all(current, services)


def _all(current: Settings, services: tuple[str, ...]) -> Iterator[Finding]:
    looks: list[Look] = [look for look, of_use in _LOOKS if not services or set(services) & set(of_use)]
    looks.append(partial(neighbours.look, services=services))
    for look in looks:
        try:
            yield from look(current)
        except OSError as error:
            yield fail(_about(look), f"{error.strerror} ({error.filename})", "See to it.")


def _about(look: Look) -> str:
    return str(getattr(look, "func", look).__module__).rpartition(".")[2]


def _print(found: list[Finding]) -> None:
    print_table(("", "about", "found"), [(finding.outcome, finding.about, finding.text) for finding in found])
    advice = [finding for finding in found if finding.advice]
    if advice:
        click.echo("\nWhat to do:")
    for finding in advice:
        click.echo(f"  {finding.about}: {finding.advice}")
