"""ITI-43 through the client: documents of several repositories at once, told apart from those that cannot be had."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from common.client import (
    ClientError,
    ContentMismatch,
    DocumentUnavailable,
    NotReached,
    UnknownRepository,
)
from common.model import DocumentEntry, RegistryError
from tests.factories import a_document, a_patient_id, an_oid
from tests.running import Running, a_pair
from tests.service.client_kit import a_consumer, a_new_document, a_source
from tests.wire import Services

SECOND = "2.999.826.1.2"


@pytest.fixture
def second(services: Services, tmp_path: Path) -> Iterator[Running]:
    """Another Repository on the same Registry."""
    pair = a_pair(tmp_path / "second", {"REGISTRY_URL": services.registry, "REPOSITORY_UID": SECOND})
    pair.repository.start()
    yield pair.repository
    pair.repository.kill()


def put(url: str, patient: str, *contents: bytes) -> None:
    with a_source(url) as source:
        source.submit([a_new_document(content, patient_id=patient) for content in contents])


def test_documents_come_from_whichever_repository_holds_them(services: Services, second: Running) -> None:
    patient = a_patient_id()
    put(services.repository, patient, b"first", b"", b"x" * 3_000_000)
    put(second.url, patient, b"second")
    with a_consumer(services, {SECOND: second.url}) as consumer:
        entries = consumer.find(patient)
        fetched = consumer.fetch(entries)
        documents = list(fetched)

    assert {entry.repository_unique_id for entry in entries} == {services.repository_id, SECOND}
    assert sorted(each.content for each in documents) == [b"", b"first", b"second", b"x" * 3_000_000]
    assert all(each.sha1_ok and each.size == len(each.content) for each in documents)
    assert {each.mime_type for each in documents} == {"text/plain"}
    assert fetched.errors == []


def test_a_repository_that_stands_still_spoils_nothing_else(services: Services, second: Running) -> None:
    patient = a_patient_id()
    put(services.repository, patient, b"here")
    put(second.url, patient, b"there", b"there too")
    with a_consumer(services, {SECOND: second.url}) as consumer:
        entries = consumer.find(patient)
        assert len(list(consumer.fetch(entries))) == 3
        second.stop()
        fetched = consumer.fetch(entries)
        [document] = list(fetched)

        assert document.content == b"here"
        assert {entry.repository_unique_id for entry, _ in fetched.errors} == {SECOND}
        assert [type(error) for _, error in fetched.errors] == [NotReached] * 2

        second.start()
        again = consumer.fetch([entry for entry, _ in fetched.errors])
        assert sorted(each.content for each in again) == [b"there", b"there too"]


def test_every_entry_ends_as_a_document_or_as_an_error(services: Services) -> None:
    patient = a_patient_id()
    put(services.repository, patient, b"here")
    with a_consumer(services, {"1.2.3": services.repository}) as consumer:
        [entry] = consumer.find(patient)
        unknown = a_document(repository_unique_id=services.repository_id, unique_id=an_oid())
        elsewhere = replace(entry, repository_unique_id="9.9.9", entry_uuid="a")
        nowhere = replace(entry, repository_unique_id=None, entry_uuid="b")
        astray = replace(entry, repository_unique_id="1.2.3", entry_uuid="c")
        twin = replace(entry, entry_uuid="d")
        fetched = consumer.fetch([entry, twin, unknown, elsewhere, nowhere, astray])
        documents = list(fetched)

    assert {each.entry.entry_uuid for each in documents} == {entry.entry_uuid, "d"}
    assert [each.content for each in documents] == [b"here", b"here"]
    told = {found.entry_uuid: code(error) for found, error in fetched.errors}
    assert told == {
        unknown.entry_uuid: "XDSDocumentUniqueIdError",
        "a": "UnknownRepository",
        "b": "UnknownRepository",
        "c": "XDSUnknownRepositoryId",
    }


def code(error: RegistryError | ClientError) -> str:
    return error.code if isinstance(error, RegistryError) else type(error).__name__


def test_bytes_that_are_not_those_of_the_entry_are_told(services: Services) -> None:
    patient = a_patient_id()
    put(services.repository, patient, b"here")
    with a_consumer(services) as consumer:
        [entry] = consumer.find(patient)
        for wrong, problem in ((replace(entry, hash="0" * 40), "SHA-1"), (replace(entry, size="5"), "4 bytes")):
            [document] = list(consumer.fetch([wrong]))
            assert not document.sha1_ok
            with consumer.open(wrong) as stream:
                pieces = iter(stream)
                assert next(pieces) == b"here"
                with pytest.raises(ContentMismatch, match=problem):
                    next(pieces)
        [document] = list(consumer.fetch([replace(entry, size=None, hash=None)]))
        assert document.sha1_ok


def test_a_fetch_can_be_left_early(services: Services) -> None:
    patient = a_patient_id()
    put(services.repository, patient, *[b"%d" % n for n in range(20)])
    with a_consumer(services) as consumer:
        entries = consumer.find(patient)
        with consumer.fetch(entries) as fetched:
            for document in fetched:
                assert document.sha1_ok
                break
        assert len(list(consumer.fetch(entries))) == 20
        assert list(consumer.fetch([])) == []


def test_a_document_that_cannot_be_had_cannot_be_opened(services: Services) -> None:
    def opened(entry: DocumentEntry) -> None:
        with consumer.open(entry):
            raise AssertionError("there is nothing to open")

    unknown = a_document(repository_unique_id=services.repository_id, unique_id=an_oid())
    with a_consumer(services, {"1.2.3": "http://127.0.0.1:9/"}) as consumer:
        with pytest.raises(DocumentUnavailable) as told:
            opened(unknown)
        assert [error.code for error in told.value.errors] == ["XDSDocumentUniqueIdError"]
        with pytest.raises(UnknownRepository, match=r"9\.9\.9"):
            opened(replace(unknown, repository_unique_id="9.9.9"))
        with pytest.raises(NotReached):
            opened(replace(unknown, repository_unique_id="1.2.3"))


def test_the_stream_of_a_document_can_be_left_early(services: Services) -> None:
    patient = a_patient_id()
    put(services.repository, patient, b"x" * 5_000_000)
    with a_consumer(services) as consumer:
        [entry] = consumer.find(patient)
        with consumer.open(entry) as stream:
            assert stream.size_expected == 5_000_000
            assert next(iter(stream))
        with consumer.open(entry) as stream:
            assert sum(map(len, stream)) == 5_000_000
