"""ITI-41 through the client: what is registered, what is refused, and what happens when the answer is lost."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from common.client import (
    ContentUnreadable,
    FaultReceived,
    NotReached,
    OutcomeUnknown,
    SubmissionRefused,
    new_message_id,
)
from common.model import AssociationType, AvailabilityStatus, SubmissionSet
from tests.factories import a_folder, a_link, a_patient_id, a_uuid, an_oid
from tests.servers.line import Line
from tests.service.client_kit import a_consumer, a_new_document, a_source
from tests.wire import Services


def test_what_is_submitted_can_be_found_and_is_complete(services: Services, tmp_path: Path) -> None:
    patient = a_patient_id()
    file = tmp_path / "letter"
    file.write_bytes(b"from a file")
    documents = [
        a_new_document(b"from memory", patient_id=patient),
        a_new_document(file, patient_id=patient, entry_uuid="", unique_id=None),
        a_new_document(io.BytesIO(b"from an open file"), patient_id=patient),
    ]
    with a_source(services.repository) as source, a_consumer(services) as consumer:
        submitted = source.submit(documents)
        found = {entry.unique_id: entry for entry in consumer.find(patient)}
        contents = {each.entry.unique_id: each.content for each in consumer.fetch(found.values())}

    assert list(submitted.document_unique_ids) == [name for name in submitted.document_unique_ids if name in found]
    assert [contents[name] for name in submitted.document_unique_ids] == [
        b"from memory",
        b"from a file",
        b"from an open file",
    ]
    first, sent = found[submitted.document_unique_ids[0]], documents[0].entry
    known = {name: getattr(first, name) for name in ("entry_uuid", "logical_id", "version", "availability_status")}
    stored = {name: getattr(first, name) for name in ("hash", "size", "repository_unique_id", "home_community_id")}
    assert first == replace(sent, mime_type="text/plain", **known, **stored)


def test_the_submission_set_is_found_by_the_id_that_was_told(services: Services) -> None:
    with a_source(services.repository) as source, a_consumer(services) as consumer:
        submitted = source.submit([a_new_document(patient_id=a_patient_id())])
        name = "$XDSSubmissionSetUniqueId"
        result = consumer.query("GetSubmissionSetAndContents", {name: submitted.submission_set_unique_id})

    assert [each.unique_id for each in result.submission_sets] == [submitted.submission_set_unique_id]
    assert [each.unique_id for each in result.entries] == list(submitted.document_unique_ids)
    assert result.associations


def test_folders_and_their_content_are_registered(services: Services) -> None:
    patient = a_patient_id()
    folder = a_folder(entry_uuid="", unique_id=None, patient_id=None)
    link = a_link(AssociationType.HAS_MEMBER, "Folder01", "letter")
    document = a_new_document(patient_id=patient, entry_uuid="letter")
    with a_source(services.repository) as source, a_consumer(services) as consumer:
        source.submit([document], folders=[folder], associations=[link])
        [entry] = consumer.find(patient)
        result = consumer.query("GetFoldersForDocument", {"$XDSDocumentEntryEntryUUID": entry.entry_uuid})

    assert [each.codes for each in result.folders] == [folder.codes]


def test_a_replacement_deprecates_what_it_replaces(services: Services) -> None:
    patient = a_patient_id()
    with a_source(services.repository) as source, a_consumer(services) as consumer:
        source.submit([a_new_document(patient_id=patient)])
        [old] = consumer.find(patient)
        newer = a_new_document(b"newer", patient_id=patient)
        source.submit([newer], replaces={newer.entry.unique_id or "": old.entry_uuid})
        [current] = consumer.find(patient)
        [before] = consumer.find(patient, status=AvailabilityStatus.DEPRECATED)

    assert current.unique_id == newer.entry.unique_id
    assert before.entry_uuid == old.entry_uuid


def test_a_refusal_carries_the_error_list(services: Services) -> None:
    message_id = new_message_id()
    wrong = a_new_document(patient_id=a_patient_id(), language_code="Klingon!")
    with a_source(services.repository) as source, pytest.raises(SubmissionRefused) as told:
        source.submit([wrong], replaces={0: a_uuid()}, message_id=message_id)

    assert {error.code for error in told.value.errors} >= {"UnresolvedReferenceException"}
    assert all(error.context for error in told.value.errors)
    assert told.value.message_id == message_id


def test_nobody_there_means_that_nothing_was_sent() -> None:
    with a_source("http://127.0.0.1:9/repository") as source, pytest.raises(NotReached):
        source.submit([a_new_document()])


def test_a_fault_is_told_as_one(services: Services) -> None:
    with a_source(services.registry) as source, pytest.raises(FaultReceived) as told:
        source.submit([a_new_document()])

    assert (told.value.code, told.value.subcode) == ("Sender", "ActionNotSupported")


def test_a_file_that_fails_while_it_is_sent_leaves_nothing_behind(services: Services) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 500_000:
                raise OSError("the disk is gone")
            return super().read(size)

    patient = a_patient_id()
    with a_source(services.repository) as source, a_consumer(services) as consumer:
        with pytest.raises(ContentUnreadable):
            source.submit([a_new_document(Failing(bytes(1_000_000)), patient_id=patient)])
        assert consumer.find(patient) == []
        source.submit([a_new_document(patient_id=patient)])
        assert len(consumer.find(patient)) == 1


@contextmanager
def a_line_to(url: str) -> Iterator[tuple[Line, str]]:
    """A line that can lose answers, and the address at its near end."""
    parts = urlsplit(url)
    assert parts.port is not None
    line = Line(parts.port)
    try:
        yield line, f"http://127.0.0.1:{line.port}{parts.path}"
    finally:
        line.close()


@pytest.mark.parametrize(
    "message_id", [lambda: None, a_uuid, lambda: f"urn:mine:{an_oid()}"], ids=["ours", "uuid", "own"]
)
@pytest.mark.parametrize("given_set", [True, False])
def test_a_lost_answer_is_settled_by_sending_again(
    services: Services, message_id: Callable[[], str | None], given_set: bool
) -> None:
    """The first answer is lost on the way, so the source cannot know; the second says what came of the first."""
    patient = a_patient_id()
    document = a_new_document(patient_id=patient, entry_uuid="", unique_id=None)
    owner = SubmissionSet("", content_type_code=document.entry.type_code) if given_set else None
    with a_line_to(services.repository) as (line, url), a_source(url) as source, a_consumer(services) as consumer:
        line.answer_limit = 0
        with pytest.raises(OutcomeUnknown) as told:
            source.submit([document], submission_set=owner, message_id=message_id())
        line.answer_limit = -1

        again = source.submit([document], submission_set=owner, message_id=told.value.message_id)

        [entry] = consumer.find(patient)
        assert entry.unique_id == again.document_unique_ids[0]
        assert again.message_id == told.value.message_id
        with consumer.open(entry) as stream:
            assert b"".join(stream) == b"A letter."


def test_another_process_can_send_it_again(services: Services) -> None:
    """What was made with the submission follows from the message id, which outlives the process."""
    patient = a_patient_id()
    document = a_new_document(patient_id=patient, entry_uuid="", unique_id=None)
    with a_source(services.repository) as source:
        first = source.submit([document])
    with a_source(services.repository) as another, a_consumer(services) as consumer:
        assert another.submit([document], message_id=first.message_id) == first
        assert len(consumer.find(patient)) == 1
