"""ITI-18 and ITI-51 through the client."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from common.client import NotReached, QueryRefused
from common.client.consumer import DocumentConsumer
from common.model import AvailabilityStatus, Code, DocumentEntry
from common.standard.queries import BY_NAME
from tests.factories import a_code, a_patient_id, a_uuid, an_author
from tests.service.client_kit import a_consumer, a_new_document, a_source
from tests.wire import Services

EVENT = a_code("233604007", display="Pneumonia")
REFERENCE = "8841^^^&2.999.1&ISO^urn:ihe:iti:xds:2013:order"


def submitted(services: Services, patient: str, **differs: object) -> str:
    """A registered document's uniqueId."""
    with a_source(services.repository) as source:
        return source.submit([a_new_document(patient_id=patient, **differs)]).document_unique_ids[0]


def names(entries: list[DocumentEntry]) -> list[str | None]:
    return [entry.unique_id for entry in entries]


def test_filters_narrow_what_is_found(services: Services) -> None:
    patient = a_patient_id()
    plain = submitted(services, patient, creation_time="20250101")
    rich = submitted(
        services,
        patient,
        creation_time="20260401120000",
        authors=(an_author(person="1^O'Brien^Niamh"),),
        reference_id_list=(REFERENCE,),
    )
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    with a_consumer(services) as consumer:
        entry = consumer.get(unique_ids=[rich])[0]
        assert entry.class_code is not None
        assert entry.type_code is not None
        for found, expected in (
            (consumer.find(patient), {plain, rich}),
            (consumer.find(patient, class_code=entry.class_code, type_code=[entry.type_code.key]), {plain, rich}),
            (consumer.find(patient, class_code=Code("none", "1.2")), set()),
            (consumer.find(patient, creation_time_from=moment), {rich}),
            (consumer.find(patient, creation_time_to="2026"), {plain}),
            (consumer.find(patient, author_person="%O'Brien%"), {rich}),
            (consumer.find(patient, reference_id=REFERENCE), {rich}),
            (consumer.find(patient, reference_id=[[REFERENCE], ["none^^^&1.2&ISO^x"]]), set()),
            (consumer.find(patient, status=AvailabilityStatus.DEPRECATED), set()),
            (consumer.find(patient, status=list(AvailabilityStatus)), {plain, rich}),
            (consumer.find(patient, object_type=entry.object_type, metadata_level=1), {plain, rich}),
        ):
            assert set(names(found)) == expected


def test_many_values_go_into_several_lists(services: Services) -> None:
    patient = a_patient_id()
    name = submitted(services, patient)
    with a_consumer(services) as consumer:
        codes = [Code(f"none-{n}-{'x' * 60}", "1.2.3") for n in range(200)]
        [entry] = consumer.get(unique_ids=[f"1.2.3.{n}" for n in range(400)] + [name])
        assert entry.type_code is not None
        assert names(consumer.find(patient, type_code=[*codes, entry.type_code])) == [name]
        assert consumer.find(patient, type_code=codes) == []


def test_entries_are_got_by_either_id(services: Services) -> None:
    patient = a_patient_id()
    one, two = submitted(services, patient), submitted(services, patient)
    with a_consumer(services) as consumer:
        [first] = consumer.get(unique_ids=one)
        assert consumer.get(entry_uuids=[first.entry_uuid]) == [first]
        both = consumer.get(unique_ids=[one, two], entry_uuids=[first.entry_uuid, a_uuid()])
        assert set(names(both)) == {one, two}
        assert len(both) == 2
        assert consumer.get() == []


def test_ids_alone_can_be_asked_for(services: Services) -> None:
    patient = a_patient_id()
    submitted(services, patient)
    asked = {"$XDSDocumentEntryPatientId": patient, "$XDSDocumentEntryStatus": [AvailabilityStatus.APPROVED]}
    with a_consumer(services) as consumer:
        [entry] = consumer.find(patient)
        for name in ("FindDocuments", BY_NAME["FindDocuments"].id):
            result = consumer.query(name, asked, leaf=False)
            assert result.object_refs == [entry.entry_uuid]
            assert result.is_complete
            assert result.objects() == []


def test_several_patients_can_be_asked_about(services: Services) -> None:
    patients = [a_patient_id(), a_patient_id()]
    expected = {submitted(services, patient) for patient in patients}
    asked = {"$XDSDocumentEntryPatientId": patients, "$XDSDocumentEntryStatus": AvailabilityStatus.APPROVED}
    with a_consumer(services) as consumer:
        result = consumer.query("FindDocumentsForMultiplePatients", asked)
    assert set(names(result.entries)) == expected


def test_a_refused_query_carries_the_error_list(services: Services) -> None:
    with a_consumer(services) as consumer:
        with pytest.raises(QueryRefused) as told:
            consumer.query("FindDocuments", {})
        assert [error.code for error in told.value.errors].count("XDSStoredQueryMissingParam") == 2
        with pytest.raises(QueryRefused) as told:
            consumer.query("urn:uuid:00000000-0000-4000-8000-000000000000", {})
        assert [error.code for error in told.value.errors] == ["XDSUnknownStoredQuery"]


def test_a_query_that_nobody_knows_by_name_is_not_sent() -> None:
    with DocumentConsumer("http://127.0.0.1:9/registry", {}) as consumer:
        with pytest.raises(ValueError, match="FindDocuments"):
            consumer.query("FindEverything", {})
        with pytest.raises(NotReached):
            consumer.find(a_patient_id())


def test_one_consumer_and_one_source_serve_many_threads(services: Services) -> None:
    patients = [a_patient_id() for _ in range(24)]

    def there_and_back(patient: str) -> list[bytes]:
        content = patient.encode()
        source.submit([a_new_document(content, patient_id=patient)])
        return [document.content for document in consumer.fetch(consumer.find(patient))]

    with a_source(services.repository) as source, a_consumer(services) as consumer, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(there_and_back, patients)) == [[patient.encode()] for patient in patients]
