"""Both services killed at each step of a submission: afterwards it is there or not, and sending again puts it right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from common.model import AssociationType, DocumentEntry
from tests.factories import (
    HAS_MEMBER,
    a_document,
    a_folder,
    a_link,
    a_new_version,
    a_patient_id,
    a_submission,
    a_uuid,
    an_update,
    submit_objects,
)
from tests.running import Pair, a_pair, back_end
from tests.service.conftest import BACK_ENDS
from tests.system.kill_kit import (
    LATER,
    PATIENT_ENOUGH,
    QUICK,
    Letter,
    is_whole_or_nowhere,
    killed_at,
    marked,
    steps,
    stored,
    until,
)
from tests.system.survival_kit import shared_out
from tests.wire import Answer

pytestmark = [pytest.mark.system, pytest.mark.slow]


@pytest.fixture(params=BACK_ENDS)
def settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings of one of the back ends, with empty stores."""
    return back_end(request.param, request)


@pytest.fixture
def pair(settings: dict[str, str], tmp_path: Path) -> Iterator[Pair]:
    """A pair that does not sweep while a test looks."""
    made = a_pair(tmp_path, settings | PATIENT_ENOUGH)
    made.start()
    yield made
    for each in (made.repository, made.registry):
        each.kill()


def test_d1_the_repository_is_killed_at_each_step_and_sending_again_works(pair: Pair) -> None:
    services = pair.services
    found = steps(pair.repository, lambda: Letter().send(services))
    assert {"part.received:1", "blob.written:1", "blob.marked:1", "iti42.sent:1", "iti42.answered:1"} <= set(found)

    for step in shared_out(found, pair.repository):
        letter = Letter()
        seen = killed_at(pair.repository, step, lambda letter=letter: letter.send(services))  # type: ignore[misc]
        there = is_whole_or_nowhere(services, letter)
        assert seen is None or seen.registry_status == "Success", (step, seen.contexts)
        assert there or seen is None, step

        again = letter.send(services)

        assert again is not None, step
        assert again.registry_status == "Success", (step, again.contexts)
        assert is_whole_or_nowhere(services, letter), step


def test_d2_d6_the_registry_is_killed_at_each_step_and_sending_again_works(pair: Pair) -> None:
    services = pair.services
    found = steps(pair.registry, lambda: Letter().send(services))
    assert {"db.committed:1", "answer.started:1"} <= set(found)

    for step in shared_out(found, pair.registry):
        letter = Letter()
        seen = killed_at(pair.registry, step, lambda letter=letter: letter.send(services))  # type: ignore[misc]
        assert seen is not None, step
        if seen.registry_status != "Success":
            assert seen.codes == ["XDSRepositoryError"], (step, seen.contexts)
            assert "send the same message again" in seen.contexts[0]
        is_whole_or_nowhere(services, letter)

        again = letter.send(services)

        assert again is not None, step
        assert again.registry_status == "Success", (step, again.contexts)
        assert is_whole_or_nowhere(services, letter), step


def test_d2_a_replacement_is_whole_or_not_at_all(pair: Pair) -> None:
    services = pair.services

    def a_replacement() -> tuple[DocumentEntry, Letter]:
        old = Letter()
        first = old.send(services)
        assert first is not None
        assert first.registry_status == "Success", first.contexts
        new = a_document(hash=None, size=None, entry_uuid=a_uuid(), patient_id=old.entry.patient_id)
        return old.entry, Letter((a_link(AssociationType.RPLC, new, old.entry),), new)

    found = steps(pair.registry, lambda: a_replacement()[1].send(services))

    for step in shared_out(dict.fromkeys(found[-3:]), pair.registry):
        pair.registry.kill()
        pair.registry.start()
        old, letter = a_replacement()
        name = step.partition(":")[0]
        killed_at(pair.registry, f"{name}:1", lambda letter=letter: letter.send(services))  # type: ignore[misc]
        current = services.find(old.patient_id or "").ids()
        assert current in ([old.entry_uuid], [letter.entry.entry_uuid]), step

        again = letter.send(services)

        assert again is not None, step
        assert again.registry_status == "Success", (step, again.contexts)
        assert services.find(old.patient_id or "").ids() == [letter.entry.entry_uuid], step


def test_d2_a_submission_with_a_folder_is_whole_or_not_at_all(pair: Pair) -> None:
    services = pair.services

    def register(patient: str) -> Answer | None:
        document, folder = a_document(), a_folder()
        submission = a_submission(document, folder, a_link(HAS_MEMBER, folder, document), patient_id=patient)
        try:
            return services.apart().register(submission)
        except requests.ConnectionError:
            return None

    for step in shared_out(steps(pair.registry, lambda: register(a_patient_id())), pair.registry):
        patient = a_patient_id()
        assert killed_at(pair.registry, step, lambda patient=patient: register(patient)) is None  # type: ignore[misc]

        assert len(services.everything(patient)) == (0 if step.startswith("db.flushed") else 7), step


def test_d2_an_update_is_whole_or_not_at_all(pair: Pair) -> None:
    services = pair.services

    def a_letter() -> DocumentEntry:
        letter = a_document(entry_uuid=a_uuid(), patient_id=a_patient_id())
        assert services.apart().register(a_submission(letter)).registry_status == "Success"
        return letter

    def update(body: bytes, message_id: str) -> Answer | None:
        try:
            return services.apart().update(body, message_id=message_id)
        except requests.ConnectionError:
            return None

    def an_amendment(letter: DocumentEntry) -> bytes:
        return submit_objects(an_update(a_new_version(letter)))

    first = an_amendment(a_letter())
    found = steps(pair.registry, lambda: update(first, a_uuid()))
    assert found == ["db.flushed:1", "db.committed:1", "answer.started:1"]
    for step in shared_out(found, pair.registry):
        letter = a_letter()
        body, message_id = an_amendment(letter), a_uuid()
        assert killed_at(pair.registry, step, lambda body=body, name=message_id: update(body, name)) is None  # type: ignore[misc]

        slots = {"$XDSDocumentEntryLogicalID": f"('{letter.entry_uuid}')", "$MetadataLevel": "2"}
        versions = services.objects("GetDocuments", slots).entries
        assert len(versions) == (1 if step.startswith("db.flushed") else 2), step
        assert [entry.is_deprecated for entry in versions].count(False) == 1, step

        again = update(body, message_id)
        assert again is not None, step
        assert again.registry_status == "Success", (step, again.contexts)
        assert len(services.objects("GetDocuments", slots).entries) == 2, step


