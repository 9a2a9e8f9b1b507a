"""ITI-64: documents of a local id move to another patient as new versions, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from common.model import AssociationType, AvailabilityStatus, DocumentEntry, Folder, Submission
from tests.factories import HAS_MEMBER, a_document, a_folder, a_link, a_patient_id, a_submission, a_uuid
from tests.feeds import Pas, linked, merged
from tests.wire import STATUS, Services

LOCAL, OTHER = "NGH1^^^&2.999.826.4.1&ISO", "NGH2^^^&2.999.826.4.1&ISO"
BOTH = f"('{STATUS}Approved','{STATUS}Deprecated')"
APPROVED, DEPRECATED = AvailabilityStatus.APPROVED, AvailabilityStatus.DEPRECATED
APND, RPLC = AssociationType.APND, AssociationType.RPLC


@pytest.fixture
def pas(services: Services) -> Iterator[Pas]:
    """A connection to the Registry's listener."""
    made = Pas(services.mllp)
    yield made
    made.close()


def a_letter(patient_id: str, local: str = LOCAL) -> DocumentEntry:
    return a_document(patient_id=patient_id, source_patient_id=local, entry_uuid=a_uuid())


def registered(services: Services, submission: Submission) -> None:
    assert services.register(submission).registry_status == "Success"


def everything(services: Services, patient_id: str, level: str = "2") -> Submission:
    slots = {"$patientId": f"'{patient_id}'", "$MetadataLevel": level, "$XDSAssociationStatus": BOTH}
    return services.objects(
        "GetAll", slots | {f"$XDS{kind}Status": BOTH for kind in ("DocumentEntry", "SubmissionSet", "Folder")}
    )


def versions(submission: Submission) -> list[tuple[int | None, AvailabilityStatus | None]]:
    return sorted((item.version, item.availability_status) for item in submission.entries)  # type: ignore[type-var]


def test_a_document_moves_as_a_new_version_in_a_submission_of_its_own(services: Services, pas: Pas) -> None:
    old, new = a_patient_id(), a_patient_id()
    letter, stays = a_letter(old), a_letter(old, OTHER)
    registered(services, a_submission(letter, stays))
    message = linked(old, new, LOCAL)

    assert pas.send(message).code == "AA"
    assert pas.send(message).code == "AA"  # the same again finds nothing to move

    [moved] = everything(services, new).entries
    assert (moved.version, moved.logical_id, moved.unique_id) == (2, letter.entry_uuid, letter.unique_id)
    assert (moved.patient_id, moved.source_patient_id, moved.availability_status) == (new, LOCAL, APPROVED)
    assert (moved.hash, moved.title, moved.class_code) == (letter.hash, letter.title, letter.class_code)
    assert moved.entry_uuid != letter.entry_uuid
    [owner] = everything(services, new).submission_sets
    assert owner.patient_id == new
    filed = [link for link in everything(services, new).associations if link.target == moved.entry_uuid]
    assert [(link.source, link.submission_set_status, link.previous_version) for link in filed] == [
        (owner.entry_uuid, "Original", "1")
    ]
    left = {item.entry_uuid: item.availability_status for item in everything(services, old).entries}
    assert left == {letter.entry_uuid: DEPRECATED, stays.entry_uuid: APPROVED}


def test_a_merge_of_local_ids_makes_new_versions_under_the_surviving_one(services: Services, pas: Pas) -> None:
    patient = a_patient_id()
    registered(services, a_submission(a_letter(patient)))

    assert pas.send(linked(patient, patient, OTHER, LOCAL)).code == "AA"

    found = everything(services, patient)
    assert versions(found) == [(1, DEPRECATED), (2, APPROVED)]
    assert {item.version: item.source_patient_id for item in found.entries} == {1: LOCAL, 2: OTHER}
    # A version that a link change retired is shown to those who know nothing of versions, as what was replaced is.
    assert versions(everything(services, patient, "1")) == [(1, DEPRECATED), (2, APPROVED)]


