"""`portolan fetch`: documents to files or stdout."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from common.client import ClientError, DocumentConsumer
from common.model import DocumentEntry
from console import client
from console.cli import config_option, settings
from console.failure import Failure, sentences
from console.fetching import file_name, to_file, to_stream
from console.output import json_option, print_json, shown_bytes


@click.command()
@click.argument("unique_ids", metavar="UNIQUE_ID…", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    default=".",
    show_default=True,
    metavar="FILE|DIR|-",
    help="A file for one document, a folder for several, or - for stdout.",
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
@config_option
@json_option
def fetch(unique_ids: tuple[str, ...], output: str, force: bool, as_json: bool) -> None:
    """Fetch documents by their uniqueIds, from whichever repositories hold them.

    Size and SHA-1 are verified. A file appears under its name only when it is complete; in a folder it is named after
    the uniqueId.

    \b
    Examples:
      portolan fetch 2.999.826.9.2.20260311.1 -o letter.pdf
      portolan fetch 2.999.826.9.2.20260311.1 2.999.826.9.2.20260206.1 -o letters/
      portolan fetch 2.999.826.9.2.20260311.1 -o - | less
    """
    folder = _folder(output, len(unique_ids))
    with client.consumer(settings()) as consumer:
        entries, missing = _entries(consumer, list(dict.fromkeys(unique_ids)))
        if output == "-":
            _to_stdout(consumer, entries[0])
            return
        targets = [folder / file_name(entry) if folder else Path(output) for entry in entries]
        _see_that_nothing_is_there(targets, force)
        _to_files(consumer, list(zip(entries, targets, strict=True)), missing, as_json=as_json)


def _folder(output: str, count: int) -> Path | None:
    """The folder that is meant; None for a file or stdout."""
    if output == "-":
        if count > 1:
            raise click.UsageError("Only one document can go to stdout; name a folder with -o for several.")
        return None
    path = Path(output)
    if path.is_dir() or output.endswith("/") or count > 1:
        path.mkdir(parents=True, exist_ok=True)
        return path
    return None


def _entries(consumer: DocumentConsumer, unique_ids: Sequence[str]) -> tuple[list[DocumentEntry], list[str]]:
    """What is registered, and the ids of what is not; one by one, since they may be of several patients."""
    found: list[DocumentEntry] = []
    missing: list[str] = []
    for name in unique_ids:
        entries = client.entries_of(consumer, name)
        found += entries[:1]
        missing += [] if entries else [name]
    if not found:
        raise Failure(f"No document has this uniqueId: {', '.join(missing)}.", "`portolan find` lists a patient's.")
    return found, missing


def _see_that_nothing_is_there(targets: Sequence[Path], force: bool) -> None:
    there = [str(target) for target in targets if target.exists()]
    if there and not force:
        raise Failure(f"There is a file already: {', '.join(there)}.", "Name another with -o, or use --force.")


def _to_stdout(consumer: DocumentConsumer, entry: DocumentEntry) -> None:
    to_stream(consumer, entry, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def _to_files(
    consumer: DocumentConsumer, wanted: Sequence[tuple[DocumentEntry, Path]], missing: Sequence[str], *, as_json: bool
) -> None:
    """Every document that can be had; one that cannot is told, and spoils no other."""
    done: list[dict[str, Any]] = []
    failed = len(missing)
    for name in missing:
        click.echo(f"portolan: {name}: No document has this uniqueId.", err=True)
    for entry, target in wanted:
        try:
            size = to_file(consumer, entry, target)
        except ClientError as error:
            failed += 1
            click.echo(f"portolan: {entry.unique_id}: {' '.join(sentences(error))}", err=True)
            continue
        done.append({"unique_id": entry.unique_id, "file": str(target), "size": size, "sha1": entry.hash})
        if not as_json:
            click.echo(f"{target}: {shown_bytes(size)}, SHA-1 {entry.hash} verified")
    if as_json:
        print_json(done)
    if failed:
        raise Failure(f"{failed} of {len(wanted) + len(missing)} documents could not be fetched.")
