"""`portolan identity`: the cross-reference of patients' ids, asked and administered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click

from common.client import FoundPatient
from common.clock import utc_now
from common.db import Database, Work
from common.demographics import Demographics
from common.hl7.identifiers import Identifier, parse_cx
from common.settings import Settings
from console import client
from console.cli import config_option, settings
from console.database import identity_database, ready_identity_database
from console.failure import Failure
from console.metadata.entry import Domain, patient_id
from console.output import json_option, print_json, print_table, shown_time, spaced_nhs_number
from identity.app import the_tracing
from identity.rules.identifiers import Key
from identity.separating import NotSeparated, separate
from identity.store import conflicts as kept_conflicts
from identity.store import forwarding
from identity.tracing import Superseded, TracedPerson, TracingFailed, Unknown

_MOST_FORWARDS = 1_000


@click.group()
def identity() -> None:
    """Ask who is who: which local ids and NHS Numbers are of one person, and what stands in the way.

    `show` and `find` ask the cross-reference service, as any other system would (ITI-45, ITI-47). `conflicts` and
    `forwards` look into its database, and `trace` asks the national record that PORTOLAN_TRACING names.
    """


@identity.command("show")
@click.argument("patient", metavar="ID")
@config_option
@json_option
def show_patient(patient: str, as_json: bool) -> None:
    """Show all ids of a patient, by one of them: an NHS Number, or a local id as id^^^&OID&ISO.

    \b
    Examples:
      portolan identity show 9990001006
      portolan identity show 'NGH4471893^^^&2.999.826.4.1&ISO'
    """
    current = settings()
    who = _cx(patient, current)
    with client.identity(current) as service:
        found = service.find(patient_id=who)
    _print(found, current, as_json=as_json, nobody="No feed has told of this id.")


@identity.command("find")
@click.option("--family", default="", metavar="NAME", help="Family name.")
@click.option("--given", multiple=True, metavar="NAME", help="Given name; may be repeated.")
@click.option("--birth", default="", metavar="DATE", help="Date of birth, as 1942-03-17, 1942-03 or 1942.")
@click.option("--sex", type=click.Choice(["M", "F", "UN"]), default=None, help="Administrative gender.")
@config_option
@json_option
def find_patients(family: str, given: tuple[str, ...], birth: str, sex: str | None, as_json: bool) -> None:
    """Find patients by what feeds have told of them.

    \b
    Examples:
      portolan identity find --family Fenwick --birth 1942-03-17
      portolan identity find --family Fenwick --given Maud --json
    """
    if not (family or given or birth):
        raise click.UsageError("Say at least a name or a date of birth.")
    current = settings()
    with client.identity(current) as service:
        found = service.find(family=family, given=given, birth=birth.replace("-", ""), sex=sex or "")
    _print(found, current, as_json=as_json, nobody="Nobody was found.")


@identity.command("conflicts")
@click.option("--all", "settled", is_flag=True, help="Also those that were settled.")
@click.option("--settle", metavar="CONFLICT", help="Note that one has been dealt with.")
@config_option
@json_option
def show_conflicts(settled: bool, settle: str | None, as_json: bool) -> None:
    """List what feeds said that cannot be, or that somebody has to look into: nothing of it was guessed away.

    A local id told with another NHS Number than before; local ids merged whose NHS Numbers differ; a number that the
    national record does not have, or has another one for.

    \b
    Examples:
      portolan identity conflicts
      portolan identity conflicts --settle 3f9c2a7d10be
    """
    current = settings()
    ready_identity_database(current, migrate=False)
    with identity_database(current) as opened:
        if settle:
            with opened.write() as work:
                done = kept_conflicts.settle(work, settle, utc_now())
                work.commit()
            if not done:
                raise Failure(f"There is no open conflict {settle}.", "`portolan identity conflicts` lists them.")
            click.echo(f"The conflict {settle} is settled.")
            return
        with opened.read() as work:
            found = kept_conflicts.conflicts(work, settled=settled)
    if as_json:
        print_json([asdict(each) for each in found])
        return
    if not found:
        click.echo("There are no conflicts.")
        return
    rows = [
        (each.name, each.kind, each.identifiers, each.reason, shown_time(each.last_at), each.times) for each in found
    ]
    print_table(("conflict", "kind", "ids", "why", "last told (UTC)", "times"), rows, right=("times",))


@identity.command("separate")
@click.argument("patient", metavar="ID")
@click.option("--by", required=True, metavar="NAME", help="Who decides it.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept with the conflicts.")
@config_option
def separate_id(patient: str, by: str, reason: str) -> None:
    """Take a wrong link apart: an id becomes that of a person of its own, and no other id is of that person.

    Put the source right first: when a feed tells of both ids together again, they are linked again. NHS Numbers that
    were merged in a Registry are its affair: `portolan patients unmerge`.

    \b
    Example:
      portolan identity separate 'NGH4471893^^^&2.999.826.4.1&ISO' --by "A. Administrator" --reason "a slip"
    """
    current = settings()
    wanted = parse_cx(_cx(patient, current))
    ready_identity_database(current, migrate=False)
    with identity_database(current) as opened:
        try:
            done = separate(opened, Key(wanted.oid, wanted.id), by=by, reason=reason)
        except NotSeparated as refused:
            raise Failure(f"{patient} was not taken apart: {refused}.") from refused
    click.echo(f"Apart: {', '.join(key.cx() for key in done.left)}")
    click.echo(f"Still together: {', '.join(key.cx() for key in done.stayed)}")


@identity.command("forwards")
@click.option("--again", type=int, metavar="NUMBER", help="Send one again that the Registry has refused.")
@click.option("--discard", type=int, metavar="NUMBER", help="Let go of one that the Registry has refused.")
@config_option
@json_option
def show_forwards(again: int | None, discard: int | None, as_json: bool) -> None:
    """List what the Registry is still to be told (PORTOLAN_IDENTITY_FORWARD), and what it has refused.

    \b
    Examples:
      portolan identity forwards
      portolan identity forwards --again 17
    """
    current = settings()
    ready_identity_database(current, migrate=False)
    with identity_database(current) as opened:
        if _changed(opened, again, forwarding.again, "is sent again"):
            return
        if _changed(opened, discard, forwarding.discard, "is gone"):
            return
        with opened.read() as work:
            found = forwarding.forwards(work, _MOST_FORWARDS)
    if as_json:
        print_json([asdict(each) for each in found])
        return
    if not found:
        click.echo("The Registry has been told everything.")
        return
    rows = [
        (each.number, f"ADT^{each.event}", each.patient, each.state, each.tries, f"{each.age:.0f} s", each.reason or "")
        for each in found
    ]
    right = ("number", "tries", "age")
    print_table(("number", "message", "patient", "state", "tries", "age", "why"), rows, right=right)


def _changed(opened: Database, number: int | None, change: Callable[[Work, int], bool], told: str) -> bool:
    """Whether a refused message was named, and changed; Failure when there is none."""
    if number is None:
        return False
    with opened.write() as work:
        done = change(work, number)
        work.commit()
    if not done:
        raise Failure(f"No message {number} was refused.", "`portolan identity forwards` lists them.")
    click.echo(f"The message {number} {told}.")
    return True


@identity.command("trace")
@click.argument("number", metavar="NHS_NUMBER")
@config_option
@json_option
def trace_number(number: str, as_json: bool) -> None:
    """Look a number up in the national record (PORTOLAN_TRACING).

    \b
    Examples:
      PORTOLAN_TRACING=recorded portolan identity trace 9990001006
      PORTOLAN_TRACING=https://… portolan identity trace "999 000 1006" --json
    """
    current = settings()
    tracing = the_tracing(current)
    if tracing is None:
        raise Failure("No national record is set.", "Set PORTOLAN_TRACING, for a first run to `recorded`.")
    bare = _cx(number, current).partition("^")[0]
    try:
        found = tracing.trace(bare)
    except TracingFailed as failed:
        hint = "Try again later." if failed.again else "Trying again will not help by itself."
        raise Failure(f"The number was not traced: {failed}.", hint) from failed
    if current.tracing.startswith("recorded"):
        click.echo("portolan: this is a recorded response, of nobody who exists.", err=True)
    if as_json:
        print_json({"outcome": type(found).__name__, **asdict(found)})
        return
    _tell(found)


def _tell(found: TracedPerson | Superseded | Unknown) -> None:
    shown = spaced_nhs_number(found.nhs_number)
    if isinstance(found, Unknown):
        raise Failure(f"No valid record has the number {shown}.")
    if isinstance(found, Superseded):
        click.echo(f"{shown} was superseded by {spaced_nhs_number(found.by)}.")
        return
    name = next((f"{' '.join(each.given)} {each.family}".strip() for each in found.names), "no name")
    hidden = "hidden: the person is marked sensitive" if found.sensitive else ""
    address = next((", ".join(filter(None, (*each.lines, each.city, each.postcode))) for each in found.addresses), "")
    rows = [
        ("NHS Number", shown),
        ("name", name),
        ("birth", found.birth),
        ("gender", found.gender),
        ("died", found.deceased or "-"),
        ("GP practice", found.practice or hidden),
        ("address", address or hidden),
    ]
    print_table(("what", "the national record says"), rows)


def _cx(patient: str, current: Settings) -> str:
    """An NHS Number or a CX as a CX; wrong usage for anything else."""
    try:
        return patient_id(patient, Domain(client.code_sets(current), current.patient_authority))
    except ValueError as error:
        raise click.UsageError(f"The patient's number {error}.") from error


def _print(found: list[FoundPatient], current: Settings, *, as_json: bool, nobody: str) -> None:
    if as_json:
        print_json([_as_json(each) for each in found])
    elif not found:
        raise Failure(nobody)
    else:
        print_table(("name", "birth", "sex", "ids"), [_row(each, current) for each in found])


def _as_json(patient: FoundPatient) -> dict[str, Any]:
    return {"ids": [each.cx() for each in patient.identifiers], "person": asdict(patient.person)}


def _row(patient: FoundPatient, current: Settings) -> tuple[Any, ...]:
    person = patient.person
    return (
        _name(person),
        shown_time(person.birth),
        person.sex,
        tuple(_id(each, current) for each in patient.identifiers),
    )


def _id(item: Identifier, current: Settings) -> str:
    return spaced_nhs_number(item.id) if item.oid == current.patient_authority else item.cx()


def _name(person: Demographics) -> str:
    name = next(iter(person.names), None)
    return f"{name.family.upper()}, {' '.join(name.given)}" if name else ""
