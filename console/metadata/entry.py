"""Builds a DocumentEntry and its SubmissionSet from values, or says all that is missing or wrong."""

from __future__ import annotations

import mimetypes
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from common.codes import CodeSets
from common.hl7.identifiers import parse_cx
from common.model import Author, Code, DocumentEntry, LocalizedString, SubmissionSet
from common.rules.datatypes import CHECKS
from common.standard.attributes import ATTRIBUTES, By
from common.standard.nhs import nhs_number_problem
from console.metadata.fields import FIELDS, Field, Kind
from console.metadata.values import MetadataError, Value, Values, a_code, dtm, layered, resolved_code

# The Repository fills these in, and the client names the entry within its message.
_NOT_OURS: Final = frozenset({"hash", "size", "repositoryUniqueId"})
DEFAULT_SOURCE: Final = "2.999.826.3.1"
_ID_SPACE: Final = uuid.UUID("6d1d9b4c-59d0-5cf0-9a3b-0f4a1c5f7e21")

_USUAL: Final[Values] = {
    "language_code": ("en-GB",),
    "confidentiality_code": (a_code("N", "2.16.840.1.113883.5.25", "Normal"),),
    "format_code": (
        a_code("urn:ihe:iti:xds:2017:mimeTypeSufficient", "1.3.6.1.4.1.19376.1.2.3", "mimeType Sufficient"),
    ),
    "source_id": (DEFAULT_SOURCE,),
}


@dataclass(frozen=True)
class Domain:
    """What values are read by: the domain's codes, its patient authority, and whether test numbers are right.

    ``lookup`` gives the domain's id (CX) to one of another authority, or raises ``UnknownPatient``.
    """

    codes: CodeSets
    authority: str
    test_numbers: bool = True
    lookup: Callable[[str], str] | None = None


class UnknownPatient(ValueError):  # noqa: N818
    """Nobody knows which patient of the domain an id of another authority means."""


def usual(file: Path) -> Values:
    """What is taken where nothing is said: by the file's name and age, or as most letters have it."""
    mime_type, _ = mimetypes.guess_type(file.name)
    if mime_type == "application/xml":
        mime_type = "text/xml"  # as XDS names CDA
    written = datetime.fromtimestamp(file.stat().st_mtime, UTC).strftime("%Y%m%d%H%M%S")
    return {**_USUAL, "mime_type": (mime_type,) if mime_type else (), "creation_time": (written,)}


def derived_unique_id(sha256: str, patient_id: str) -> str:
    """The uniqueId of a content and a patient, always the same: an OID that stands for a UUID (ITU-T X.667)."""
    return f"2.25.{uuid.uuid5(_ID_SPACE, f'{sha256} {patient_id}').int}"


def build(values: Values, domain: Domain, sha256: str) -> tuple[DocumentEntry, SubmissionSet]:
    """The entry and the SubmissionSet for it; MetadataError with everything that is wrong."""
    problems: list[str] = []
    taken = layered(values, _local_id(values, domain), _USUAL)
    read = {key: _read(FIELDS[key], given, domain, problems) for key, given in taken.items()}
    entry = _entry(read)
    if entry.patient_id and not entry.unique_id:
        entry.unique_id = derived_unique_id(sha256, entry.patient_id)
    content_type = _first(read, "content_type_code") or content_type_of(entry, domain.codes)
    if content_type is None:
        problems.append(_missing(FIELDS["content_type_code"]))
    problems += _objections(entry, {problem.partition(" ")[0] for problem in problems})
    if problems:
        raise MetadataError(problems)
    return entry, _submission_set(entry, content_type, _first(read, "source_id"))


def amended(entry: DocumentEntry, values: Values, domain: Domain) -> DocumentEntry:
    """The entry with some of its attributes as values have them; MetadataError with everything that is wrong."""
    problems: list[str] = []
    read = {key: _read(FIELDS[key], given, domain, problems) for key, given in values.items()}
    said = _entry(read)
    changed = replace(entry)
    for key in read:
        for name in _ATTRIBUTES_OF.get(key, (key,)):
            setattr(changed, name, getattr(said, name))
    if "patient" in read and "source_patient_id" not in read:
        changed.source_patient_id = entry.source_patient_id
    if problems:
        raise MetadataError(problems)
    return changed


_ATTRIBUTES_OF: Final = {
    "patient": ("patient_id",),
    "reference_id": ("reference_id_list",),
    "confidentiality_code": ("confidentiality_codes",),
    "event_code": ("event_codes",),
    **{f"author_{part}": ("authors",) for part in ("person", "institution", "role", "specialty", "telecommunication")},
}


def _read(field: Field, given: tuple[Value, ...], domain: Domain, problems: list[str]) -> tuple[Any, ...]:
    found = []
    for value in given:
        try:
            found.append(_converted(field, value, domain))
        except ValueError as error:
            problems.append(f"{field.attribute} {error}.")
    return tuple(found)


