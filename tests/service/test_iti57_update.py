"""ITI-57 and ITI-92 at a running Registry: races have one winner, and what comes of them is of one piece."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from common.model import AssociationType, DocumentEntry
from common.standard.transactions import ITI_57, ITI_92
from tests.factories import (
    APPROVED,
    DEPRECATED,
    HAS_MEMBER,
    a_document,
    a_folder,
    a_link,
    a_new_version,
    a_patient_id,
    a_status_change,
    a_submission,
    a_submitted_association,
    a_uuid,
    an_update,
    submit_objects,
    text,
)
from tests.service.test_iti42_register import a_named_document, at_once, registered
from tests.wire import Answer, Services

RPLC, APND = AssociationType.RPLC, AssociationType.APND
Call = Callable[[Services], Answer]


def versions(services: Services, logical_id: str) -> list[DocumentEntry]:
    slots = {"$XDSDocumentEntryLogicalID": f"('{logical_id}')", "$MetadataLevel": "2"}
    return sorted(services.objects("GetDocuments", slots).entries, key=lambda entry: entry.version or 0)


def updating(letter: DocumentEntry, title: str) -> Call:
    return lambda services: services.update(an_update(a_new_version(letter, title=text(title))))


@pytest.mark.parametrize("action", [ITI_57, ITI_92], ids=lambda row: row.label)
def test_a_new_version_is_found_and_the_old_one_kept(services: Services, action: object) -> None:
    letter = a_named_document()
    registered(services, letter)

    answer = services.update(an_update(a_new_version(letter, title=text("Corrected"))), action=action)  # type: ignore[arg-type]

    assert answer.registry_status == "Success", answer.contexts
    old, new = versions(services, letter.entry_uuid)
    assert (old.availability_status, new.availability_status) == (DEPRECATED, APPROVED)
    assert services.find(letter.patient_id or "").ids() == [new.entry_uuid]
    assert (old.title, new.title) == (letter.title, text("Corrected"))


def test_of_eight_updates_of_one_version_exactly_one_wins(services: Services) -> None:
    letter = a_named_document()
    registered(services, letter)

    answers = at_once(services, [updating(letter, f"Title {number}") for number in range(8)])

    assert Counter(answer.registry_status for answer in answers) == {"Success": 1, "Failure": 7}
    assert {code for answer in answers for code in answer.codes} == {"XDSMetadataVersionError"}
    found = versions(services, letter.entry_uuid)
    assert [each.version for each in found] == [1, 2]
    assert [each.availability_status for each in found] == [DEPRECATED, APPROVED]


@pytest.mark.parametrize("again", range(3))
def test_r4_an_update_against_a_replacement_is_one_before_the_other(services: Services, again: int) -> None:
    letter = a_named_document()
    registered(services, letter)
    successor = a_named_document(patient_id=letter.patient_id)
    submission = a_submission(successor, a_link(RPLC, successor, letter))

    update, replacement = at_once(services, [updating(letter, "Corrected"), lambda own: own.register(submission)])

    outcome = (update.registry_status, replacement.registry_status)
    found = versions(services, letter.entry_uuid)
    if outcome == ("Success", "Failure"):
        assert replacement.codes == ["XDSRegistryDeprecatedDocumentError"]
        assert [each.availability_status for each in found] == [DEPRECATED, APPROVED]
    else:
        assert outcome == ("Failure", "Success")
        assert update.codes == ["XDSMetadataUpdateError"]
        assert [each.availability_status for each in found] == [DEPRECATED]
    assert len(services.find(letter.patient_id or "").ids()) == 1


@pytest.mark.parametrize("again", range(3))
def test_r4_an_addendum_that_comes_with_an_update_is_tied_or_refused(services: Services, again: int) -> None:
    letter = a_named_document()
    registered(services, letter)
    addendum = a_named_document(patient_id=letter.patient_id)
    submission = a_submission(addendum, a_link(APND, addendum, letter))

    update, appended = at_once(services, [updating(letter, "Corrected"), lambda own: own.register(submission)])

    assert update.registry_status == "Success", update.contexts
    newest = versions(services, letter.entry_uuid)[-1].entry_uuid
    slots = {"$XDSDocumentEntryEntryUUID": f"'{newest}'", "$AssociationTypes": f"('{APND.value}')"}
    related = services.query("GetRelatedDocuments", slots).ids()
    if appended.registry_status == "Success":
        assert {newest, addendum.entry_uuid} <= set(related), "what was appended in time goes with the new version"
    else:
        assert appended.codes == ["XDSRegistryDeprecatedDocumentError"]
        assert related == []


def test_r5_a_folder_updated_while_it_gets_members_loses_none(services: Services) -> None:
    folder = a_folder(entry_uuid=a_uuid(), patient_id=a_patient_id())
    registered(services, folder, patient_id=folder.patient_id)
    letters = [a_named_document(patient_id=folder.patient_id) for _ in range(4)]

    def adding(letter: DocumentEntry) -> Call:
        return lambda own: own.register(a_submission(letter, a_link(HAS_MEMBER, folder, letter)))

    answers = at_once(
        services,
        [
            lambda own: own.update(an_update(a_new_version(folder, title=text("Renamed")))),
            *(adding(letter) for letter in letters),
        ],
    )

    assert answers[0].registry_status == "Success", answers[0].contexts
    contents = services.objects("GetFolderAndContents", {"$XDSFolderUniqueId": f"'{folder.unique_id}'"})
    added = {
        letter.entry_uuid
        for letter, answer in zip(letters, answers[1:], strict=True)
        if answer.registry_status == "Success"
    }
    assert {entry.entry_uuid for entry in contents.entries} == added
    assert {code for answer in answers[1:] for code in answer.codes} <= {"XDSRegistryMetadataError"}


def test_of_two_opposite_statuses_at_once_the_second_sees_the_first(services: Services) -> None:
    letter = a_named_document()
    registered(services, letter)
    change = [a_status_change(letter, APPROVED, DEPRECATED, patient_id=letter.patient_id or "") for _ in range(4)]

    answers = at_once(services, [lambda own, each=each: own.update(each) for each in change])  # type: ignore[misc]

    assert Counter(answer.registry_status for answer in answers) == {"Success": 1, "Failure": 3}
    assert {code for answer in answers for code in answer.codes} == {"XDSMetadataUpdateError"}


def test_of_two_memberships_at_once_both_are_kept_but_never_twice(services: Services) -> None:
    patient = a_patient_id()
    letter, folder = a_named_document(patient_id=patient), a_folder(entry_uuid=a_uuid(), patient_id=patient)
    registered(services, letter, folder)
    link = a_link(HAS_MEMBER, folder, letter)

    answers = at_once(
        services,
        [lambda own: own.update(a_submitted_association(replace(link), patient_id=patient)) for _ in range(4)],
    )

    assert Counter(answer.registry_status for answer in answers) == {"Success": 1, "Failure": 3}
    assert {code for answer in answers for code in answer.codes} == {"XDSMetadataUpdateError"}


def test_the_same_message_sent_eight_times_at_once_is_one_update(services: Services) -> None:
    letter = a_named_document()
    registered(services, letter)
    body, message_id = submit_objects(an_update(a_new_version(letter))), a_uuid()

    answers = at_once(services, [lambda own: own.update(body, message_id=message_id)] * 8)

    assert {answer.registry_status for answer in answers} == {"Success"}
    assert [each.version for each in versions(services, letter.entry_uuid)] == [1, 2]


def test_a_refused_update_names_the_object_and_changes_nothing(services: Services) -> None:
    letter = a_named_document()
    registered(services, letter)
    before = services.everything(letter.patient_id or "")
    update = an_update(a_new_version(letter), previous="4")

    answer = services.update(update)

    assert (answer.registry_status, answer.codes) == ("Failure", ["XDSMetadataVersionError"])
    assert update.entries[0].entry_uuid in answer.contexts[0]
    assert "the latest version is 1" in answer.contexts[0]
    assert services.everything(letter.patient_id or "") == before


def test_a_document_is_not_sent_by_an_update(services: Services) -> None:
    answer = services.update(a_submission(a_document(patient_id=a_patient_id())))

    assert "XDSMetadataUpdateError" in answer.codes
