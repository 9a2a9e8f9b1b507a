"""`portolan acknowledge`: tells a source what became of its letter."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import click

from common.client import NewDocument
from common.model import Association, AssociationType, Code, LocalizedString, SubmissionSet
from console import client
from console.cli import config_option, settings
from console.commands.amend import content_type, person
from console.metadata.people import shown_text
from console.output import json_option, print_json

_SCHEME: Final = "2.16.840.1.113883.5.18"  # HL7 AcknowledgementType
_FORMAT: Final = ("urn:ihe:iti:xds:2017:mimeTypeSufficient", "1.3.6.1.4.1.19376.1.2.3", "mimeType Sufficient")
_OUTCOMES: Final = {True: ("AA", "Accepted"), False: ("AR", "Rejected")}


def _text(value: str) -> tuple[LocalizedString, ...]:
    return (LocalizedString(value, "en-GB", "UTF-8"),)


@click.command(short_help="Accept or reject a letter, so that its source can see it.")
@click.argument("identifier", metavar="ID")
@click.option("--accept/--reject", "accepted", required=True, help="Whether it was taken into the receiver's care.")
@click.option("--by", required=True, metavar="PERSON", help="Who says so: a name, Family^Given, or an XCN.")
@click.option("--organisation", required=True, metavar="NAME", help="For whom: a name, or an XON.")
@click.option("--note", default="", metavar="TEXT", help="What else there is to say, such as why it is rejected.")
@config_option
@json_option
def acknowledge(identifier: str, accepted: bool, by: str, organisation: str, note: str, as_json: bool) -> None:
    """Accept or reject a letter: a short document that is appended to it (APND) and carries its reference ids.

    The SOAP answer says that a letter was registered; this says that somebody took it on. Whoever sent the letter finds
    it by the reference id, or among the letter's relations (`portolan history`).

    \b
    Examples:
      portolan acknowledge 2.999.826.9.2.20260311.1 --accept --by "Fitch^Rowan" --organisation "Millbrook Surgery"
      portolan acknowledge 2.999.826.9.2.20260311.1 --reject --by "Fitch^Rowan" --organisation "Millbrook Surgery" \\
          --note "Not our patient since March"
    """
    current = settings()
    code, display = _OUTCOMES[accepted]
    with client.consumer(current) as consumer, client.source(current) as source:
        letter = client.the_entry(consumer, identifier)
        author = replace(person(by), institutions=(organisation,))
        now = datetime.now(UTC)
        entry = replace(
            letter,
            entry_uuid="Document01", unique_id=None, logical_id=None, version=None, availability_status=None,
            creation_time=f"{now:%Y%m%d%H%M%S}", service_start_time=None, service_stop_time=None,
            hash=None, size=None, repository_unique_id=None, legal_authenticator=None, uri=(),
            mime_type="text/plain", authors=(author,), title=_text(f"{display}: {shown_text(letter.title)}"[:127]),
            comments=_text(note) if note else (), event_codes=(Code(code, _SCHEME, _text(display)),),
            format_code=Code(_FORMAT[0], _FORMAT[1], _text(_FORMAT[2])),
        )  # fmt: skip
        told = [f"{display}: document {letter.unique_id}", f"by {by}, {organisation}", f"at {now:%Y-%m-%d %H:%M} UTC"]
        content = "\n".join([*told, *([note] if note else []), ""]).encode()
        link = Association("", type=AssociationType.APND, source="Document01", target=letter.entry_uuid)
        owner = SubmissionSet("", content_type_code=content_type(letter, current), authors=(author,), title=entry.title)
        submitted = source.submit(
            [NewDocument(content, "text/plain", entry)], submission_set=owner, associations=[link]
        )
    if as_json:
        print_json({"unique_id": submitted.document_unique_ids[0], "outcome": display.lower()})
    else:
        click.echo(f"{display}: {letter.unique_id}; the acknowledgement is {submitted.document_unique_ids[0]}.")
