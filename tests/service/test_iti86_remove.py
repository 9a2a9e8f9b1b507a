"""ITI-86 at running services: each document goes for good, or its own error says why not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from common.ebxml.removal import write_remove_documents
from common.standard.transactions import ITI_86
from repository.storage import open_store
from tests.factories import a_submission, a_uuid, an_oid
from tests.running import Pair, a_pair
from tests.servers.fake_registry import FakeRegistry, passing_on, send
from tests.service.test_iti41_provide import PDF, a_letter, provided
from tests.wire import Answer, Services, answer, envelope, mtom, mtom_provide


def test_removed_documents_are_as_if_they_had_never_been(services: Services) -> None:
    first, second, kept = (provided(services) for _ in range(3))

    found = services.remove_documents(first.unique_id or "", second.unique_id or "")

    assert found.registry_status == "Success", found.contexts
    gone, unknown = services.retrieve(first.unique_id or ""), services.retrieve(name := an_oid())
    assert gone.codes == unknown.codes == ["XDSDocumentUniqueIdError"]
    told = [each.contexts[0].split("[")[0] for each in (gone, unknown)]
    assert told[0].replace(first.unique_id or "", "") == told[1].replace(name, "")
    assert services.retrieve(kept.unique_id or "").documents() == {kept.unique_id: PDF}


def test_each_document_has_its_own_error_and_the_others_go(services: Services) -> None:
    here, unknown = provided(services).unique_id or "", an_oid()

    partly = services.remove_documents(here, unknown)
    again = services.remove_documents(here, unknown)
    elsewhere = services.remove_documents(unknown, repository_id="2.999.826.1.99")
    nothing = services.simple(services.repository, envelope(ITI_86, write_remove_documents([])))

    assert (partly.registry_status, partly.codes) == ("PartialSuccess", ["XDSDocumentUniqueIdError"])
    assert unknown in partly.contexts[0]
    assert (again.registry_status, again.codes) == ("Failure", ["XDSDocumentUniqueIdError"] * 2)
    assert (elsewhere.registry_status, elsewhere.codes) == ("Failure", ["XDSUnknownRepositoryId"])
    assert (nothing.registry_status, nothing.codes) == ("Failure", ["XDSRemoveDocumentsError"])


def test_the_same_message_sent_again_gets_the_same_answer(services: Services) -> None:
    name, message = provided(services).unique_id or "", a_uuid()

    answers = [services.remove_documents(name, name, message_id=message) for _ in range(2)]

    assert [each.registry_status for each in answers] == ["Success"] * 2


def test_the_request_may_come_as_mtom(services: Services) -> None:
    from common.ebxml.retrieve import DocumentRequest

    name = provided(services).unique_id or ""
    body = write_remove_documents([DocumentRequest(services.repository_id, name)])
    kind, data = mtom(envelope(ITI_86, body), {})

    assert answer(services.post(services.repository, data, kind)).registry_status == "Success"


def test_a_late_retry_does_not_bring_a_document_back(services: Services) -> None:
    entry, message = a_letter(), a_uuid()
    kind, data = mtom_provide(a_submission(entry), {entry.entry_uuid: PDF}, message_id=message)
    assert answer(services.post(services.repository, data, kind)).registry_status == "Success"
    name = entry.unique_id or ""
    assert services.remove(*services.everything(entry.patient_id or "")).registry_status == "Success"
    assert services.remove_documents(name).registry_status == "Success"

    late = answer(services.post(services.repository, data, kind))
    anew = services.provide(a_submission(a_letter(unique_id=name, entry_uuid="Again")), {"Again": b"something else"})

    for found in (late, anew):
        assert found.codes == ["XDSRepositoryMetadataError"], found.contexts
        assert "was removed on 20" in found.contexts[0]
        assert name in found.contexts[0]
    assert services.everything(entry.patient_id or "") == []
    assert services.retrieve(name).codes == ["XDSDocumentUniqueIdError"]


def test_a_late_retry_does_not_bring_metadata_back_either(services: Services) -> None:
    entry, message = a_letter(), a_uuid()
    kind, data = mtom_provide(a_submission(entry), {entry.entry_uuid: PDF}, message_id=message)
    assert answer(services.post(services.repository, data, kind)).registry_status == "Success"
    assert services.remove(*services.everything(entry.patient_id or "")).registry_status == "Success"

    late = answer(services.post(services.repository, data, kind))

    assert set(late.codes) == {"XDSDuplicateUniqueIdInRegistry"}
    assert "was removed at" in late.contexts[0]
    assert services.everything(entry.patient_id or "") == []


@pytest.mark.parametrize("size", [1000, 3 * 2**20], ids=["small", "large"])
def test_r7_a_document_is_whole_or_gone_while_it_is_removed(services: Services, size: int) -> None:
    content = b"x" * size
    for _ in range(3):
        name = provided(services, content).unique_id or ""

        def ask(name: str = name) -> list[Answer]:
            own = services.apart()
            return [own.retrieve(name) for _ in range(6)]

        with ThreadPoolExecutor(3) as pool:
            asked = [pool.submit(ask) for _ in range(2)]
            removed = pool.submit(services.apart().remove_documents, name).result()
            answers = [each for one in asked for each in one.result()]

        assert removed.registry_status == "Success", removed.contexts
        for found in answers:
            if found.registry_status == "Success":
                assert found.documents() == {name: content}
            else:
                assert set(found.codes) <= {"XDSDocumentUniqueIdError", "XDSRepositoryBusy"}, found.contexts
        assert services.retrieve(name).codes == ["XDSDocumentUniqueIdError"]


def test_a_document_whose_registration_is_in_doubt_is_asked_about_first(services: Services, tmp_path: Path) -> None:
    pair = a_pair(tmp_path, {"SWEEP_EVERY": "1h", "SWEEP_AFTER": "1h"})
    pair.start()
    try:
        entry = provided(pair.services)
        store = open_store(tmp_path / "documents")
        with store.upload() as upload:
            upload.write(b"never registered")
            upload.commit(doubtful := an_oid(), "text/plain")

        assert pair.services.remove_documents(doubtful).codes == ["XDSDocumentUniqueIdError"]
        assert [blob.pending for blob in store.find(doubtful)] == [True]
        assert pair.services.remove_documents(entry.unique_id or "").registry_status == "Success"
        assert store.tombstone(entry.unique_id or "") is not None
        store.close()
    finally:
        pair.stop()


def test_nothing_is_removed_while_nobody_can_tell_what_is_on_hold(tmp_path: Path) -> None:
    pair: Pair = a_pair(tmp_path)
    with FakeRegistry(passing_on(pair.registry.url)) as fake:
        pair.repository.environment["PORTOLAN_REGISTRY_URL"] = fake.url
        pair.start()
        try:
            name = provided(pair.services).unique_id or ""
            fake.respond = lambda handler, data: send(handler, b"nonsense")

            found = pair.services.remove_documents(name)

            assert found.codes == ["XDSRemoveDocumentsError"]
            assert "cannot be told" in found.contexts[0]
            assert pair.services.retrieve(name).documents() == {name: PDF}
        finally:
            pair.stop()
