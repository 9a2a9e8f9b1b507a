"""`portolan audit`: the audit trail of the audit record repository, verified, searched, and reported."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from auditing import verified
from auditing.accesses import HEADINGS, Access, access, covers
from auditing.chain import Witness, new_key
from auditing.reading import read_event
from auditing.search import Wanted
from auditing.store import searching
from auditing.store.searching import Found
from auditing.verifying import MOST_FINDINGS, Verdict
from auditing.verifying import verify as verified_trail
from common.clock import utc_now
from common.standard.nhs import nhs_number_problem
from console.cli import config_option, settings
from console.commands.audit_archive import archive, points_of, tell_of_archives, verify_archive, witness_of
from console.commands.audit_spool import spool
from console.database import audit_database, ready_audit_database
from console.development_ca import write_secret
from console.failure import Failure
from console.output import json_option, print_json, print_table, safe, spaced_nhs_number
from console.trail import reporting
from console.trail.asking import note, patient_term_of, time_of
from console.trail.shown import as_json as told_of
from console.trail.shown import first_patient, row, shown, text

_OUTCOMES: Final = {"success": (0,), "failure": (4, 8, 12), "minor": (4,), "serious": (8,), "major": (12,)}
_COLUMNS: Final = ("record", "when (UTC)", "event", "transaction", "outcome", "users", "patients", "source")
_PROGRESS: Final = 100_000
_MOST: Final = 1_000_000


@click.group()
def audit() -> None:
    """Look after records on their way (`spool`), and the trail that the audit record repository keeps.

    Whoever reads the trail is recorded in it: the user of this machine, what they asked for, and about whom.
    """


for _command in (spool, archive, verify_archive):
    audit.add_command(_command)


@audit.command("key")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def make_key(file: Path) -> None:
    """Make the key that checkpoints are signed with: FILE, and its public half FILE.pub for those who verify.

    Name FILE in PORTOLAN_AUDIT_REPOSITORY_KEY. Keep FILE.pub where those who run the database cannot change it.

    \b
    Example:
      portolan audit key audit-key.pem
    """
    public = file.with_name(f"{file.name}.pub")
    if file.exists() or public.exists():
        raise Failure(f"There is a {file} already.", "Checkpoints that it signed can be verified by no other one.")
    private, shown = new_key()
    write_secret(file, private)
    public.write_bytes(shown)
    click.echo(f"Made {file}, and {public} to verify with; the key is called {Witness.of_pem(shown).name}.")


@audit.command("verify")
@click.option("--checkpoints", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="Checkpoints that were kept elsewhere.")  # fmt: skip
@click.option("--public-key", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              metavar="FILE",
              help="Public half of a key, also several; PORTOLAN_AUDIT_REPOSITORY_KEY when left out.")  # fmt: skip
@click.option("--chain-only", is_flag=True, help="Leave out the index, which takes most of the time.")
@config_option
@json_option
def verify_trail(checkpoints: Path | None, public_key: tuple[Path, ...], chain_only: bool, as_json: bool) -> None:
    """Walk through the whole trail, and say exactly where it was changed, if it was; exit code 1 then.

    Found are records that were changed, put in, taken out or moved, an end that was cut off, checkpoints that are not
    signed by the key, and an index that does not say what the records say.

    \b
    Examples:
      portolan audit verify
      portolan audit verify --checkpoints /mnt/elsewhere/checkpoints --public-key audit-key.pem.pub
    """
    current = settings()
    witness = witness_of(public_key, current.audit_repository_key)
    points = points_of(checkpoints) if checkpoints else []
    if witness is None:
        click.echo("portolan: no key is known: signatures are not verified (--public-key).", err=True)
    ready_audit_database(current, migrate=False)
    began = time.perf_counter()
    with audit_database(current) as opened:
        verdict = verified_trail(
            opened, witness=witness, elsewhere=points, with_index=not chain_only, progress=_progress()
        )
    seconds = time.perf_counter() - began
    before = verified.look(current.data)
    # Half of it does not take back what the whole has found.
    if not chain_only or not verdict.is_whole or before is None or before[0]:
        verified.note(current.data, whole=verdict.is_whole)
    _tell(verdict, seconds, as_json=as_json)
    if not verdict.is_whole:
        raise SystemExit(1)


def _progress() -> Any:
    told = 0

    def say(count: int) -> None:
        nonlocal told
        if sys.stderr.isatty() and count - told >= _PROGRESS:
            told = count
            click.echo(f"portolan: {count} records so far", err=True)

    return say


def _tell(verdict: Verdict, seconds: float, *, as_json: bool) -> None:
    rate = verdict.records / seconds if seconds else 0.0
    chain = verdict.records / verdict.chain_seconds if verdict.chain_seconds else 0.0
    if as_json:
        findings = [
            {"kind": each.kind, "first": each.first, "last": each.last, "told": each.told} for each in verdict.findings
        ]
        print_json(
            {
                "whole": verdict.is_whole,
                "records": verdict.records,
                "archived": verdict.archived,
                "checkpoints": verdict.checkpoints,
                "findings": findings,
                "count": verdict.count,
                "seconds": round(seconds, 3),
                "records_per_second": round(rate),
            }
        )
        return
    if verdict.findings:
        print_table(("what", "from record", "to record", "that is"), [
            (each.kind, each.first, each.last, each.told) for each in verdict.findings
        ], right=("from record", "to record"))  # fmt: skip
    if verdict.count > MOST_FINDINGS:
        click.echo(f"… and {verdict.count - MOST_FINDINGS} more.")
    found = "whole" if verdict.is_whole else f"NOT WHOLE: {verdict.count} findings"
    if verdict.archived:
        click.echo(f"It begins behind record {verdict.archived}: those before are archived (audit verify-archive).")
    click.echo(
        f"The trail is {found}. {verdict.records} records, {verdict.checkpoints} checkpoints, in {seconds:.1f} s "
        f"({rate:.0f} records/s; the chain alone {chain:.0f} records/s)."
    )


@audit.command("search")
@click.option("--patient", default="", metavar="ID", help="An NHS Number, or a local id as id^^^&OID&ISO.")
@click.option("--user", default="", metavar="ID", help="A user's id or name, as records have it.")
@click.option("--from", "since", default="", metavar="TIME", help="From when on, as 2026-03-11 or 2026-03-11T14:20.")
@click.option("--to", "until", default="", metavar="TIME", help="Until when; a day is meant with all its hours.")
@click.option("--outcome", type=click.Choice(list(_OUTCOMES)), help="How it ended.")
@click.option("--transaction", default="", metavar="CODE", help="Such as ITI-43, or an event's code such as 110127.")
@click.option("--source", default="", metavar="ID", help="Which system reported it (AuditSourceID).")
@click.option("--unreadable", is_flag=True, help="Those that are kept, and cannot be read.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, _MOST), help="How many at most.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True,
              help="JSON is one object a line.")  # fmt: skip
@config_option
def search_trail(
    patient: str,
    user: str,
    since: str,
    until: str,
    outcome: str | None,
    transaction: str,
    source: str,
    unreadable: bool,
    limit: int,
    form: str,
) -> None:
    """Find records, newest first. The search is itself recorded.

    \b
    Examples:
      portolan audit search --patient 9990001006
      portolan audit search --user 555000000001 --from 2026-03-01 --outcome failure
      portolan audit search --transaction ITI-43 --limit 10000 --format csv
    """
    current = settings()
    terms = [("patient", patient_term_of(patient))] if patient else []
    terms += [("user", user)] if user else []
    wanted = Wanted(
        terms=tuple((kind, (value,)) for kind, value in terms),
        transactions=(transaction,) if transaction else (),
        since=time_of("--from", since, upwards=False),
        until=time_of("--to", until, upwards=True),
        outcomes=_OUTCOMES[outcome] if outcome else (),
        sources=(source,) if source else (),
        unreadable=unreadable,
    )
    asked = {"patient": patient, "user": user, "from": since, "to": until, "outcome": outcome or "",
             "transaction": transaction, "source": source}  # fmt: skip
    ready_audit_database(current, migrate=False)
    with audit_database(current) as opened:
        note(opened, current, "audit search", asked, patient)
        if left_out := tell_of_archives(opened):
            click.echo(f"portolan: {left_out}", err=True)
        _print(searching.search(opened, wanted, limit), form)


def _print(found: Iterator[Found], form: str) -> None:
    if form == "table":
        rows = [row(each) for each in found]
        if not rows:
            click.echo("Nothing was found.")
            return
        print_table(_COLUMNS, rows, right=("record",))
        return
    if form == "csv":
        rows_as_text = (tuple(text(cell) for cell in row(each)) for each in found)
        for line in reporting.csv_lines(_COLUMNS, rows_as_text):
            click.echo(line, nl=False)
        return
    for each in found:
        click.echo(json.dumps(told_of(each), ensure_ascii=False))


@audit.command("show")
@click.argument("record", type=click.IntRange(1))
@click.option("--raw", is_flag=True, help="The record's own bytes, as they came.")
@config_option
@json_option
def show_record(record: int, raw: bool, as_json: bool) -> None:
    """Show one record by its number. That it was read is recorded.

    \b
    Examples:
      portolan audit show 4711
      portolan audit show 4711 --raw
    """
    current = settings()
    ready_audit_database(current, migrate=False)
    with audit_database(current) as opened:
        with opened.read() as work:
            found = searching.one(work, record)
        patient = first_patient(found)
        note(opened, current, "audit show", {"record": str(record)}, patient)
        left_out = tell_of_archives(opened)
    if found is None:
        raise Failure(*filter(None, (f"There is no record {record}.", left_out)))
    if raw:
        sys.stdout.buffer.write(found.raw + b"\n")
        return
    told = told_of(found)
    if as_json:
        print_json(told)
        return
    print_table(("what", "the record says"), [(name, shown(value)) for name, value in told.items() if value])


@audit.command("report")
@click.option("--patient", required=True, metavar="NHS-NUMBER", help="Whose record.")
@click.option("--from", "since", default="", metavar="TIME", help="From when on, as 2026-03-11.")
@click.option("--to", "until", default="", metavar="TIME", help="Until when; a day is meant with all its hours.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "pdf"]), default="table", show_default=True,
              help="PDF is for the patient, CSV for spreadsheets.")  # fmt: skip
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Where to write it, instead of printing it.")  # fmt: skip
@config_option
def report_accesses(patient: str, since: str, until: str, form: str, output: Path | None) -> None:
    """Report who accessed a patient's record, for a subject access request. That it was made is recorded.

    \b
    Examples:
      portolan audit report --patient 9990001006
      portolan audit report --patient 9990001006 --from 2026-01-01 --format pdf --output accesses.pdf
    """
    current = settings()
    if form == "pdf" and output is None:
        raise click.UsageError("A PDF is written to a file: say --output FILE.")
    number = patient.replace(" ", "")
    if (problem := nhs_number_problem(number)) is not None:
        raise click.UsageError(f"The patient's number {problem}.")
    wanted = Wanted(
        terms=(("patient", (f"{number}|{current.patient_authority}",)),),
        since=time_of("--from", since, upwards=False),
        until=time_of("--to", until, upwards=True),
    )
    ready_audit_database(current, migrate=False)
    with audit_database(current) as opened:
        note(opened, current, "audit report", {"patient": number, "from": since, "to": until}, number)
        found = [access(each.number, each.at, read_event(each.raw)) for each in searching.search(opened, wanted)]
        left_out = tell_of_archives(opened)
    found.reverse()  # a story is told from its beginning
    paragraphs = covers(spaced_nhs_number(number), since, until, _today(), len(found))
    _report(number, found, (*paragraphs, left_out) if left_out else paragraphs, form, output)


def _report(number: str, found: list[Access], paragraphs: tuple[str, ...], form: str, output: Path | None) -> None:
    if form == "pdf":
        assert output is not None
        _write(output, reporting.pdf(spaced_nhs_number(number), found, paragraphs, utc_now()))
        return
    if form == "csv":
        lines = "".join(reporting.csv_lines(HEADINGS, reporting.access_rows(found)))
        if output is None:
            click.echo(lines, nl=False)
        else:
            # With a mark of its encoding, without which spreadsheets take it for another.
            _write(output, lines.encode("utf-8-sig"))
        return
    if output is not None:
        table = ["\t".join(HEADINGS), *("\t".join(safe(cell) for cell in each.cells()) for each in found)]
        _write(output, ("\n".join([*paragraphs, "", *table]) + "\n").encode())
        return
    for paragraph in paragraphs:
        click.echo(f"{paragraph}\n")
    if found:
        print_table(HEADINGS, [each.cells() for each in found])


def _write(file: Path, content: bytes) -> None:
    try:
        write_secret(file, content)
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {file}.")


def _today() -> str:
    return datetime.now(UTC).strftime("%d %B %Y")