def test_d2_a_removal_of_metadata_is_whole_or_not_at_all_and_sending_again_works(pair: Pair) -> None:
    services = pair.services

    def a_removal() -> tuple[str, Callable[[], Answer | None]]:
        patient, message = a_patient_id(), a_uuid()
        document, folder = a_document(), a_folder()
        submission = a_submission(document, folder, a_link(HAS_MEMBER, folder, document), patient_id=patient)
        assert services.apart().register(submission).registry_status == "Success"
        ids = services.apart().everything(patient)
        assert len(ids) == 7

        def remove() -> Answer | None:
            try:
                return services.apart().remove(*ids, message_id=message)
            except requests.ConnectionError:
                return None

        return patient, remove

    remove_once = a_removal()[1]
    found = [step for step in steps(pair.registry, remove_once) if step.startswith(("db.", "answer."))]
    assert {"db.flushed:1", "db.committed:1", "answer.started:1"} <= set(found)
    for step in shared_out(found, pair.registry):
        patient, remove = a_removal()
        assert killed_at(pair.registry, step, remove) is None, step
        left = services.apart().everything(patient)
        assert len(left) == (7 if step.startswith("db.flushed") else 0), step

        again = remove()

        assert again is not None, step
        assert again.registry_status == "Success", (step, again.contexts)
        assert services.apart().everything(patient) == [], step


def test_d1_the_repository_is_killed_at_each_step_of_a_removal_and_sending_again_works(pair: Pair) -> None:
    services = pair.services

    def a_removal() -> tuple[Letter, Callable[[], Answer | None]]:
        letter, message = Letter(), a_uuid()
        sent = letter.send(services)
        assert sent is not None
        assert sent.registry_status == "Success", sent.contexts
        ids = services.apart().everything(letter.entry.patient_id or "")
        assert services.apart().remove(*ids).registry_status == "Success"

        def remove() -> Answer | None:
            try:
                return services.apart().remove_documents(letter.entry.unique_id or "", message_id=message)
            except requests.ConnectionError:
                return None

        return letter, remove

    remove_once = a_removal()[1]
    found = [step for step in steps(pair.repository, remove_once) if not step.startswith(LATER)]
    assert {"tomb.synced:1", "blob.buried:1", "copies.removed:1"} <= set(found)
    for step in shared_out(found, pair.repository):
        letter, remove = a_removal()
        assert killed_at(pair.repository, step, remove) is None, step
        retrieved = services.apart().retrieve(letter.entry.unique_id or "")
        assert retrieved.registry_status == "Success" or retrieved.codes == ["XDSDocumentUniqueIdError"], step

        again = remove()

        assert again is not None, step
        assert again.registry_status == "Success", (step, again.contexts)
        assert services.apart().retrieve(letter.entry.unique_id or "").codes == ["XDSDocumentUniqueIdError"], step
        assert marked(pair, letter.entry.unique_id or "") == 0, step
        late = letter.send(services)
        assert late is not None
        assert late.codes == ["XDSRepositoryMetadataError"], (step, late.contexts)


def test_d5_what_nobody_points_at_is_swept_and_what_is_registered_stays(
    settings: dict[str, str], tmp_path: Path
) -> None:
    made = a_pair(tmp_path, settings | QUICK)
    made.start()
    try:
        services = made.services
        found = steps(made.repository, lambda: Letter().send(services))
        letters = {}
        for step in shared_out(found, made.repository):
            letters[step] = Letter()
            killed_at(made.repository, step, lambda letter=letters[step]: letter.send(services))  # type: ignore[misc]

        def settled(letter: Letter) -> bool:
            registered = bool(services.everything(letter.entry.patient_id or ""))
            return stored(made, letter.entry.unique_id or "") == ([False] if registered else [])

        left = [step for step, letter in letters.items() if not until(lambda letter=letter: settled(letter))]  # type: ignore[misc]
        assert left == []
        there = [step for step, letter in letters.items() if is_whole_or_nowhere(services, letter)]
        assert ("iti42.answered:1" in there) == ("iti42.answered:1" in letters)
        assert "blob.written:1" not in there
    finally:
        for each in (made.repository, made.registry):
            each.kill()


def test_d6_when_the_registrys_answer_is_lost_the_document_can_be_read_without_sending_again(pair: Pair) -> None:
    letter = Letter()

    seen = killed_at(pair.registry, "db.committed", lambda: letter.send(pair.services))

    assert seen is not None
    assert pair.services.retrieve(letter.entry.unique_id or "").documents() == {letter.entry.unique_id: letter.content}
    assert stored(pair, letter.entry.unique_id or "") == [False]


def test_o6_a_service_that_is_asked_to_stop_ends_cleanly(pair: Pair) -> None:
    letter = Letter()
    assert (letter.send(pair.services) or pytest.fail("no answer")).registry_status == "Success"

    assert [pair.repository.stop(), pair.registry.stop()] == [0, 0]

    pair.start()
    assert is_whole_or_nowhere(pair.services, letter)
