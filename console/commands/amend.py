"""`portolan amend`, `deprecate` and `approve`: what is said of a document is put right; its bytes never change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from common.client import UpdateRefused
from common.model import Author, AvailabilityStatus, Code, DocumentEntry
from common.settings import Settings
from common.standard.errors import ErrorCode
from console import client
from console.cli import config_option, settings
from console.commands.submit import metadata_options
from console.failure import Failure, sentences
from console.metadata.entry import amended, content_type_of
from console.metadata.values import MetadataError
from console.output import json_option, print_json

_Command = TypeVar("_Command", bound=Callable[..., Any])


def occasion_options(command: _Command) -> _Command:
    """Who, and why: the Registry keeps both with the update."""
    command = click.option("--reason", default="", metavar="TEXT", help="Why; it is kept in the Registry.")(command)
    return click.option("--by", required=True, metavar="PERSON", help="Who does it: a name, Family^Given, or an XCN.")(
        command
    )


def person(by: str) -> Author:
    """An author out of a name, Family^Given or an XCN, which has an id before its name."""
    is_xcn = by.startswith("^") or by.count("^") > 1
    return Author(person=by if is_xcn else f"^{by.replace('&', ' ')}")


def content_type(entry: DocumentEntry, current: Settings) -> Code:
    """What the update is about: a code of the entry's that the affinity domain takes for that."""
    found = content_type_of(entry, client.code_sets(current))
    if found is None:
        raise Failure("No code of this document can say what the update is about (contentTypeCode).")
    return found


def refused(error: UpdateRefused) -> Failure:
    """What the Registry said, and what to do where somebody else was first."""
    told = sentences(error)
    if any(each.code == ErrorCode.XDSMetadataVersionError for each in error.errors):
        told = (*told, "Somebody else changed it meanwhile: look at it again (`portolan show`), then repeat this.")
    return Failure(*told)


@click.command(short_help="Change what is said of a document; every version is kept.")
@click.argument("identifier", metavar="ID")
@occasion_options
@click.option("--no-propagation", is_flag=True, help="Leave Folders and relationships to the version before.")
@click.option("--restricted", is_flag=True, help="As a restricted update (ITI-92), which may change less.")
@metadata_options
@config_option
@json_option
def amend(
    identifier: str, by: str, reason: str, no_propagation: bool, restricted: bool, as_json: bool, **options: Any
) -> None:
    """Change what is said of a document (ITI-57): its title, codes, confidentiality, even whose it is.

    ID is the document's uniqueId, or its entryUUID. The version before is kept, and `portolan history` shows it. To
    correct the document itself submit another one with --replaces.

    \b
    Examples:
      portolan amend 2.999.826.9.2.20260311.1 --by "Okafor^Amara" --reason "Restricted on request" \\
          --confidentiality-code R
      portolan amend 2.999.826.9.2.20260311.1 --by "Records office" --reason "Filed for the wrong patient" \\
          --patient 9990001014
    """
    current = settings()
    given = {key: value if isinstance(value, tuple) else (value,) for key, value in options.items() if value}
    if not given:
        raise click.UsageError("Say what is to change.")
    with client.consumer(current) as consumer, client.administrator(current) as administrator:
        before = client.the_entry(consumer, identifier)
        try:
            after = amended(before, given, client.domain(current))
        except MetadataError as error:
            raise Failure(*error.problems) from error
        try:
            updated = administrator.amend(
                before,
                after,
                by=person(by),
                reason=reason,
                content_type=content_type(before, current),
                propagate=not no_propagation,
                restricted=restricted,
            )
        except UpdateRefused as error:
            raise refused(error) from error
    version = (before.version or 1) + 1
    if as_json:
        print_json({"entry_uuid": updated.entry_uuid, "version": version})
    else:
        click.echo(f"Version {version} is {updated.entry_uuid}.")
        for warning in updated.warnings:
            click.echo(f"{warning.code}: {warning.context}")


def _change(identifier: str, status: AvailabilityStatus, by: str, reason: str) -> None:
    current = settings()
    with client.consumer(current) as consumer, client.administrator(current) as administrator:
        entry = client.the_entry(consumer, identifier)
        if entry.availability_status is status:
            click.echo(f"It is {status.name.lower()} already.")
            return
        try:
            administrator.change_status(
                entry,
                status,
                patient_id=entry.patient_id or "",
                by=person(by),
                content_type=content_type(entry, current),
                reason=reason,
            )
        except UpdateRefused as error:
            raise refused(error) from error
    click.echo(f"{entry.unique_id} is {status.name.lower()} now.")


@click.command(short_help="Withdraw a document: it is kept, and no longer current.")
@click.argument("identifier", metavar="ID")
@occasion_options
@config_option
def deprecate(identifier: str, by: str, reason: str) -> None:
    """Withdraw a document (ITI-57): queries for current documents no longer find it, and it can still be fetched.

    \b
    Example:
      portolan deprecate 2.999.826.9.2.20260311.1 --by "Records office" --reason "Sent by mistake"
    """
    _change(identifier, AvailabilityStatus.DEPRECATED, by, reason)


@click.command(short_help="Make a withdrawn document current again.")
@click.argument("identifier", metavar="ID")
@occasion_options
@config_option
def approve(identifier: str, by: str, reason: str) -> None:
    """Make a withdrawn document current again (ITI-57), unless another has taken its place.

    \b
    Example:
      portolan approve 2.999.826.9.2.20260311.1 --by "Records office" --reason "Withdrawn by mistake"
    """
    _change(identifier, AvailabilityStatus.APPROVED, by, reason)
