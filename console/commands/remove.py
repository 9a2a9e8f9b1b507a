"""`portolan remove`: takes documents out for good, metadata first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby

import click

from common.client import DocumentAdministrator, DocumentConsumer, OutcomeUnknown, RemovalRefused
from common.model import Association, AssociationType, AvailabilityStatus, DocumentEntry
from console import client
from console.cli import config_option, settings
from console.failure import Failure
from console.output import json_option, print_json, print_table
from registry.unwrapping import unwrap

_AT_ONCE = 100
_BOTH = [AvailabilityStatus.APPROVED.value, AvailabilityStatus.DEPRECATED.value]


class _Link:
    """An Association of an answer, as unwrapping looks at it."""

    def __init__(self, link: Association) -> None:
        self.entry_uuid, self.source, self.target = link.entry_uuid, link.source, link.target
        self.is_membership = link.type is AssociationType.HAS_MEMBER


@click.command(short_help="Take documents out for good: metadata, then bytes.")
@click.argument("unique_ids", metavar="UNIQUE_ID…", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why; it is kept with the evidence.")
@click.option("--by", required=True, metavar="NAME", help="Who; it is kept with the evidence.")
@click.option("--metadata-only", is_flag=True, help="Leave the bytes in the Repository.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
@json_option
def remove(unique_ids: tuple[str, ...], reason: str, by: str, metadata_only: bool, yes: bool, as_json: bool) -> None:
    """Take documents out for good: every version of their entries and all that hangs on them (ITI-62), then the bytes
    (ITI-86). It cannot be undone.

    Submission sets and folders that would be left empty go too. What was removed is not taken again; evidence of it
    stays, and `portolan removals` shows it. A document under legal hold is not removed.

    \b
    Examples:
      portolan remove 2.999.826.9.2.20260311.1 --reason "Court order 2026/17" --by "R. Manager"
      portolan remove 2.999.826.9.2.20260311.1 --reason "Wrong patient" --by "R. Manager" --metadata-only --yes
    """
    current = settings()
    with client.consumer(current) as consumer, client.administrator(current) as administrator:
        entries = _entries(consumer, unique_ids)
        ids = sorted(unwrap({each.entry_uuid for each in entries}, lambda names: _links(consumer, names)))
        if not yes:
            asked = f"Remove {len(set(unique_ids))} document(s), {len(ids)} objects of the Registry, for good?"
            click.confirm(asked, abort=True, err=True)
        with _once_more():
            administrator.remove_metadata(ids, by=by, reason=reason)
        told = [] if metadata_only else list(_documents(administrator, entries))
    if as_json:
        print_json({"objects": ids, "documents": [{"unique_id": name, "problem": why} for name, why in told]})
    else:
        click.echo(f"{len(ids)} objects were removed from the Registry.", err=True)
        print_table(("uniqueId", "bytes"), [(name, why or "removed") for name, why in told])
    if any(why for _, why in told):
        raise Failure("Not all bytes were removed; the metadata was.", "Mend the reason, and use ITI-86 again.")


def _entries(consumer: DocumentConsumer, unique_ids: Iterable[str]) -> list[DocumentEntry]:
    """Every version of every entry of the documents."""
    found: dict[str, DocumentEntry] = {}
    for name in dict.fromkeys(unique_ids):
        slots = {"$XDSDocumentEntryUniqueId": [name], "$MetadataLevel": 2}
        refs = consumer.query("GetDocuments", slots, leaf=False).object_refs
        if not refs:
            raise Failure(f"No document has the uniqueId {name}.", "Nothing was removed.")
        for ref in refs:
            entry = {"$XDSDocumentEntryEntryUUID": [ref], "$MetadataLevel": 2}
            found |= {each.entry_uuid: each for each in consumer.query("GetDocuments", entry).entries}
    return list(found.values())


def _links(consumer: DocumentConsumer, names: set[str]) -> Iterator[_Link]:
    ordered = sorted(names)
    for start in range(0, len(ordered), _AT_ONCE):
        slots = {
            "$uuid": ordered[start : start + _AT_ONCE],
            "$XDSAssociationStatus": _BOTH,
            "$MetadataLevel": 2,
        }
        yield from map(_Link, consumer.query("GetAssociations", slots).associations)


@contextmanager
def _once_more() -> Iterator[None]:
    """What can be said when the Registry refuses or does not answer."""
    try:
        yield
    except RemovalRefused as refused:
        raise Failure("Nothing was removed.", *(f"{each.code}: {each.context}" for each in refused.errors)) from refused
    except OutcomeUnknown as unknown:
        raise Failure(
            "The Registry gave no clear answer, so it is unknown whether anything was removed.",
            "`portolan removals` tells; then run the same command again.",
        ) from unknown


def _documents(administrator: DocumentAdministrator, entries: list[DocumentEntry]) -> Iterator[tuple[str, str]]:
    """Each document, with what kept its bytes from being removed."""
    stable = {each.unique_id or "": each.repository_unique_id or "" for each in entries if each.is_stable}
    for repository, group in groupby(sorted(stable, key=lambda name: stable[name]), key=lambda name: stable[name]):
        names = list(group)
        done = administrator.remove_documents(repository, names)
        for name in names:
            error = done.error_of(name)
            yield name, f"{error.code}: {error.context}" if error else ""
