"""ITI-42: the shape of a submission; the numbers are those of the digest's table of structure rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from lxml import etree

from common.ebxml.submission import read_submission
from common.model import (
    AssociationType,
    AvailabilityStatus,
    DocumentEntry,
    Folder,
    ObjectType,
    RegistryObject,
    Submission,
    SubmissionSet,
)
from common.standard.errors import ErrorCode
from registry.known import Known, KnownObject, wanted
from registry.rules.structure import RELATIONSHIPS, STRUCTURE, UPDATES
from tests.factories import (
    HAS_MEMBER,
    a_code,
    a_document,
    a_folder,
    a_link,
    a_patient_id,
    a_submission,
    a_submission_set,
    a_uuid,
    included,
    submit_objects,
)

WRONG = ErrorCode.XDSRegistryMetadataError
PATIENT = a_patient_id()


def check(submission: Submission, known: Known | None = None) -> list[tuple[ErrorCode, str, str]]:
    return [(each.code, each.where, each.what) for each in STRUCTURE.check(submission, known or Known())]


def codes(submission: Submission, known: Known | None = None) -> list[ErrorCode]:
    return [code for code, _, _ in check(submission, known)]


def holding(kind: type[RegistryObject], name: str, **differs: Any) -> Known:
    status = AvailabilityStatus.APPROVED
    return Known(objects={name: KnownObject(name, kind, PATIENT, status, **differs)})


def test_good_submissions_are_not_objected_to() -> None:
    document, folder = a_document(), a_folder()

    assert check(a_submission()) == []
    assert check(a_submission(document)) == []
    assert check(a_submission(document, folder, a_link(HAS_MEMBER, folder, document))) == []
    assert check(a_submission(document, a_document(), a_link(AssociationType.APND, document, document))) == []


@pytest.mark.parametrize("count", [0, 2])
def test_s1_a_submission_has_one_submission_set(count: int) -> None:
    submission = Submission(submission_sets=[a_submission_set() for _ in range(count)])

    [(code, where, what)] = check(submission)

    assert (code, where) == (WRONG, "")
    assert f"this one has {count}" in what


@pytest.mark.parametrize("make", [a_document, a_folder])
def test_s2_entries_and_folders_have_one_membership_of_the_submission_set(make: Any) -> None:
    item = make()
    submission = a_submission(item)
    [link] = submission.associations

    submission.associations = []
    assert [(code, where) for code, where, _ in check(submission)] == [(WRONG, item.entry_uuid)]

    submission.associations = [link, replace(link, entry_uuid="another")]
    assert "and has 2" in check(submission)[0][2]


def test_s2_a_folder_membership_is_itself_a_member_of_the_submission_set() -> None:
    folder, document = KnownObject(a_uuid(), Folder, "p", AvailabilityStatus.APPROVED), a_document()
    link = a_link(HAS_MEMBER, folder.entry_uuid, document)
    submission = a_submission(document, link)
    submission.associations = [each for each in submission.associations if each.target != link.entry_uuid]
    known = Known(objects={folder.entry_uuid: folder})

    assert [(code, where) for code, where, _ in check(submission, known)] == [(WRONG, link.entry_uuid)]


def test_s2_that_of_a_folder_and_an_entry_of_the_message_may_be_left_out() -> None:
    document, folder = a_document(), a_folder()
    link = a_link(HAS_MEMBER, folder, document)
    submission = a_submission(document, folder, link)
    submission.associations = [each for each in submission.associations if each.target != link.entry_uuid]

    assert check(submission) == []


@pytest.mark.parametrize("told", [None, "Reference", "original", "Odd"])
def test_s3_what_is_in_the_message_is_original(told: str | None) -> None:
    submission = a_submission(a_document())
    submission.associations[0].submission_set_status = told

    [(code, where, what)] = check(submission)

    assert (code, where) == (WRONG, submission.associations[0].entry_uuid)
    assert "Original" in what


@pytest.mark.parametrize("told", [None, "Original", "Odd"])
def test_s3_what_is_registered_is_a_reference(told: str | None) -> None:
    name, submission = a_uuid(), a_submission()
    link = replace(included(submission.submission_set, name), submission_set_status=told)
    submission.associations.append(link)

    [(code, where, what)] = check(submission, holding(DocumentEntry, name))

    assert (code, where) == (WRONG, link.entry_uuid)
    assert "Reference" in what


def test_s3_a_reference_to_a_registered_entry_is_good() -> None:
    name, submission = a_uuid(), a_submission()
    submission.associations.append(included(submission.submission_set, name))

    assert check(submission, holding(DocumentEntry, name)) == []


@pytest.mark.parametrize("told", [None, "Original"])
def test_s3_the_status_of_folders_and_memberships_may_be_left_out(told: str | None) -> None:
    document, folder = a_document(), a_folder()
    submission = a_submission(document, folder, a_link(HAS_MEMBER, folder, document))
    for link in submission.associations:
        if link.target != document.entry_uuid:
            link.submission_set_status = told

    assert check(submission) == []


def test_s4_an_on_demand_entry_does_not_come_by_iti_42() -> None:
    entry = a_document(object_type=ObjectType.ON_DEMAND)

    assert (WRONG, entry.entry_uuid) in [(code, where) for code, where, _ in check(a_submission(entry))]


def test_s5_an_id_names_one_object() -> None:
    submission = a_submission(a_document(entry_uuid="D"), a_document(entry_uuid="D"))
    submission.associations.pop()

    assert [(code, where) for code, where, _ in check(submission)] == [(WRONG, "D")]


@pytest.mark.parametrize("end", ["source", "target"])
@pytest.mark.parametrize("name", ["nowhere", "", "urn:uuid:0d3c1f0e-8d51-4c6e-9a3c-2b1f8a7e6d5c"])
def test_s5_both_ends_of_an_association_lead_somewhere(end: str, name: str) -> None:
    document = a_document()
    link = replace(a_link(AssociationType.SIGNS, document, document), **{end: name})

    [(code, where, what)] = check(a_submission(document, link))

    assert (code, where) == (ErrorCode.UnresolvedReferenceException, link.entry_uuid)
    assert end in what


def test_s6_a_submitted_uuid_is_new_to_the_registry() -> None:
    document = a_document(entry_uuid=a_uuid())
    known = Known(taken_ids={document.entry_uuid})

    assert [(code, where) for code, where, _ in check(a_submission(document), known)] == [(WRONG, document.entry_uuid)]


def test_s7_attributes_are_judged_and_all_that_is_wrong_is_told() -> None:
    document = a_document(mime_type="", hash="x", title=(), extra_slots={"odd": ("x",)}, limited_metadata=True)
    document = replace(document, service_start_time="2027", service_stop_time="2026")

    found = check(a_submission(document))

    assert {code for code, _, _ in found} == {WRONG}
    assert len(found) == 5


def test_s8_a_logical_id_equals_the_id() -> None:
    name = a_uuid()

    assert check(a_submission(a_document(entry_uuid=name, logical_id=name.upper()))) == []
    assert codes(a_submission(a_document(entry_uuid=name, logical_id=a_uuid()))) == [WRONG]
    assert codes(a_submission(a_document(entry_uuid="Symbolic", logical_id="Other"))) == [WRONG]


@pytest.mark.parametrize("field", ["previous_version", "association_propagation", "original_status", "new_status"])
def test_s8_slots_of_updates_belong_to_iti_57(field: str) -> None:
    submission = a_submission(a_document())
    setattr(submission.associations[0], field, "1")

    [(code, _, what)] = check(submission)

    assert code is WRONG
    assert "ITI-57" in what


@pytest.mark.parametrize("kind", sorted(UPDATES), ids=lambda kind: kind.name)
def test_s8_association_types_of_updates_belong_to_iti_57(kind: AssociationType) -> None:
    document = a_document()

    assert codes(a_submission(document, a_link(kind, document, document))) == [WRONG]


def test_s9_extra_metadata_with_names_of_their_own_are_good() -> None:
    assert check(a_submission(a_document(extra_slots={"urn:example:x": ("1", "2")}))) == []


def test_s10_what_the_reader_could_not_keep_is_objected_to() -> None:
    data = submit_objects(a_submission(a_document())).replace(b"AssociationType:HasMember", b"AssociationType:Odd")

    found = check(read_submission(etree.fromstring(data)))

    assert found[0][0] is WRONG
    assert "Odd" in found[0][2]


def test_a_registered_submission_set_gets_no_members() -> None:
    document, name = a_document(), a_uuid()
    submission = a_submission(document, a_link(HAS_MEMBER, name, document))

    assert WRONG in codes(submission, holding(SubmissionSet, name))


def test_a_folder_holds_documents_only() -> None:
    one, other = a_folder(), a_folder()

    assert "is a DocumentEntry" in check(a_submission(one, other, a_link(HAS_MEMBER, one, other)))[0][2]


def test_a_document_has_no_members() -> None:
    one, other = a_document(), a_document()

    assert "goes out from" in check(a_submission(one, other, a_link(HAS_MEMBER, one, other)))[0][2]


def test_a_submission_set_is_no_member() -> None:
    submission = a_submission()
    owner = submission.submission_set
    submission.associations.append(a_link(HAS_MEMBER, owner, owner, submission_set_status="Original"))

    assert "not a member" in check(submission)[0][2]


@pytest.mark.parametrize("kind", [Folder, SubmissionSet], ids=lambda kind: kind.__name__)
def test_only_entries_are_included_by_reference(kind: type[RegistryObject]) -> None:
    name, submission = a_uuid(), a_submission()
    submission.associations.append(included(submission.submission_set, name))

    assert WRONG in codes(submission, holding(kind, name))


@pytest.mark.parametrize("kind", sorted(RELATIONSHIPS), ids=lambda kind: kind.name)
def test_m19_only_relationships_that_change_a_document_are_documented(kind: AssociationType) -> None:
    document = a_document()
    one = a_link(kind, document, document, documentation=(a_code("x"),))
    allowed = kind not in (AssociationType.SIGNS, AssociationType.IS_SNAPSHOT_OF)

    assert codes(a_submission(document, one)) == ([] if allowed else [WRONG])
    assert codes(a_submission(document, replace(one, documentation=(a_code("x"), a_code("y"))))) == [WRONG]


def test_m19_a_membership_is_not_documented() -> None:
    submission = a_submission(a_document())
    submission.associations[0].documentation = (a_code("x"),)

    assert codes(submission) == [WRONG]


def test_what_has_to_be_fetched_are_the_names_that_mean_something_outside() -> None:
    outside, own = a_uuid(), a_uuid()
    document = a_document(entry_uuid=own)
    submission = a_submission(
        document, a_link(AssociationType.APND, document, outside), a_link(AssociationType.SIGNS, document, "symbolic")
    )

    found = wanted(submission)

    assert found.references == {outside}
    assert found.submitted_ids == {own}
    assert found.addenda_targets == {outside}
    assert found.unique_ids == {document.unique_id, submission.submission_set.unique_id}
    assert found.patient_ids == {document.patient_id}
