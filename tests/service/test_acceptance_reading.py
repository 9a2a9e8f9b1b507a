"""What means the same is read as the same: UUIDs in capitals, names that are empty."""

from __future__ import annotations

import re

import pytest

from common.standard.transactions import ITI_41
from tests.factories import HAS_MEMBER, a_document, a_folder, a_link, a_patient_id, a_submission, a_uuid
from tests.wire import Services, answer, document_elements, envelope, mtom, provide_body

STABLE = "urn:uuid:7EDCA82F-054D-47F2-A032-9B2A5B5186C1"
UUID = re.compile(rb"urn:uuid:[0-9a-f-]{36}")


def in_capitals(data: bytes) -> bytes:
    """The same with all UUIDs in capitals."""
    return UUID.sub(lambda found: b"urn:uuid:" + found[0][9:].upper(), data)


def test_uuids_in_capitals_name_the_same_things(services: Services) -> None:
    patient = a_patient_id()
    entry = a_document(patient_id=patient, entry_uuid=a_uuid(), hash=None, size=None)
    folder = a_folder(patient_id=patient, entry_uuid=a_uuid())
    whole = a_submission(entry, folder, a_link(HAS_MEMBER, folder, entry))
    body = in_capitals(provide_body(whole, b""))
    documents = document_elements({entry.entry_uuid: "d@source.example"})
    body = body.replace(b"</xds:ProvideAnd", documents + b"</xds:ProvideAnd")

    kind, data = mtom(envelope(ITI_41, body), {"d@source.example": b"content"})
    found = answer(services.post(services.repository, data, kind))

    assert found.registry_status == "Success", found.contexts
    assert services.find(patient, Type=f"('{STABLE}')").ids() == [entry.entry_uuid]
    assert services.retrieve(entry.unique_id or "").documents() == {entry.unique_id: b"content"}


@pytest.mark.parametrize("empty", ["''", "('')", "()"])
@pytest.mark.parametrize("name", ["EntryUUID", "UniqueId"])
def test_who_names_nothing_is_told_what_is_missing(services: Services, name: str, empty: str) -> None:
    found = services.query("GetDocuments", {f"$XDSDocumentEntry{name}": empty})

    assert found.codes == ["XDSStoredQueryMissingParam"]
    assert f"$XDSDocumentEntry{name}" in found.contexts[0]
