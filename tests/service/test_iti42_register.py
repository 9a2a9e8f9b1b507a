"""ITI-42 at a running Registry: what is registered is found, what is refused leaves nothing, races have one winner."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest

from common.model import Association, AssociationType, DocumentEntry, Folder, Submission
from tests.factories import (
    APPROVED,
    DEPRECATED,
    HAS_MEMBER,
    a_code,
    a_document,
    a_folder,
    a_link,
    a_patient_id,
    a_submission,
    a_uuid,
    an_oid,
    included,
    submit_objects,
)
from tests.running import ROOT, Pair, a_pair, back_end
from tests.service.conftest import BACK_ENDS
from tests.wire import Answer, Services

RPLC, XFRM, APND = AssociationType.RPLC, AssociationType.XFRM, AssociationType.APND


def registered(
    services: Services, *items: DocumentEntry | Folder | Association, patient_id: str | None = None
) -> Submission:
    """A submission that was registered, with UUIDs for names so that tests know them."""
    submission = a_submission(*items, patient_id=patient_id or next(_patients(items)))
    answer = services.register(submission)
    assert answer.registry_status == "Success", answer.contexts
    return submission


def _patients(items: tuple[DocumentEntry | Folder | Association, ...]) -> Iterator[str]:
    yield from (each.patient_id for each in items if isinstance(each, DocumentEntry) and each.patient_id)
    yield a_patient_id()


def a_named_document(**differs: Any) -> DocumentEntry:
    return a_document(**{"entry_uuid": a_uuid(), "patient_id": a_patient_id(), **differs})


def at_once(services: Services, calls: Sequence[Callable[[Services], Answer]]) -> list[Answer]:
    """Carry out calls at the same time, each over a connection of its own."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[Services], Answer]) -> Answer:
        own = services.apart()
        barrier.wait(30)
        return call(own)

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def documents(services: Services, *uuids: str) -> dict[str, DocumentEntry]:
    listed = ",".join(f"'{name}'" for name in uuids)
    return {
        each.entry_uuid: each
        for each in services.objects("GetDocuments", {"$XDSDocumentEntryEntryUUID": f"({listed})"}).entries
    }


def test_a_registered_document_is_found_with_all_that_was_said_of_it(services: Services) -> None:
    document = a_named_document(
        event_codes=(a_code("416940007"),),
        extra_slots={"urn:example:ward": ("Ward <7> & 'more'", "文書")},
        reference_id_list=("R-1^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:referral",),
        comments=a_document(title=()).comments,
    )
    registered(services, document)

    [found] = documents(services, document.entry_uuid).values()

    document.availability_status, document.logical_id, document.version = APPROVED, document.entry_uuid, 1
    assert found == document


def test_symbolic_ids_are_replaced_throughout(services: Services) -> None:
    patient = a_patient_id()
    document, folder = a_document(), a_folder()
    submission = registered(services, document, folder, a_link(HAS_MEMBER, folder, document), patient_id=patient)

    ids = services.everything(patient)
    assert len(ids) == len(submission.objects()) == 7
    assert all(name.startswith("urn:uuid:") for name in ids)
    found = services.objects(
        "GetSubmissionSetAndContents", {"$XDSSubmissionSetUniqueId": f"'{submission.submission_set.unique_id}'"}
    )
    assert {end for link in found.associations for end in (link.source, link.target)} <= set(ids)


def test_e3_a_replacement_deprecates_what_it_replaces_and_all_derived_from_it(services: Services) -> None:
    old = a_named_document()
    derived, appended, new = (a_named_document(patient_id=old.patient_id) for _ in range(3))
    registered(services, old)
    registered(services, derived, a_link(XFRM, derived, old))
    registered(services, appended, a_link(APND, appended, old))

    registered(services, new, a_link(RPLC, new, old))

    found = documents(services, *(each.entry_uuid for each in (old, derived, appended, new)))
    assert [found[each.entry_uuid].availability_status for each in (old, derived, appended, new)] == [
        DEPRECATED, DEPRECATED, DEPRECATED, APPROVED,
    ]  # fmt: skip
    assert services.find(old.patient_id or "").ids() == [new.entry_uuid]


def test_e4_e5_the_successor_joins_the_folder_and_the_folder_is_touched(services: Services) -> None:
    old, folder = a_named_document(), a_folder(entry_uuid=a_uuid())
    new = a_named_document(patient_id=old.patient_id)
    registered(services, old, folder, a_link(HAS_MEMBER, folder, old))
    name = {"$XDSFolderEntryUUID": f"'{folder.entry_uuid}'"}
    before = services.objects("GetFolderAndContents", name)

    registered(services, new, a_link(RPLC, new, old))

    after = services.objects("GetFolderAndContents", name)
    assert {each.entry_uuid for each in before.entries} == {old.entry_uuid}
    assert {each.entry_uuid for each in after.entries} == {old.entry_uuid, new.entry_uuid}
    assert {(link.source, link.target) for link in after.associations} == {
        (folder.entry_uuid, old.entry_uuid),
        (folder.entry_uuid, new.entry_uuid),
    }
    assert (after.folders[0].last_update_time or "") >= (before.folders[0].last_update_time or "x")


