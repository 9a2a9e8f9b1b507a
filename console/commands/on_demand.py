"""`portolan on-demand`: documents that are made when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from common.model import Status
from console import client
from console.cli import config_option, settings
from console.commands.submit import metadata_options
from console.failure import Failure
from console.metadata.entry import build
from console.metadata.values import MetadataError, Values, layered
from console.output import json_option, print_json, print_table
from repository.app import on_demand_source, registry_client, storage
from repository.on_demand.definition import Definition
from repository.on_demand.generator import NoSuchGenerator, installed
from repository.registry import RegistryUnclear, RegistryUnreachable
from repository.storage import StorageError

_USUAL: Values = {"title": ("Documents of this patient",), "type_code": ("824321000000109",)}


@click.group("on-demand")
def on_demand() -> None:
    """Register documents that are made when they are asked for, and list what can make them.

    A generator is a Python callable that an installed package offers as an entry point of the group
    portolan.on_demand. Two are shipped: a patient's documents as a list, in PDF and in CDA.
    """


@on_demand.command("generators")
@json_option
def generators(as_json: bool) -> None:
    """List the generators that are installed.

    \b
    Example:
      portolan on-demand generators
    """
    found = sorted((name, entry.value) for name, entry in installed().items())
    if as_json:
        print_json([{"name": name, "is": value} for name, value in found])
    else:
        print_table(("generator", "is"), found)


@on_demand.command("register")
@click.option("--generator", required=True, metavar="NAME", help="What makes the document.")
@click.option("--keep", is_flag=True, help="Keep each new content as a document of its own (IsSnapshotOf).")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="For the generator; repeatable.")
@metadata_options
@config_option
@json_option
def register(generator: str, keep: bool, parameters: Sequence[str], as_json: bool, **options: Any) -> None:
    """Register an on-demand document of a patient (ITI-61); this Repository makes it whenever it is asked for.

    It runs where the Repository's storage can be reached, since what is to be made is kept there.

    \b
    Example:
      portolan on-demand register --generator document-list-pdf --patient 9990001006 \\
          --class-code 823651000000106 --practice-setting-code 394802001 --healthcare-facility-type-code 22232009
    """
    current = settings()
    given = {key: value if isinstance(value, tuple) else (value,) for key, value in options.items() if value}
    always: Values = {"mime_type": ("application/pdf",), "creation_time": ("20000101",)}  # the latter is left out again
    try:
        values = layered(given, _USUAL, always)
        entry, owner = build(values, client.domain(current), f"{generator} {sorted(parameters)}")
    except MetadataError as error:
        raise Failure(*error.problems) from error
    assert owner.content_type_code is not None  # build has seen to it
    entry.entry_uuid = "Document01"
    named = dict(each.partition("=")[::2] for each in parameters)
    definition = Definition(generator, owner.source_id or "", owner.content_type_code, keep, named)
    store, registry = storage(current), registry_client(current)
    try:
        response = on_demand_source(current, store, registry).register(entry, definition)
    except NoSuchGenerator as error:
        raise Failure(f"{error}.", "`portolan on-demand generators` lists those that are.") from error
    except (RegistryUnreachable, RegistryUnclear, StorageError) as error:
        raise Failure(f"The document could not be registered: {error}.", "It is safe to run this again.") from error
    finally:
        store.close()
        registry.close()
    if response.status is not Status.SUCCESS:
        raise Failure(*(f"{error.code}: {error.context}" for error in response.errors))
    if as_json:
        print_json({"unique_id": entry.unique_id, "generator": generator, "keep": keep})
    else:
        click.echo(f"Registered on-demand document {entry.unique_id}; `portolan fetch {entry.unique_id}` makes it.")
