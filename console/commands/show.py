"""`portolan show`: one object as a person reads it, or as ebRIM."""

from __future__ import annotations

import click
from lxml import etree

from common.client import DocumentConsumer
from common.ebxml.fragments import element
from common.model import Association, RegistryObject
from common.standard.identifiers import RIM
from console import client
from console.cli import config_option, settings
from console.failure import Failure
from console.metadata.shown import as_json as object_as_json
from console.metadata.shown import as_read, kind_of
from console.output import json_option, print_json, safe


@click.command(short_help="Show one object, and what it is linked with.")
@click.argument("identifier", metavar="ID")
@click.option("--ebrim", is_flag=True, help="Print it as ebRIM, the XML of the Registry.")
@config_option
@json_option
def show(identifier: str, ebrim: bool, as_json: bool) -> None:
    """Show one object, a document's entry, a submission set or a folder, and what it is linked with.

    ID is its uniqueId, or its entryUUID as urn:uuid:…

    \b
    Examples:
      portolan show 2.999.826.9.2.20260311.1
      portolan show 2.999.826.9.2.20260311.1 --ebrim
    """
    with client.consumer(settings()) as consumer:
        found = _found(consumer, identifier)
    if found is None:
        raise Failure(f"Nothing has the id {identifier}.", "`portolan find` lists a patient's documents.")
    item, links = found
    if ebrim:
        click.echo(_pretty(item))
    elif as_json:
        print_json({"kind": kind_of(item), **object_as_json(item), "associations": object_as_json(links)})
    else:
        _print(item, links)


def _found(consumer: DocumentConsumer, identifier: str) -> tuple[RegistryObject, list[Association]] | None:
    """The object with this id, of whichever kind, and the associations that it is part of."""
    name, ids = ("EntryUUID" if identifier.startswith("urn:uuid:") else "UniqueId"), [identifier]
    if name == "UniqueId" and len(entries := client.entries_of(consumer, identifier)) > 1:
        several = ", ".join(entry.entry_uuid for entry in entries)
        raise Failure(f"{len(entries)} entries have this uniqueId; show one of them: {several}.")
    for query, slot in (("GetDocuments", "XDSDocumentEntry"), ("GetFolders", "XDSFolder")):
        objects = consumer.query(query, {f"${slot}{name}": ids}).objects()
        if objects:
            links = consumer.query("GetAssociations", {"$uuid": [objects[0].entry_uuid]}).associations
            return objects[0], links
    contents = consumer.query("GetSubmissionSetAndContents", {f"$XDSSubmissionSet{name}": identifier})
    return (contents.submission_sets[0], contents.associations) if contents.submission_sets else None


def _print(found: RegistryObject, links: list[Association]) -> None:
    rows = as_read(found) + [_as_seen_from(found, link) for link in links]
    width = max(len(name) for name, _ in rows)
    click.echo(click.style(kind_of(found), bold=True))
    for name, value in rows:
        click.echo(f"  {name:<{width}}  {safe(value)}")


def _as_seen_from(found: RegistryObject, link: Association) -> tuple[str, str]:
    """An association as one line: what it is, and what is at its other end."""
    if link.source == found.entry_uuid:
        return link.type.name, link.target
    return f"{link.type.name} by", link.source


def _pretty(found: RegistryObject) -> str:
    """Its ebRIM, indented."""
    parser = etree.XMLParser(remove_blank_text=True, resolve_entities=False, no_network=True)
    begin, end = f'<rim:RegistryObjectList xmlns:rim="{RIM}">'.encode(), b"</rim:RegistryObjectList>"
    root = etree.fromstring(begin + element(found) + end, parser)
    return etree.tostring(root, pretty_print=True, encoding="unicode").rstrip("\n")