def test_a_document_is_added_to_a_registered_folder_and_included_by_reference(services: Services) -> None:
    old, folder = a_named_document(), a_folder(entry_uuid=a_uuid())
    registered(services, old)
    registered(services, folder, patient_id=old.patient_id)

    link = a_link(HAS_MEMBER, folder, old)
    submission = a_submission(link, patient_id=old.patient_id)
    submission.associations.append(included(submission.submission_set, old.entry_uuid))
    answer = services.register(submission)

    assert answer.registry_status == "Success", answer.contexts
    found = services.objects("GetFolderAndContents", {"$XDSFolderEntryUUID": f"'{folder.entry_uuid}'"})
    assert [each.entry_uuid for each in found.entries] == [old.entry_uuid]


def test_all_objections_come_in_one_answer_and_nothing_is_registered(services: Services) -> None:
    patient = a_patient_id()
    one = a_document(hash="x", mime_type="application/x-odd", unique_id="1.2.3")
    other = a_document(creation_time="20261301", type_code=a_code("odd"), unique_id="1.2.3", language_code=None)
    link = a_link(APND, other, "nowhere")
    submission = a_submission(one, other, link, patient_id=patient)
    submission.entries[1].patient_id = a_patient_id()

    answer = services.register(submission)

    assert answer.registry_status == "Failure"
    assert set(answer.codes) == {
        "XDSRegistryMetadataError",
        "XDSRegistryDuplicateUniqueIdInMessage",
        "UnresolvedReferenceException",
        "XDSPatientIdDoesNotMatch",
    }
    told = "\n".join(answer.contexts)
    for word in ("hash", "mimeType", "creationTime", "typeCode", "languageCode", "nowhere", "1.2.3"):
        assert word in told
    assert services.everything(patient) == []


@pytest.mark.parametrize("patient", ["9990001007", "12"], ids=["check digit", "length"])
def test_s13_a_wrong_nhs_number_is_refused(services: Services, patient: str) -> None:
    answer = services.register(a_submission(a_document(), patient_id=a_patient_id(patient)))

    assert answer.codes == ["XDSUnknownPatientId"]


def test_m5_m6_a_unique_id_keeps_its_content(services: Services) -> None:
    document = a_named_document()
    registered(services, document)

    again = replace(document, entry_uuid=a_uuid())
    assert services.register(a_submission(again)).registry_status == "Success"
    other = services.register(a_submission(replace(document, entry_uuid="x", hash="ab" * 20, size="1")))

    assert sorted(other.codes) == ["XDSNonIdenticalHash", "XDSNonIdenticalSize"]
    assert all(document.unique_id in context for context in other.contexts)


@pytest.mark.parametrize("make", [a_document, a_folder], ids=["document", "folder"])
def test_m7_the_unique_id_of_a_submission_set_is_taken_for_everything(services: Services, make: Any) -> None:
    submission = registered(services, patient_id=a_patient_id())
    unique_id = submission.submission_set.unique_id

    answer = services.register(a_submission(make(unique_id=unique_id)))

    assert answer.codes == ["XDSDuplicateUniqueIdInRegistry"]
    assert unique_id in answer.contexts[0]


def test_r1_the_same_message_sent_again_is_success_and_registered_once(services: Services) -> None:
    patient, name = a_patient_id(), a_uuid()
    body = submit_objects(a_submission(a_document(), a_folder(), patient_id=patient))

    first = services.register(body, message_id=name)
    before = services.everything(patient)
    second = services.register(body, message_id=name)

    assert [first.registry_status, second.registry_status] == ["Success", "Success"]
    assert services.everything(patient) == before


def test_r1_the_same_message_sent_16_times_at_once_is_registered_once(services: Services) -> None:
    patient, name = a_patient_id(), a_uuid()
    submission = a_submission(a_document(), a_folder(), patient_id=patient)
    body = submit_objects(submission)

    answers = at_once(services, [lambda own: own.register(body, message_id=name)] * 16)

    assert [each.registry_status for each in answers] == ["Success"] * 16
    assert len(services.everything(patient)) == len(submission.objects())


def test_another_message_with_a_taken_unique_id_is_refused_also_when_16_come_at_once(services: Services) -> None:
    patient = a_patient_id()
    submission = a_submission(a_document(), patient_id=patient)
    body = submit_objects(submission)

    answers = at_once(services, [lambda own: own.register(body)] * 16)

    assert sorted(each.registry_status for each in answers) == ["Failure"] * 15 + ["Success"]
    refused = [each.codes for each in answers if each.registry_status == "Failure"]
    assert refused == [["XDSDuplicateUniqueIdInRegistry"]] * 15
    assert len(services.everything(patient)) == len(submission.objects())


