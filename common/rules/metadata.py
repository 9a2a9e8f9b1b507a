"""Rules on single objects: required attributes, data types, lengths (ITI TF-3 4.2.3).

What a value must be is in the table of attributes; here it is only asked. An entry is judged by what it is, since
on-demand entries lack what only fixed bytes have.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from common.hl7 import types
from common.model import (
    Author,
    Code,
    DocumentEntry,
    Folder,
    LocalizedString,
    RegistryObject,
    Submission,
    SubmissionSet,
)
from common.rules.datatypes import CHECKS
from common.rules.objection import Objections
from common.standard.attributes import ATTRIBUTES, Attribute, By, Place

MAX_SLOT_VALUE: Final = 256  # rim:LongName
MAX_LOCALIZED: Final = 1024  # rim:FreeFormText
# Titles: fewer than 128 characters for an entry, at most 256 elsewhere (ITI TF-3 4.2.3.2.27, 4.2.3.3.10).
MAX_TITLE: Final[dict[type[RegistryObject], int]] = {DocumentEntry: 127, SubmissionSet: 255, Folder: 256}

_Row = tuple[Attribute, types.Check | None, bool, bool]


def _rows(kind: type[RegistryObject], mode: By) -> tuple[_Row, ...]:
    """Each attribute with its check, and whether it is required or forbidden: asked once, not per message."""
    return tuple(
        (row, CHECKS.get(row.type), bool(row.required & mode), bool(row.forbidden & mode)) for row in ATTRIBUTES[kind]
    )


_TABLES: Final = {(kind, mode): _rows(kind, mode) for kind in ATTRIBUTES for mode in (By.REGISTER, By.ON_DEMAND)}


def attributes_are_there_and_well_formed(submission: Submission) -> Objections:
    """Every attribute that an object of its kind must have is there, and each has its data type."""
    for item in submission.objects():
        for what in _attributes(item, _mode(item)):
            yield item.entry_uuid, what


def _mode(item: RegistryObject) -> By:
    return By.ON_DEMAND if isinstance(item, DocumentEntry) and not item.is_stable else By.REGISTER


def _attributes(item: RegistryObject, mode: By) -> Iterator[str]:
    for row, check, required, forbidden in _TABLES[type(item), mode]:
        value = getattr(item, row.field)
        if not value:
            if required:
                yield f"{row.name} is missing"
        elif forbidden:
            yield f"{row.name} must not be there for this kind of entry"
        elif check is not None:
            for one in value if row.many else (value,):
                if problem := _problem(row, one, check):
                    yield problem
        elif row.place is Place.AUTHOR:
            yield from (problem for author in value if (problem := author_problem(author)))
        else:
            yield from _codes(row, value)


def _problem(row: Attribute, value: str, check: types.Check) -> str | None:
    if len(value) > MAX_SLOT_VALUE:
        return f"{row.name} has a value of {len(value)} characters; at most {MAX_SLOT_VALUE} are allowed"
    problem = check(value)
    return f"{row.name} {problem}" if problem else None


def _codes(row: Attribute, value: Code | tuple[Code, ...]) -> Iterator[str]:
    for code in (value,) if isinstance(value, Code) else value:
        if len(code.code) > MAX_SLOT_VALUE or len(code.scheme) > MAX_SLOT_VALUE:
            yield f"{row.name} has a code or codingScheme of more than {MAX_SLOT_VALUE} characters"
        yield from _strings(f"the display name of {row.name}", code.display, MAX_LOCALIZED)


@lru_cache(maxsize=4096)
def author_problem(author: Author) -> str | None:
    """At least one of person, institution, telecommunication; each of its type (4.2.3.2.1)."""
    if not (author.person or author.institutions or author.telecommunications):
        return "author must have an authorPerson, an authorInstitution or an authorTelecommunication"
    found: list[tuple[str, str, types.Check]] = [("authorPerson", author.person, types.xcn)] if author.person else []
    found += [("authorInstitution", value, types.xon) for value in author.institutions]
    found += [("authorTelecommunication", value, types.xtn) for value in author.telecommunications]
    found += [("authorRole", value, types.text) for value in author.roles]
    found += [("authorSpecialty", value, types.text) for value in author.specialties]
    for name, value, check in found:
        if len(value) > MAX_SLOT_VALUE:
            return f"{name} has a value of more than {MAX_SLOT_VALUE} characters"
        if problem := check(value):
            return f"{name} {problem}"
    return None


def _strings(what: str, strings: tuple[LocalizedString, ...], limit: int) -> Iterator[str]:
    for text in strings:
        if len(text.value) > limit:
            yield f"{what} has {len(text.value)} characters; at most {limit} are allowed"


def texts_are_short_enough(submission: Submission) -> Objections:
    """Titles and comments fit (ITI TF-3 Tables 4.2.3.2-1, 4.2.3.3-1, 4.2.3.4-1)."""
    for item in submission.objects():
        yield from ((item.entry_uuid, what) for what in _strings("comments", item.comments, MAX_LOCALIZED))
        limit = MAX_TITLE.get(type(item), MAX_LOCALIZED)
        yield from ((item.entry_uuid, what) for what in _strings("title", item.title, limit))
        if isinstance(item, Folder) and not item.title:
            yield item.entry_uuid, "title is missing: a Folder has a name"


def service_starts_before_it_stops(submission: Submission) -> Objections:
    """serviceStartTime ≤ serviceStopTime, at the shorter precision of the two (4.2.3.2.19)."""
    for entry in submission.entries:
        start, stop = entry.service_start_time or "", entry.service_stop_time or ""
        digits = min(len(start), len(stop))
        if start[:digits] > stop[:digits]:
            yield entry.entry_uuid, "serviceStartTime must not be after serviceStopTime"


def extra_metadata_have_names_of_their_own(submission: Submission) -> Objections:
    """A Slot that the standard does not name has a URN for a name, and not one of IHE's (4.2.3.1.6)."""
    for item in submission.objects():
        for name, values in item.extra_slots.items():
            if not name.startswith("urn:") or name.startswith("urn:ihe:"):
                yield item.entry_uuid, f"Slot {name[:80]!r} is not known, and is not a URN of your own"
            elif any(len(value) > MAX_SLOT_VALUE for value in values):
                yield item.entry_uuid, f"Slot {name[:80]!r} has a value of more than {MAX_SLOT_VALUE} characters"


def nothing_is_limited_metadata(submission: Submission) -> Objections:
    """XDS wants complete metadata; limited ones belong to XDR, XDM and MHD (4.2.1.5)."""
    filed: list[SubmissionSet | DocumentEntry | Folder] = [
        *submission.submission_sets,
        *submission.entries,
        *submission.folders,
    ]
    for item in filed:
        if item.limited_metadata:
            yield item.entry_uuid, "limited metadata cannot be registered here"


def ids_are_symbolic_or_uuids(submission: Submission) -> Objections:
    """An id is a symbolic name or ``urn:uuid:`` in lower case (ITI TF-3 4.1.12.3)."""
    for item in submission.objects():
        if not item.entry_uuid:
            yield "", f"an object of type {type(item).__name__} has no id"
        elif not item.is_symbolic and not types.is_uuid(item.entry_uuid):
            yield item.entry_uuid[:80], "an id that begins with urn:uuid: must be a UUID"
        elif len(item.entry_uuid) > MAX_SLOT_VALUE:
            yield item.entry_uuid[:80], f"an id must be at most {MAX_SLOT_VALUE} characters"