def _converted(field: Field, value: Value, domain: Domain) -> str | Code:
    if field.kind is Kind.CODE:
        return resolved_code(field, value, domain.codes)
    if isinstance(value, Code):
        raise ValueError("must be a text")
    if field.kind is Kind.TIME:
        return dtm(value)
    return patient_id(value, domain) if field.kind is Kind.PATIENT else value


def patient_id(value: str, domain: Domain) -> str:
    """A patient's id as a CX, from that or from an NHS Number with or without spaces; ValueError if it is neither.

    One of another authority becomes the domain's, where that can be looked up.
    """
    if "^" in value:
        return domain.lookup(value) if domain.lookup and is_of_another(value, domain) else value
    number = value.replace(" ", "").replace("-", "")
    problem = nhs_number_problem(number, test_numbers=domain.test_numbers)
    if problem:
        raise ValueError(f"is wrong: {problem}")
    return f"{number}^^^&{domain.authority}&ISO"


def is_of_another(value: str, domain: Domain) -> bool:
    """Whether a text is a patient's id of another authority than the domain's."""
    try:
        return parse_cx(value).oid != domain.authority
    except ValueError:
        return False


def _local_id(values: Values, domain: Domain) -> Values:
    """An id of another authority is the patient's id where the document was written, too."""
    given = next(iter(values.get("patient", ())), None)
    if domain.lookup and isinstance(given, str) and is_of_another(given, domain):
        return {"source_patient_id": (given,)}
    return {}


def _first(read: dict[str, tuple[Any, ...]], key: str) -> Any:
    return next(iter(read.get(key, ())), None)


def _text(read: dict[str, tuple[Any, ...]], key: str) -> tuple[LocalizedString, ...]:
    value = _first(read, key)
    return (LocalizedString(value, "en-GB", "UTF-8"),) if value else ()


def _authors(read: dict[str, tuple[Any, ...]]) -> tuple[Author, ...]:
    author = Author(
        _first(read, "author_person"),
        read.get("author_institution", ()),
        read.get("author_role", ()),
        read.get("author_specialty", ()),
        read.get("author_telecommunication", ()),
    )
    return () if author == Author() else (author,)


_SAME_NAME: Final = (
    "unique_id",
    "creation_time",
    "language_code",
    "legal_authenticator",
    "service_start_time",
    "service_stop_time",
    "class_code",
    "format_code",
    "healthcare_facility_type_code",
    "practice_setting_code",
    "type_code",
)


def _entry(read: dict[str, tuple[Any, ...]]) -> DocumentEntry:
    entry = DocumentEntry("", mime_type=_first(read, "mime_type") or "", patient_id=_first(read, "patient"))
    for name in _SAME_NAME:
        setattr(entry, name, _first(read, name))
    entry.title, entry.comments = _text(read, "title"), _text(read, "comments")
    entry.source_patient_id = _first(read, "source_patient_id") or entry.patient_id
    entry.source_patient_info = read.get("source_patient_info", ())
    entry.reference_id_list = read.get("reference_id", ())
    entry.confidentiality_codes = read.get("confidentiality_code", ())
    entry.event_codes = read.get("event_code", ())
    entry.authors = _authors(read)
    return entry


def content_type_of(entry: DocumentEntry, codes: CodeSets) -> Code | None:
    """The typeCode or classCode, where it also says what the submission is about."""
    for code in (entry.type_code, entry.class_code):
        if code and codes.accepts("contentTypeCode", code.code, code.scheme):
            return code
    return None


def _submission_set(entry: DocumentEntry, content_type: Code | None, source_id: str) -> SubmissionSet:
    """Its id and time are the client's to make, from the MessageID, so that a repetition has the same ones."""
    return SubmissionSet(
        "", patient_id=entry.patient_id, source_id=source_id, content_type_code=content_type, authors=entry.authors
    )


def _missing(field: Field) -> str:
    return f"{field.attribute} is missing: give {field.option}, or {field.key} in a sidecar or defaults file."


def _objections(entry: DocumentEntry, told: set[str]) -> list[str]:
    """What the standard's table of attributes has against an entry, besides what is told already."""
    found = []
    by_attribute = {row.attribute: row for row in FIELDS.values()}
    for row in ATTRIBUTES[DocumentEntry]:
        value, check = getattr(entry, row.field), CHECKS.get(row.type)
        if row.name in _NOT_OURS or row.name in told:
            continue
        if not value and By.REGISTER in row.required:
            if row.name in by_attribute and row.name not in ("uniqueId", "sourcePatientId"):
                found.append(_missing(by_attribute[row.name]))
        elif value and check:
            values = value if isinstance(value, tuple) else (value,)
            found += [f"{row.name} {problem}." for one in values if (problem := check(one))]
    return found