def test_the_same_message_id_with_other_content_is_another_message(services: Services) -> None:
    name, submission = a_uuid(), a_submission(a_document(), patient_id=a_patient_id())
    assert services.register(submission, message_id=name).registry_status == "Success"

    changed = replace(submission.submission_set, comments=a_document(title=()).title or a_folder().title)
    answer = services.register(replace(submission, submission_sets=[changed]), message_id=name)

    assert answer.codes == ["XDSDuplicateUniqueIdInRegistry"]


def test_r2_one_unique_id_with_two_contents_at_once_has_one_winner(services: Services) -> None:
    unique_id, patient = an_oid(), a_patient_id()
    bodies = [
        submit_objects(a_submission(a_document(unique_id=unique_id, hash=digit * 40), patient_id=patient))
        for digit in "abcd"
    ]

    answers = at_once(services, [lambda own, body=body: own.register(body) for body in bodies])  # type: ignore[misc]

    assert sorted(each.registry_status for each in answers) == ["Failure"] * 3 + ["Success"]
    assert [each.codes for each in answers if each.codes] == [["XDSNonIdenticalHash"]] * 3
    assert len(services.query("GetDocuments", {"$XDSDocumentEntryUniqueId": f"('{unique_id}')"}).ids()) == 1


def test_r3_eight_replacements_at_once_leave_one_current_successor(services: Services) -> None:
    old = a_named_document()
    registered(services, old)

    def replacement() -> bytes:
        new = a_document(patient_id=old.patient_id)
        return submit_objects(a_submission(new, a_link(RPLC, new, old)))

    bodies = [replacement() for _ in range(8)]
    answers = at_once(services, [lambda own, body=body: own.register(body) for body in bodies])  # type: ignore[misc]

    assert sorted(each.registry_status for each in answers) == ["Failure"] * 7 + ["Success"]
    assert [each.codes for each in answers if each.codes] == [["XDSRegistryDeprecatedDocumentError"]] * 7
    assert len(services.find(old.patient_id or "").ids()) == 1


def test_r4_a_replacement_against_an_addendum_is_explained_by_some_order(services: Services) -> None:
    old = a_named_document()
    registered(services, old)
    new, addendum = (a_named_document(patient_id=old.patient_id) for _ in range(2))
    bodies = [
        submit_objects(a_submission(each, a_link(kind, each, old))) for kind, each in ((RPLC, new), (APND, addendum))
    ]

    answers = at_once(services, [lambda own, body=body: own.register(body) for body in bodies])  # type: ignore[misc]

    assert answers[0].registry_status == "Success"
    if answers[1].registry_status == "Failure":
        assert answers[1].codes == ["XDSRegistryDeprecatedDocumentError"]
    assert services.find(old.patient_id or "").ids() == [new.entry_uuid]


def test_r5_many_additions_to_one_folder_at_once_are_all_there(services: Services) -> None:
    patient, folder = a_patient_id(), a_folder(entry_uuid=a_uuid())
    registered(services, folder, patient_id=patient)

    def addition() -> bytes:
        document = a_document(patient_id=patient)
        return submit_objects(a_submission(document, a_link(HAS_MEMBER, folder, document)))

    bodies = [addition() for _ in range(12)]
    answers = at_once(services, [lambda own, body=body: own.register(body) for body in bodies])  # type: ignore[misc]

    assert [each.registry_status for each in answers] == ["Success"] * 12
    found = services.objects("GetFolderAndContents", {"$XDSFolderEntryUUID": f"'{folder.entry_uuid}'"})
    assert len(found.entries) == len(found.associations) == 12


def test_a_submission_that_holds_only_a_reference_or_nothing_is_legal(services: Services) -> None:
    old = a_named_document()
    registered(services, old)
    submission = a_submission(patient_id=a_patient_id())
    submission.associations.append(included(submission.submission_set, old.entry_uuid))

    assert services.register(submission).registry_status == "Success"
    assert services.register(a_submission(patient_id=a_patient_id())).registry_status == "Success"


@pytest.fixture(scope="module", params=BACK_ENDS)
def fed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A pair that knows fed patients only, and says so in queries."""
    settings = {"PATIENT_POLICY": "fed", "PATIENT_UNKNOWN_IN_QUERY": "error"}
    pair = a_pair(tmp_path_factory.mktemp("fed"), back_end(request.param, request) | settings)
    pair.start()
    yield pair
    pair.stop()


def test_by_policy_a_patient_is_known_once_it_was_fed(fed: Pair) -> None:
    patient = a_patient_id()
    refused = fed.services.register(a_submission(a_document(), patient_id=patient))
    asked = fed.services.find(patient)

    command = [sys.executable, "-m", "console", "patients", "feed", patient.split("^")[0]]
    subprocess.run(command, env=fed.registry.environment, cwd=ROOT, check=True, capture_output=True, timeout=60)

    assert refused.codes == asked.codes == ["XDSUnknownPatientId"]
    assert fed.services.find(patient).registry_status == "Success"
    assert fed.services.register(a_submission(a_document(), patient_id=patient)).registry_status == "Success"