def test_documents_move_together_with_their_folder_and_relationship(services: Services, pas: Pas) -> None:
    old, new = a_patient_id(), a_patient_id()
    first, second, folder = a_letter(old), a_letter(old), a_folder(patient_id=old, entry_uuid=a_uuid())
    registered(services, a_submission(first))
    registered(services, a_submission(second, a_link(APND, second, first.entry_uuid)))
    members = [a_link(HAS_MEMBER, folder, first.entry_uuid), a_link(HAS_MEMBER, folder, second.entry_uuid)]
    registered(services, a_submission(folder, *members))

    assert pas.send(linked(old, new, LOCAL)).code == "AA"

    found = everything(services, new)
    [moved] = found.folders
    assert (moved.version, moved.logical_id, moved.patient_id) == (2, folder.entry_uuid, new)
    now = {item.logical_id: item.entry_uuid for item in found.entries}
    held = {link.target for link in found.associations if link.source == moved.entry_uuid}
    assert held == {now[first.entry_uuid], now[second.entry_uuid]}
    [addendum] = [link for link in found.associations if link.type is APND]
    assert (addendum.source, addendum.target) == (now[second.entry_uuid], now[first.entry_uuid])
    assert [item.availability_status for item in everything(services, old).folders] == [DEPRECATED]


def folder_with_another(first: DocumentEntry, second: DocumentEntry) -> Submission:
    folder: Folder = a_folder(patient_id=first.patient_id)
    return a_submission(folder, *(a_link(HAS_MEMBER, folder, each.entry_uuid) for each in (first, second)))


def addendum_to_another(first: DocumentEntry, second: DocumentEntry) -> Submission:
    third = a_letter(str(first.patient_id))
    return a_submission(third, a_link(APND, third, second.entry_uuid))


@pytest.mark.parametrize("tied", [folder_with_another, addendum_to_another])
def test_documents_that_belong_to_others_cannot_move_alone(services: Services, pas: Pas, tied: object) -> None:
    old, new = a_patient_id(), a_patient_id()
    first, second = a_letter(old), a_letter(old, OTHER)
    registered(services, a_submission(first, second))
    registered(services, tied(first, second))  # type: ignore[operator]
    before = set(services.everything(old))

    answer = pas.send(linked(old, new, LOCAL))

    assert answer.code == "AE"
    assert "|206^" in answer.error
    assert "cannot move alone" in answer.error
    assert set(services.everything(old)) == before
    assert services.everything(new) == []
    # Within one patient nothing is torn apart.
    assert pas.send(linked(old, old, "NGH3^^^&2.999.826.4.1&ISO", LOCAL)).code == "AA"


def test_what_was_replaced_stays_behind(services: Services, pas: Pas) -> None:
    old, new = a_patient_id(), a_patient_id()
    first, second = a_letter(old), a_letter(old)
    registered(services, a_submission(first))
    registered(services, a_submission(second, a_link(RPLC, second, first.entry_uuid)))

    assert pas.send(linked(old, new, LOCAL)).code == "AA"

    assert [item.logical_id for item in everything(services, new).entries] == [second.entry_uuid]
    assert versions(everything(services, old)) == [(1, DEPRECATED), (1, DEPRECATED)]


def test_many_documents_move_at_once(services: Services, pas: Pas) -> None:
    old, new = a_patient_id(), a_patient_id()
    registered(services, a_submission(*[a_letter(old) for _ in range(60)]))

    assert pas.send(linked(old, new, LOCAL)).code == "AA"
    assert len(services.find(new).ids()) == 60


@pytest.mark.parametrize("case", ["merged old", "merged new", "same link", "no local id", "foreign", "no authority"])
def test_a_link_change_that_cannot_be_is_refused(services: Services, pas: Pas, case: str) -> None:
    old, new, gone = (a_patient_id() for _ in range(3))
    registered(services, a_submission(a_letter(old)))
    pas.send(merged(gone, a_patient_id()))
    message, error = {
        "merged old": (linked(gone, new, LOCAL), "MRG^1^1|204^"),
        "merged new": (linked(old, gone, LOCAL), "PID^1^3|204^"),
        "same link": (linked(old, old, LOCAL), "MRG^1^1|205^"),
        "no local id": (linked(old, new, ""), "PID^1^3|101^"),
        "foreign": (linked(old, LOCAL, new), "PID^1^3|204^"),
        "no authority": (linked(old, new, "NGH1^^^WARD"), "PID^1^3|102^"),
    }[case]

    answer = pas.send(message)

    assert answer.code == "AE"
    assert answer.error.startswith(f"ERR||{error}")
    assert len(services.find(old).ids()) == 1
