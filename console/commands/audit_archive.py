"""`portolan audit archive` and `verify-archive`: the oldest part of the trail in files of its own."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from pathlib import Path

import click

from auditing import archive as files
from auditing.archive import BadArchive, Stretch
from auditing.archiving import CannotArchive, Plan, carry_out, plan
from auditing.chain import BadKey, Checkpoint, Witness
from auditing.own import Deed
from auditing.store import archives
from common.db import Database
from console.cli import config_option, settings
from console.database import audit_database, ready_audit_database
from console.failure import Failure
from console.output import print_table
from console.trail.asking import time_of, user_here


def witness_of(public_keys: tuple[Path, ...], own: str = "") -> Witness | None:
    """Whose signatures count: of the keys that are named, or of our own; Failure."""
    places = public_keys or ((Path(own),) if own else ())
    if not places:
        return None
    try:
        return Witness.of_pem(*(place.read_bytes() for place in places))
    except BadKey as error:
        raise Failure(f"{', '.join(map(str, places))} cannot be used: {error}.") from error


def points_of(file: Path) -> list[Checkpoint]:
    """The checkpoints in a file; Failure."""
    found = []
    with file.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                found.append(Checkpoint.of_line(line))
            except ValueError as error:
                raise Failure(f"Line {number} of {file} is no checkpoint.") from error
    return found


def tell_of_archives(database: Database) -> str:
    """What is no longer in the trail, in a sentence; empty where all is."""
    with database.read() as work:
        known = archives.known(work)
    if not known:
        return ""
    last = known[-1]
    until = datetime.fromtimestamp(last.at / 1_000_000, UTC).strftime("%d %B %Y")
    return f"Records 1 to {last.last} were archived, the last of them on {until}, and are not looked into here."


@click.command("archive")
@click.argument("folder", type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.option("--before", required=True, metavar="TIME", help="Records that came before then, as 2018-01-01.")
@click.option("--checkpoints", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="Checkpoints that were kept elsewhere.")  # fmt: skip
@click.option("--public-key", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              metavar="FILE",
              help="Public half of a key, also several; PORTOLAN_AUDIT_REPOSITORY_KEY when left out.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
def archive(folder: Path, before: str, checkpoints: Path | None, public_key: tuple[Path, ...], yes: bool) -> None:
    """Take the oldest records out of the trail, into a file in FOLDER that can be verified on its own.

    The stretch ends at the newest signed checkpoint before which all records came before TIME. It is refused while
    anything in the stretch does not verify. The trail goes on from that checkpoint, and has a record of it.

    \b
    Examples:
      portolan audit archive /mnt/archive --before 2018-01-01
      portolan audit archive /mnt/archive --before 2018-01-01 --checkpoints /mnt/elsewhere/checkpoints --yes
    """
    current = settings()
    witness = witness_of(public_key, current.audit_repository_key)
    if witness is None:
        raise Failure("No key is known, and unsigned records are not archived.", "Name it with --public-key.")
    at = time_of("--before", before, upwards=False)
    assert at is not None
    ready_audit_database(current, migrate=False)
    with audit_database(current) as opened:
        left = archives.take_out(opened)
        if left:
            click.echo(f"Took out {left} records that an earlier run had archived.")
        planned = _planned(opened, at, witness, tuple(points_of(checkpoints)) if checkpoints else ())
        if planned is None:
            click.echo("Nothing is archived: there is no signed checkpoint before which all records came before then.")
            return
        stretch = planned.stretch
        if not yes:
            click.confirm(
                f"Put records {stretch.first} to {stretch.last} into {folder}, and take them out?", abort=True
            )
        host = socket.gethostname()
        try:
            place, sha256, gone = carry_out(
                opened,
                planned,
                folder,
                witness,
                lambda told: Deed(user_here(), "portolan audit archive", host, told),
                current.audit_repository_url,
            )
        except CannotArchive as error:
            raise Failure(f"Nothing was taken out: {error}.") from error
        except OSError as error:
            raise Failure(f"Nothing was taken out: {folder} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {place} (SHA-256 {sha256}), and took {gone} records out of the trail.")


def _planned(database: Database, at: int, witness: Witness, elsewhere: tuple[Checkpoint, ...]) -> Plan | None:
    try:
        return plan(database, at, witness, elsewhere)
    except CannotArchive as error:
        print_table(("what", "from record", "to record", "that is"), [
            (each.kind, each.first, each.last, each.told) for each in error.findings
        ], right=("from record", "to record"))  # fmt: skip
        raise Failure(
            f"Nothing is archived: {error}.", "docs/operations/audit-trail.md says what each finding means."
        ) from error


@click.command("verify-archive")
@click.argument("file", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--public-key", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              metavar="FILE", help="Public half of a key that checkpoints were signed with; also several.")  # fmt: skip
def verify_archive(file: tuple[Path, ...], public_key: tuple[Path, ...]) -> None:
    """Verify archives on their own, without the trail: each, and that they join on to each other.

    Exit code 1 where one is not what it was.

    \b
    Example:
      portolan audit verify-archive /mnt/archive/trail-*.jsonl.gz --public-key audit-key.pem.pub
    """
    witness = witness_of(public_key)
    if witness is None:
        click.echo("portolan: no key is known: signatures are not verified (--public-key).", err=True)
    found: list[Stretch] = []
    rows: list[tuple[object, ...]] = []
    wrong = False
    for place in file:
        try:
            stretch = files.verify(place, witness)
        except BadArchive as error:
            rows.append((place.name, "", "", f"NOT WHOLE: {error}"))
            wrong = True
            continue
        found.append(stretch)
        rows.append((place.name, stretch.first, stretch.last, "whole"))
    print_table(("file", "from record", "to record", "that is"), rows, right=("from record", "to record"))
    try:
        files.follow(found)
    except BadArchive as error:
        click.echo(f"{error}.")
        wrong = True
    if wrong:
        raise SystemExit(1)
