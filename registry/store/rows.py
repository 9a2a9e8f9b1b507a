"""Registry objects as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from common.access.names import of_institution
from common.db.statement import joined
from common.ebxml.fragments import NewId, fragment
from common.hl7.types import dtm_complete
from common.model import Association, Author, Code, DocumentEntry, Folder, SubmissionSet

Values = dict[str, Any]


def _key(code: Code | None) -> str:
    return code.key if code else ""


def _time(value: str | None) -> str | None:
    """Times are searched to the second; the fragment keeps them as submitted."""
    return dtm_complete(value) if value else None


def _persons(authors: tuple[Author, ...]) -> str | None:
    return joined([author.person for author in authors if author.person])


def organisations(authors: tuple[Author, ...]) -> str:
    """The organisations of some authors, each once, in order; empty where they name none."""
    named = {of_institution(each) for author in authors for each in author.institutions}
    return joined(sorted(filter(None, named))) or ""


def marks(entry: DocumentEntry) -> tuple[str, str, str, str]:
    """What access to an entry depends on, as its columns have it: class, type, confidentiality, organisations."""
    confidentiality = joined([code.key for code in entry.confidentiality_codes]) or ""
    return _key(entry.class_code), _key(entry.type_code), confidentiality, organisations(entry.authors)


def entry_row(entry: DocumentEntry, new_id: NewId) -> Values:
    """A row of ``entry``."""
    return {
        "patient_id": entry.patient_id,
        "entry_uuid": entry.entry_uuid,
        "logical_id": entry.logical_id,
        "version": entry.version,
        "is_latest": 1,
        "unique_id": entry.unique_id,
        "object_type": entry.object_type.value,
        "availability_status": entry.availability_status,
        "document_availability": entry.document_availability,
        "repository_unique_id": entry.repository_unique_id,
        "hash": entry.hash.lower() if entry.hash else None,
        "size": entry.size,
        "class_code": _key(entry.class_code),
        "type_code": _key(entry.type_code),
        "format_code": _key(entry.format_code),
        "practice_setting_code": _key(entry.practice_setting_code),
        "healthcare_facility_type_code": _key(entry.healthcare_facility_type_code),
        "confidentiality_codes": joined([code.key for code in entry.confidentiality_codes]),
        "event_codes": joined([code.key for code in entry.event_codes]),
        "creation_time": _time(entry.creation_time),
        "service_start_time": _time(entry.service_start_time),
        "service_stop_time": _time(entry.service_stop_time),
        "author_persons": _persons(entry.authors),
        "reference_id_list": joined(entry.reference_id_list),
        "ebrim": fragment(entry, new_id),
        "author_organisations": organisations(entry.authors),
    }


def submission_set_row(item: SubmissionSet, message_id: str | None, digest: str, now: str, new_id: NewId) -> Values:
    """A row of ``submission_set``, with what is needed to know the same message again."""
    return {
        "patient_id": item.patient_id,
        "entry_uuid": item.entry_uuid,
        "unique_id": item.unique_id,
        "source_id": item.source_id,
        "submission_time": _time(item.submission_time),
        "content_type_code": _key(item.content_type_code),
        "author_persons": _persons(item.authors),
        "availability_status": item.availability_status,
        "message_id": message_id,
        "message_digest": digest,
        "registered_at": now,
        "ebrim": fragment(item, new_id),
    }


def folder_row(item: Folder, new_id: NewId) -> Values:
    """A row of ``folder``."""
    return {
        "patient_id": item.patient_id,
        "entry_uuid": item.entry_uuid,
        "logical_id": item.logical_id,
        "version": item.version,
        "is_latest": 1,
        "unique_id": item.unique_id,
        "availability_status": item.availability_status,
        "last_update_time": item.last_update_time,
        "codes": joined([code.key for code in item.codes]),
        "ebrim": fragment(item, new_id),
    }


def association_row(item: Association, patient_id: str, new_id: NewId) -> Values:
    """A row of ``association``; it lies with the patient of its submission."""
    return {
        "patient_id": patient_id,
        "entry_uuid": item.entry_uuid,
        "type": item.type.value,
        "source": item.source,
        "target": item.target,
        "availability_status": item.availability_status,
        "ebrim": fragment(item, new_id),
    }


def identifier_rows(items: Sequence[SubmissionSet | DocumentEntry | Folder], submitted: frozenset[str]) -> list[Values]:
    """Names that are unique in the whole registry: uniqueIds, and UUIDs that came with the message."""
    rows = []
    for item in items:
        row: Values = {
            "kind": type(item).__name__,
            "patient_id": item.patient_id,
            "entry_uuid": item.entry_uuid,
            "hash": None,
            "size": None,
        }
        if isinstance(item, DocumentEntry):
            row |= {"hash": item.hash.lower() if item.hash else None, "size": item.size}
        rows.append({**row, "value": item.unique_id})
        if item.entry_uuid in submitted:
            rows.append({**row, "value": item.entry_uuid})
    return rows


def association_identifiers(items: list[Association], submitted: frozenset[str], patient_id: str) -> list[Values]:
    """UUIDs that came with the message for Associations."""
    return [
        {
            "value": item.entry_uuid,
            "kind": "Association",
            "patient_id": patient_id,
            "entry_uuid": item.entry_uuid,
            "hash": None,
            "size": None,
        }
        for item in items
        if item.entry_uuid in submitted
    ]
