"""ITI-42: how a submission fits in with patients, codes and what is registered; numbers are the digest's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from common.codes import load
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
from registry.known import Domain, Known, KnownObject, Taken
from registry.policy import AffinityDomain
from registry.rules.meaning import MEANING, REPLACING, TARGET_REGISTERED
from registry.rules.structure import RELATIONSHIPS
from tests.factories import (
    APPROVED,
    AUTHORITY,
    DEPRECATED,
    HAS_MEMBER,
    AnyDomain,
    a_code,
    a_document,
    a_folder,
    a_link,
    a_patient_id,
    a_submission,
    a_uuid,
    included,
)

WRONG = ErrorCode.XDSRegistryMetadataError
PATIENT = "9990001006^^^&2.16.840.1.113883.2.1.4.1&ISO"
OTHER = "9990001014^^^&2.16.840.1.113883.2.1.4.1&ISO"
RPLC, APND, XFRM = AssociationType.RPLC, AssociationType.APND, AssociationType.XFRM
every_relationship = pytest.mark.parametrize("kind", sorted(RELATIONSHIPS), ids=lambda kind: kind.name)


def check(submission: Submission, known: Known | None = None, domain: Domain | None = None) -> list[tuple[Any, str]]:
    return [(each.code, each.where) for each in MEANING.check(submission, known or Known(), domain or AnyDomain())]


def a_registered(
    kind: type[RegistryObject] = DocumentEntry,
    *,
    name: str | None = None,
    patient: str = PATIENT,
    status: AvailabilityStatus = APPROVED,
    object_type: ObjectType = ObjectType.STABLE,
) -> KnownObject:
    return KnownObject(name or a_uuid(), kind, patient, status, object_type=object_type)


def holding(*items: KnownObject) -> Known:
    return Known(objects={item.entry_uuid: item for item in items})


def fitting(kind: AssociationType, **differs: Any) -> KnownObject:
    on_demand = kind is AssociationType.IS_SNAPSHOT_OF
    return a_registered(object_type=ObjectType.ON_DEMAND if on_demand else ObjectType.STABLE, **differs)


@every_relationship
def test_a_relationship_to_a_current_document_of_the_same_patient_is_good(kind: AssociationType) -> None:
    document, target = a_document(), fitting(kind)

    assert check(a_submission(document, a_link(kind, document, target.entry_uuid)), holding(target)) == []


def test_m1_the_patient_is_one_that_the_domain_has() -> None:
    submission = a_submission(a_document())

    assert check(submission, domain=AnyDomain(refuse_patient="no")) == [(ErrorCode.XDSUnknownPatientId, PATIENT)]


def test_m1_a_patient_that_was_merged_away_takes_no_documents() -> None:
    assert check(a_submission(a_document()), Known(merged={PATIENT})) == [(ErrorCode.XDSUnknownPatientId, PATIENT)]


def test_m1_by_policy_only_fed_patients_are_known() -> None:
    domain = AnyDomain(only_fed=True)

    assert check(a_submission(a_document()), domain=domain) == [(ErrorCode.XDSUnknownPatientId, PATIENT)]
    assert check(a_submission(a_document()), Known(patients={PATIENT}), domain) == []


def test_m2_entries_and_folders_are_of_the_submission_sets_patient() -> None:
    document, folder = a_document(patient_id=OTHER), a_folder(patient_id=OTHER)
    submission = a_submission(a_document(), document, folder)

    assert check(submission) == [
        (ErrorCode.XDSPatientIdDoesNotMatch, document.entry_uuid),
        (ErrorCode.XDSPatientIdDoesNotMatch, folder.entry_uuid),
    ]


def test_m3_a_reference_may_be_of_another_patient() -> None:
    target, submission = a_registered(patient=OTHER), a_submission()
    submission.associations.append(included(submission.submission_set, target.entry_uuid))

    assert check(submission, holding(target)) == []


@every_relationship
def test_m4_both_ends_of_a_relationship_are_of_one_patient(kind: AssociationType) -> None:
    document, target = a_document(), fitting(kind, patient=OTHER)
    link = a_link(kind, document, target.entry_uuid)

    assert check(a_submission(document, link), holding(target)) == [
        (ErrorCode.XDSPatientIdDoesNotMatch, link.entry_uuid)
    ]


@pytest.mark.parametrize("which", ["new folder", "registered folder"])
def test_m4_a_folder_and_its_members_are_of_one_patient(which: str) -> None:
    document, folder = a_document(), a_folder()
    foreign = a_registered(DocumentEntry if which == "new folder" else Folder, patient=OTHER)
    ends = (folder, foreign.entry_uuid) if which == "new folder" else (foreign.entry_uuid, document)
    link = a_link(HAS_MEMBER, *ends)

    assert check(a_submission(document, folder, link), holding(foreign)) == [
        (ErrorCode.XDSPatientIdDoesNotMatch, link.entry_uuid)
    ]


def test_m5_a_known_unique_id_with_the_same_content_is_a_further_entry() -> None:
    document = a_document(hash="AB" * 20)
    known = Known(taken={document.unique_id or "": Taken("DocumentEntry", "ab" * 20, document.size)})

    assert check(a_submission(document), known) == []


def test_m6_a_known_unique_id_has_the_known_hash_and_size() -> None:
    document = a_document()
    known = Known(taken={document.unique_id or "": Taken("DocumentEntry", "ab" * 20, "1")})

    assert check(a_submission(document), known) == [
        (ErrorCode.XDSNonIdenticalHash, document.unique_id),
        (ErrorCode.XDSNonIdenticalSize, document.unique_id),
    ]


@pytest.mark.parametrize("kind", ["DocumentEntry", "SubmissionSet", "Folder", "Association"])
def test_m7_unique_ids_of_packages_are_those_of_no_object(kind: str) -> None:
    folder = a_folder()
    submission = a_submission(folder)
    names = [submission.submission_set.unique_id or "", folder.unique_id or ""]
    known = Known(taken={name: Taken(kind, "x", "1") for name in names})

    found = MEANING.check(submission, known, AnyDomain())

    assert [(each.code, each.where) for each in found] == [
        (ErrorCode.XDSDuplicateUniqueIdInRegistry, name) for name in names
    ]
    assert all(kind in each.what for each in found)


@pytest.mark.parametrize("kind", ["SubmissionSet", "Folder"])
def test_m7_the_unique_id_of_an_entry_is_not_that_of_a_package(kind: str) -> None:
    document = a_document()
    known = Known(taken={document.unique_id or "": Taken(kind, None, None)})

    assert (ErrorCode.XDSDuplicateUniqueIdInRegistry, document.unique_id) in check(a_submission(document), known)


@pytest.mark.parametrize("makers", [(a_document, a_document), (a_document, a_folder), (a_folder, a_folder)])
def test_m8_a_unique_id_occurs_once_in_a_message(makers: Any) -> None:
    submission = a_submission(*(make(unique_id="1.2.3") for make in makers))

    assert check(submission) == [(ErrorCode.XDSRegistryDuplicateUniqueIdInMessage, "1.2.3")]


def test_m9_codes_are_of_the_value_sets_and_display_names_are_never_judged() -> None:
    domain = AffinityDomain(load(), AUTHORITY, False, True)
    odd = a_code("odd", "1.2.3")
    assert check(a_submission(a_document(type_code=a_code("824331000000106", display="wrong"))), domain=domain) == []

    document = a_document(type_code=odd, confidentiality_codes=(odd, odd))

    assert check(a_submission(document), domain=domain) == [(WRONG, document.entry_uuid)] * 3


def test_m10_the_mime_type_is_of_the_domain() -> None:
    domain = AffinityDomain(load(), AUTHORITY, False, True)
    document = a_document(mime_type="application/x-odd")

    assert check(a_submission(document), domain=domain) == [(WRONG, document.entry_uuid)]


def test_m12_what_is_deprecated_is_not_put_into_a_folder() -> None:
    folder, target = a_folder(), a_registered(status=DEPRECATED)
    submission = a_submission(folder, a_link(HAS_MEMBER, folder, target.entry_uuid))

    assert check(submission, holding(target)) == [(ErrorCode.XDSRegistryDeprecatedDocumentError, target.entry_uuid)]


def test_m12_a_deprecated_folder_gets_no_members() -> None:
    document, folder = a_document(), a_registered(Folder, status=DEPRECATED)
    submission = a_submission(document, a_link(HAS_MEMBER, folder.entry_uuid, document))

    assert check(submission, holding(folder)) == [(WRONG, folder.entry_uuid)]


@every_relationship
def test_m13_a_relationship_starts_at_an_entry_of_the_message(kind: AssociationType) -> None:
    source, target = a_registered(), fitting(kind)
    link = a_link(kind, source.entry_uuid, target.entry_uuid)

    assert check(a_submission(a_document(), link), holding(source, target)) == [
        (ErrorCode.UnresolvedReferenceException, link.entry_uuid)
    ]


@pytest.mark.parametrize("kind", sorted(TARGET_REGISTERED), ids=lambda kind: kind.name)
def test_m14_what_is_replaced_or_snapshotted_is_registered(kind: AssociationType) -> None:
    document, other = a_document(), a_document()
    link = a_link(kind, document, other)

    assert check(a_submission(document, other, link)) == [(ErrorCode.UnresolvedReferenceException, link.entry_uuid)]


@pytest.mark.parametrize("kind", sorted(RELATIONSHIPS - TARGET_REGISTERED), ids=lambda kind: kind.name)
def test_m14_other_targets_may_be_in_the_message(kind: AssociationType) -> None:
    document, other = a_document(), a_document()

    assert check(a_submission(document, other, a_link(kind, document, other))) == []


@every_relationship
@pytest.mark.parametrize("target", [SubmissionSet, Folder], ids=lambda kind: kind.__name__)
def test_m14_a_relationship_ends_at_a_document(kind: AssociationType, target: type[RegistryObject]) -> None:
    document, seen = a_document(), a_registered(target)
    link = a_link(kind, document, seen.entry_uuid)

    assert (ErrorCode.UnresolvedReferenceException, link.entry_uuid) in check(
        a_submission(document, link), holding(seen)
    )


@every_relationship
def test_m15_a_deprecated_document_is_refused_as_target(kind: AssociationType) -> None:
    document, target = a_document(), fitting(kind, status=DEPRECATED)

    assert check(a_submission(document, a_link(kind, document, target.entry_uuid)), holding(target)) == [
        (ErrorCode.XDSRegistryDeprecatedDocumentError, target.entry_uuid)
    ]


def test_m16_a_snapshot_is_of_an_on_demand_document() -> None:
    document, target = a_document(), a_registered()
    link = a_link(AssociationType.IS_SNAPSHOT_OF, document, target.entry_uuid)

    assert check(a_submission(document, link), holding(target)) == [(WRONG, link.entry_uuid)]


@pytest.mark.parametrize("where", ["in the message", "registered"])
def test_m17_a_transformation_gets_no_addendum(where: str) -> None:
    addendum, made, original = a_document(), a_document(), a_registered()
    known = holding(original)
    target: Any = made
    links = [a_link(XFRM, made, original.entry_uuid)]
    if where == "registered":
        target, links = a_registered(), []
        known = holding(original, target)
        known.transformations = {target.entry_uuid}
    addition = a_link(APND, addendum, target.entry_uuid)

    assert check(a_submission(addendum, made, *links, addition), known) == [(WRONG, addition.entry_uuid)]


@pytest.mark.parametrize("kinds", [(RPLC, RPLC), (RPLC, AssociationType.XFRM_RPLC)])
def test_m18_a_document_is_replaced_once_in_a_message(kinds: Any) -> None:
    documents, target = (a_document(), a_document()), a_registered()
    links = [a_link(kind, each, target.entry_uuid) for kind, each in zip(kinds, documents, strict=True)]

    assert check(a_submission(*documents, *links), holding(target)) == [(WRONG, target.entry_uuid)]


def test_objections_of_several_rules_come_together() -> None:
    document = a_document(unique_id="1.2.3", patient_id=OTHER, mime_type="application/x-odd")
    submission = a_submission(a_document(), document, a_folder(unique_id="1.2.3"))
    domain = replace(AffinityDomain(load(), "1.2.3", False, True))

    assert {code for code, _ in check(submission, domain=domain)} == {
        ErrorCode.XDSUnknownPatientId,
        ErrorCode.XDSPatientIdDoesNotMatch,
        ErrorCode.XDSRegistryDuplicateUniqueIdInMessage,
        WRONG,
    }


def test_what_another_rule_misses_is_no_reason_to_break_down() -> None:
    document = a_document(type_code=None, patient_id=None)
    document.unique_id = None
    document.mime_type = ""

    assert check(a_submission(document, patient_id=None)) == []


@pytest.mark.parametrize(
    ("authority", "test_numbers", "patient", "good"),
    [
        (AUTHORITY, True, PATIENT, True),
        (AUTHORITY, False, PATIENT, False),
        (AUTHORITY, True, PATIENT.replace("1006", "1007"), False),
        (AUTHORITY, True, "9990001006^^^&1.2.3&ISO", False),
        ("1.2.3", True, "any id^^^&1.2.3&ISO", True),
        (AUTHORITY, True, "not even a CX", True),
    ],
)
def test_the_domain_judges_patient_ids_in_words_that_do_not_repeat_them(
    authority: str, test_numbers: bool, patient: str, good: bool
) -> None:
    problem = AffinityDomain(load(), authority, False, test_numbers).patient_problem(patient)

    assert (problem is None) is good
    assert problem is None or patient.split("^")[0] not in problem


def test_a_patient_id_of_the_factories_is_valid() -> None:
    assert AffinityDomain(load(), AUTHORITY, False, True).patient_problem(a_patient_id()) is None


def test_every_replacing_type_wants_a_registered_target() -> None:
    assert REPLACING < TARGET_REGISTERED < RELATIONSHIPS
