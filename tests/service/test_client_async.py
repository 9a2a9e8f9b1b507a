"""The Python client with an AsyncReceiver: everything works as it does synchronously, answered elsewhere."""

from __future__ import annotations

import pytest

from common.client import AsyncReceiver, DocumentConsumer, DocumentSource, OutcomeUnknown, SubmissionRefused
from tests.factories import SOURCE_ID, a_patient_id
from tests.service.client_kit import a_new_document
from tests.wire import Services


def test_submit_find_and_fetch_are_answered_at_the_receiver(services: Services) -> None:
    patient = a_patient_id()
    content = b"A letter." * 300_000
    with (
        AsyncReceiver(patience=30) as receiver,
        DocumentSource(services.repository, source_id=SOURCE_ID, receiver=receiver) as source,
        DocumentConsumer(
            services.registry, {services.repository_id: services.repository}, receiver=receiver
        ) as consumer,
    ):
        submitted = source.submit([a_new_document(content, patient_id=patient)])
        [entry] = consumer.find(patient)
        [document] = list(consumer.fetch([entry]))
        with consumer.open(entry) as stream:
            opened = b"".join(stream)

    assert entry.unique_id == submitted.document_unique_ids[0]
    assert (document.content, document.sha1_ok, opened) == (content, True, content)


def test_a_refusal_is_one_however_it_comes(services: Services) -> None:
    with (
        AsyncReceiver(patience=30) as receiver,
        DocumentSource(services.repository, source_id=SOURCE_ID, receiver=receiver) as source,
        pytest.raises(SubmissionRefused) as caught,
    ):
        source.submit([a_new_document(patient_id="nonsense")])

    assert caught.value.errors


def test_a_submission_whose_answer_does_not_come_can_be_settled_synchronously(services: Services) -> None:
    patient = a_patient_id()
    document = a_new_document(patient_id=patient)
    # An address of this machine where nobody listens: the answer waits in the outbox.
    with (
        AsyncReceiver(patience=0.3, url="http://127.0.0.1:1/answers") as receiver,
        DocumentSource(services.repository, source_id=SOURCE_ID, receiver=receiver) as source,
        pytest.raises(OutcomeUnknown) as caught,
    ):
        source.submit([document])

    with DocumentSource(services.repository, source_id=SOURCE_ID) as source:
        settled = source.submit([document], message_id=caught.value.message_id)
    assert len(services.find(patient).ids()) == len(settled.document_unique_ids) == 1
