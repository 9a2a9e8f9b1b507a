"""`portolan access`: who may see what. The kinds of record have the same commands, made of one table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from common.access import AccessPolicyError, Act, Who, load_access_policy
from common.access import names as made
from common.access.records import KINDS, Kind, WrongValue, read_record
from common.access.values import MEANINGS
from common.audit.events import RULES_CHANGED
from common.audit.spool import SpoolFailed
from common.clock import utc_now
from common.db import Conflict
from common.settings import Settings
from console.access import explaining, files, ods, papers
from console.access.opening import ready, time_of
from console.cli import config_option
from console.commands import access_directories as directories
from console.database import database
from console.failure import Failure
from console.output import json_option, print_json, print_table
from console.serving.auditing import tell
from registry.access import store

EXAMPLES: Final = {
    "roles": ('--role R8000^1.2.826.0.1285.0.2.1.104 --right search --by "R. Manager"', "roles-0123456789ab"),
    "relationships": ('--patient-id 9990001006 --organisation ZT901 --by "R. Manager"', "relationship-0123456789ab"),
    "consents": ('--patient-id 9990001006 --decision permit --by "R. Manager"', "consent-0123456789ab"),
    "agreements": ('--title "County" --providers ZT901 --recipients ZG902 --by "R. Manager"', "agreement-0123456789ab"),
    "organisations": ('--code ZG902 --name "Southbeck Surgery" --care-setting gp --by "R. Manager"', "ZG902"),
    "users": ('--user 555000000001 --name "Dr Nobody" --kind person --by "R. Manager"', "555000000001"),
    "endpoints": (
        '--organisation ZT901 --service registry --address https://registry.example/ --by "R. Manager"',
        "endpoint-0123456789ab",
    ),
    "services": ('--service registry --name "Registry" --organisation ZT901 --by "R. Manager"', "registry"),
}
EXAMPLE_ROLES: Final = Path(files.__file__).with_name("roles.csv")
_WIDEST: Final = 6
by_option = click.option("--by", required=True, metavar="NAME", help="Who says so.")


@click.group()
def access() -> None:
    """Who may see what: roles, relationships, consents, agreements, directories. Nothing is deleted; things end."""


def _record(current: Settings, what: str, by: str) -> None:
    """In the audit trail, where there is one, before anything is changed."""
    try:
        tell(current, RULES_CHANGED, f"portolan access: {what}, by the word of {by}")
    except SpoolFailed as failed:
        raise Failure(
            f"The change cannot be recorded, so it is not made: {failed}.", "See `portolan audit spool`."
        ) from failed


def _kept(current: Settings, kind: Kind, rows: list[files.Record], by: str) -> tuple[int, int]:
    _record(current, f"{len(rows)} of {kind.name} added or changed", by)
    try:
        with database(current) as opened, opened.write() as work:
            counts = store.put(work, kind, rows, by=by, at=utc_now())
            work.commit()
    except Conflict as error:
        raise Failure("Somebody else has just added the same.", "Nothing was taken; do it again.") from error
    return counts


def _commands_of(kind: Kind) -> click.Group:
    group = click.Group(kind.name, help=f"{kind.one.capitalize()}s: list, show, add, end, import, export.")
    for make in (_listing, _showing, _adding, _ending, _importing, _exporting):
        group.add_command(make(kind))
    return group


def _example(kind: Kind, rest: str) -> str:
    return f"\n\n\b\nExample:\n  portolan access {kind.name} {rest}"


def _records(kind: Kind, patient: str | None, key: str = "") -> list[store.Record]:
    wanted = ""
    if patient:
        wanted, problems = _patient_of(kind, patient)
        if problems:
            raise click.UsageError(f"--patient {problems}")
    with database(ready()) as opened, opened.read() as work:
        return store.records(work, kind, key=key, patient=wanted)


def _patient_of(kind: Kind, patient: str) -> tuple[str, str]:
    if not any(field.name == "patient_id" for field in kind.fields):
        return "", f"is not known to {kind.name}"
    try:
        return kind.field("patient_id").made(patient), ""
    except WrongValue as wrong:
        return "", str(wrong)


def _listing(kind: Kind) -> click.Command:
    @config_option
    @json_option
    @click.option("--patient", metavar="NHS_NUMBER", help="Those of this patient alone.")
    @click.option("--all", "everything", is_flag=True, help="Those that have ended as well.")
    def listing(patient: str | None, everything: bool, as_json: bool) -> None:
        now = utc_now()
        rows = [each for each in _records(kind, patient) if everything or not each["ends"] or each["ends"] > now]
        if as_json:
            print_json(rows)
            return
        shown = [name for name in files.columns(kind) if name not in ("source", "note", "basis", "reference")]
        print_table(shown[: _WIDEST + 2], [[each[name] for name in shown[: _WIDEST + 2]] for each in rows])

    told = f"List what counts, or is yet to begin to.{_example(kind, 'list')}"
    return click.command("list", help=told)(listing)


def _showing(kind: Kind) -> click.Command:
    @click.argument("key", metavar=kind.key.upper())
    @config_option
    @json_option
    def showing(key: str, as_json: bool) -> None:
        found = _records(kind, None, key)
        if not found:
            raise Failure(f"There is no {kind.one} {key}.")
        if as_json:
            print_json(found[0])
            return
        print_table(("field", "value"), [(name, found[0][name]) for name in files.columns(kind) if found[0][name]])

    told = f"Show all of one.{_example(kind, f'show {EXAMPLES[kind.name][1]}')}"
    return click.command("show", help=told)(showing)


def _adding(kind: Kind) -> click.Command:
    @by_option
    @config_option
    def adding(by: str, **told: Any) -> None:
        record, problems = read_record(kind, {name: value for name, value in told.items() if value})
        if problems:
            raise click.UsageError("; ".join(problems))
        current = ready()
        if record[kind.key] and _records(kind, None, record[kind.key]):
            raise Failure(f"There is a {kind.one} {record[kind.key]} already.", "Import a file to change it.")
        made_up = store.with_key(kind, record)
        _kept(current, kind, [made_up], by)
        click.echo(made_up[kind.key])

    command: Callable[..., None] = adding
    options = [*kind.fields]
    for field in reversed(options):
        command = click.option(
            f"--{field.name.replace('_', '-')}",
            field.name,
            required=field.required,
            multiple=field.many,
            metavar="TEXT",
            help=f"{field.told}{' Repeatable.' if field.many else ''}",
        )(command)
    told = f"Add one, and print its id.{_example(kind, f'add {EXAMPLES[kind.name][0]}')}"
    return click.command("add", help=told)(command)


def _ending(kind: Kind) -> click.Command:
    @click.argument("key", metavar=kind.key.upper())
    @click.option("--at", default="", metavar="DAY", help="From which day on it does not count; now when not given.")
    @by_option
    @config_option
    def ending(key: str, at: str, by: str) -> None:
        ends = time_of(at)
        current = ready()
        _record(current, f"one of {kind.name} ended", by)
        with database(current) as opened, opened.write() as work:
            if not store.end(work, kind, key, ends=ends, by=by, at=utc_now()):
                raise Failure(f"There is no {kind.one} {key} that counts so long.")
            work.commit()
        click.echo(f"{key} ends at {ends} UTC.")

    example = _example(kind, f'end {EXAMPLES[kind.name][1]} --by "R. Manager"')
    return click.command("end", help=f"Let one count no longer. It stays in the list of all.{example}")(ending)


def _importing(kind: Kind) -> click.Command:
    @click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
    @by_option
    @config_option
    def importing(file: Path, by: str) -> None:
        current = ready()
        added, changed = _kept(current, kind, files.read(kind, file), by)
        click.echo(f"{added} added, {changed} changed.")

    told = (
        "Take a file, CSV or JSON lines by its name (.jsonl): all of it, or nothing and every line that is wrong. "
        "Records with an id that is there already are changed; others are added."
    )
    return click.command("import", help=told + _example(kind, f'import {kind.name}.csv --by "R. Manager"'))(importing)


def _exporting(kind: Kind) -> click.Command:
    @click.argument("file", type=click.Path(path_type=Path, dir_okay=False, writable=True))
    @config_option
    def exporting(file: Path) -> None:
        found = _records(kind, None)
        as_json = file.suffix.lower() in (".jsonl", ".ndjson", ".json")
        file.write_text(files.written(kind, found, as_json=as_json), encoding="utf-8")
        click.echo(f"{len(found)} written.")

    told = "Write everything, what has ended included, as CSV or JSON lines by the file's name."
    return click.command("export", help=told + _example(kind, f"export {kind.name}.csv"))(exporting)


_GROUPS: Final = {name: _commands_of(kind) for name, kind in KINDS.items()}
for _group in _GROUPS.values():
    access.add_command(_group)


@_GROUPS["agreements"].command("print")
@click.argument("key", metavar="ID")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, writable=True), required=False)
@config_option
def print_agreement(key: str, file: Path | None) -> None:
    """Print an agreement for people: on the terminal, or as PDF into FILE.

    \b
    Example:
      portolan access agreements print agreement-0123456789ab county.pdf
    """
    with database(ready()) as opened, opened.read() as work:
        found = store.records(work, KINDS["agreements"], key=key)
        if not found:
            raise Failure(f"There is no data sharing agreement {key}.")
        parties = {code for name in ("providers", "recipients") for code in found[0][name].split()}
        known = [each for code in sorted(parties) for each in store.records(work, KINDS["organisations"], key=code)]
    names = {each["code"]: each["name"] for each in known}
    if file is None:
        click.echo(papers.as_text(found[0], names))
        return
    file.write_bytes(papers.as_pdf(found[0], names, now=utc_now()))
    click.echo(f"{file} was written.")


_GROUPS["agreements"].add_command(directories.find_agreements)
_GROUPS["endpoints"].add_command(directories.find_endpoints)
_GROUPS["services"].add_command(directories.print_services)


@_GROUPS["organisations"].command("import-ods")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--care-setting", type=click.Choice(["gp", "health", "social", "other"]), help="Of all in a CSV file.")
@click.option("--sites", is_flag=True, help="The CSV file is of sites; column 15 names who operates each.")
@by_option
@config_option
def import_ods(file: Path, care_setting: str | None, sites: bool, by: str) -> None:
    """Take organisations from a file of the Organisation Data Service: all of it, or nothing.

    Files named .xml are HSCOrgRefData; others are CSV with 27 columns and no header, as epraccur.csv.

    \b
    Example:
      portolan access organisations import-ods epraccur.csv --care-setting gp --by "R. Manager"
    """
    is_xml = file.suffix.lower() == ".xml"
    if not is_xml and not care_setting:
        raise click.UsageError("A CSV file does not tell the care setting: say it with --care-setting.")
    rows = ods.xml(file) if is_xml else ods.legacy(file, care_setting or "", sites=sites)
    kind = KINDS["organisations"]
    added, changed = _kept(ready(), kind, files.checked(kind, rows, file), by)
    click.echo(f"{added} added, {changed} changed.")


@_GROUPS["roles"].command("example")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, writable=True))
def example_roles(file: Path) -> None:
    """Write roles of the NHS with rights to start from; look the codes up before you import them.

    \b
    Example:
      portolan access roles example roles.csv
    """
    file.write_text(EXAMPLE_ROLES.read_text(encoding="utf-8"), encoding="utf-8")
    click.echo(f"{file} was written; its codes are to be confirmed.")


@access.command("rights")
@json_option
def show_rights(as_json: bool) -> None:
    """List the rights that roles may be given.

    \b
    Example:
      portolan access rights
    """
    rows = [(right.value, told) for right, told in MEANINGS.items()]
    if as_json:
        print_json(dict(rows))
    else:
        print_table(("right", "with it a role may"), rows)


@access.command("journal")
@config_option
@json_option
def show_journal(as_json: bool) -> None:
    """List every change there was: when, by whom, and what it made.

    \b
    Example:
      portolan access journal --json
    """
    with database(ready()) as opened, opened.read() as work:
        found = store.changes(work)
    if as_json:
        print_json(found)
        return
    print_table(
        ("at", "by", "change", "kind", "record"),
        [[each[name] for name in ("at", "by", "change", "kind", "record")] for each in found],
    )


@access.command("explain")
@click.option("--user", default="", metavar="ID", help="Who asks.")
@click.option("--system", multiple=True, metavar="NAME", help="A system, sha256:HEX or name:DNS-NAME; repeatable.")
@click.option("--role", "roles", multiple=True, metavar="CODE^SYSTEM", help="In which role; repeatable.")
@click.option("--organisation", default="", metavar="CODE", help="Where they work.")
@click.option("--purpose", "purposes", multiple=True, metavar="CODE^SYSTEM", help="Why; repeatable.")
@click.option("--reason", default="", help="Why it is an emergency.")
@click.option("--assertion", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Who asks, as in FILE.")
@click.option(
    "--act",
    type=click.Choice([act.value for act in Act]),
    default="read",
    show_default=True,
    help="What they want to do.",
)
@click.option("--document", default="", metavar="UNIQUE_ID", help="Which document.")
@click.option("--patient", default="", metavar="NHS_NUMBER", help="Whose record, where no document is named.")
@click.option("--at", default="", metavar="TIME", help="When, in UTC; now when not given.")
@config_option
@json_option
def explain_access(
    user: str,
    system: tuple[str, ...],
    roles: tuple[str, ...],
    organisation: str,
    purposes: tuple[str, ...],
    reason: str,
    assertion: Path | None,
    act: str,
    document: str,
    patient: str,
    at: str,
    as_json: bool,
) -> None:
    """Say which rule decides, and what each rule before it came to.

    An assertion's signature is not looked at. Exit code 0 whatever is decided.

    \b
    Example:
      portolan access explain --user 555000000001 --role R8000^1.2.826.0.1285.0.2.1.104 --organisation ZG902 \\
        --patient 9990001006
    """
    current = ready()
    try:
        policy = load_access_policy(current.access_policy)
    except AccessPolicyError as error:
        raise Failure(*(f"{problem}." for problem in error.problems)) from error
    who = Who(
        user=user,
        system=system,
        roles=frozenset(map(made.role, roles)),
        organisation=made.organisation(organisation),
        purposes=frozenset(map(made.role, purposes)),
        reason=reason,
    )
    if assertion is not None:
        who = explaining.from_assertion(assertion, policy.reason_attribute)
    patient_id, problem = _patient_of(KINDS["consents"], patient) if patient else ("", "")
    if problem:
        raise click.UsageError(f"--patient {problem}")
    with database(current) as opened:
        found = explaining.explained(
            opened, policy, who, Act(act), at=time_of(at), unique_id=document, patient_id=patient_id
        )
    if as_json:
        print_json([explaining.as_plain(each) for each in found])
        return
    for each in found:
        click.echo("\n".join(explaining.sentences(each)))
