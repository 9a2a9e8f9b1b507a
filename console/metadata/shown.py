"""Registry objects as JSON and as a person reads them."""

from __future__ import annotations

from dataclasses import fields
from enum import Enum
from typing import Any

from common.model import (
    Association,
    Author,
    Code,
    DocumentEntry,
    Folder,
    LocalizedString,
    RegistryObject,
    SubmissionSet,
)
from common.standard.attributes import ATTRIBUTES
from console.metadata.people import patient_number, shown_organisation, shown_person, shown_text
from console.output import shown_bytes, shown_time, spaced_nhs_number

_TIMES = frozenset({"creation_time", "service_start_time", "service_stop_time", "submission_time", "last_update_time"})
_TITLES = {DocumentEntry: "Document", SubmissionSet: "Submission set", Folder: "Folder", Association: "Association"}


def as_json(value: Any) -> Any:
    """A value of the model as JSON has it, complete; names are those of the model."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: as_json(getattr(value, field.name)) for field in fields(value)}
    return value


def kind_of(item: RegistryObject) -> str:
    """What it is, for a person."""
    return _TITLES[type(item)]


def as_read(item: RegistryObject) -> list[tuple[str, str]]:
    """Name and value of all that an object says, in the order of the standard's table."""
    found = [("title", shown_text(item.title)), ("comments", shown_text(item.comments))]
    found += [("status", item.availability_status.name.lower() if item.availability_status else "")]
    if isinstance(item, Association):
        found += [("type", item.type.name), ("from", item.source), ("to", item.target)]
    for row in ATTRIBUTES[type(item)]:
        value = getattr(item, row.field)
        if row.field == "authors":
            found += [pair for author in value for pair in _author(author)]
        else:
            found += [(row.name, _shown(row.field, one)) for one in (value if isinstance(value, tuple) else (value,))]
    found += [(name, ", ".join(values)) for name, values in item.extra_slots.items()]
    found += [("entryUUID", item.entry_uuid), ("logicalID", item.logical_id or "")]
    if item.version is not None:
        found.append(("version", str(item.version)))
    return [(name, value) for name, value in found if value]


def _author(author: Author) -> list[tuple[str, str]]:
    named = [("author", shown_person(author.person))]
    named += [("author's organisation", shown_organisation(one)) for one in author.institutions]
    named += [("author's role", one) for one in author.roles]
    named += [("author's specialty", one) for one in author.specialties]
    return named + [("author's contact", one) for one in author.telecommunications]


def _shown(field: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Code):
        return f"{value.label} ({value.key})"
    if isinstance(value, LocalizedString):
        return value.value
    if field in _TIMES:
        return f"{shown_time(value)} UTC" if len(value) > 8 else shown_time(value)
    if field == "patient_id":
        return f"{spaced_nhs_number(patient_number(value))} ({value})"
    if field == "size" and str(value).isdigit():
        return f"{value} bytes ({shown_bytes(int(value))})"
    return shown_person(value) if field == "legal_authenticator" else str(value)
