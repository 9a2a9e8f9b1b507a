"""ITI-42 with a database: effects, repetition, and that a refused submission leaves nothing behind."""

from __future__ import annotations

import pytest

from common.model import AssociationType, AvailabilityStatus, DocumentEntry, Status, Submission
from common.standard.errors import ErrorCode
from tests.factories import (
    HAS_MEMBER,
    AnyDomain,
    a_document,
    a_folder,
    a_link,
    a_patient_id,
    a_submission,
    a_submission_set,
    a_uuid,
    included,
)
from tests.unit.registry.small import SmallRegistry

APPROVED, DEPRECATED = AvailabilityStatus.APPROVED, AvailabilityStatus.DEPRECATED
RPLC, APND, XFRM = AssociationType.RPLC, AssociationType.APND, AssociationType.XFRM
XFRM_RPLC, SIGNS = AssociationType.XFRM_RPLC, AssociationType.SIGNS


def documents(registry: SmallRegistry, *uuids: str) -> dict[str, DocumentEntry]:
    listed = ",".join(f"'{name}'" for name in uuids)
    found = registry.found("GetDocuments", {"$XDSDocumentEntryEntryUUID": f"({listed})"})
    return {item.entry_uuid: item for item in found.entries}


def statuses(registry: SmallRegistry, *uuids: str) -> list[AvailabilityStatus | None]:
    found = documents(registry, *uuids)
    return [found[name].availability_status for name in uuids]


def a_registered(registry: SmallRegistry, *items: object, patient_id: str | None = None) -> Submission:
    return registry.registered(a_submission(*items, patient_id=patient_id or a_patient_id()))  # type: ignore[arg-type]


def successor(registry: SmallRegistry, kind: AssociationType, target: DocumentEntry) -> DocumentEntry:
    document = a_document(patient_id=target.patient_id)
    return registry.registered(a_submission(document, a_link(kind, document, target.entry_uuid))).entries[0]


def test_e1_symbolic_ids_get_uuids_and_submitted_uuids_stay(registry: SmallRegistry) -> None:
    kept = a_uuid()
    assert registry.register(a_submission(a_document(entry_uuid=kept), a_document())).status is Status.SUCCESS

    assert kept in documents(registry, kept)
    assert registry.rows()["entry"] == 2


def test_e2_what_is_registered_is_approved_in_version_1(registry: SmallRegistry) -> None:
    document, folder = a_document(availability_status=DEPRECATED), a_folder()
    submission = a_registered(registry, document, folder, a_link(HAS_MEMBER, folder, document))

    found = registry.found(
        "GetSubmissionSetAndContents", {"$XDSSubmissionSetUniqueId": f"'{submission.submission_set.unique_id}'"}
    )

    assert len(found.objects()) == 7
    for item in found.objects():
        assert item.availability_status is APPROVED
        assert item.logical_id == item.entry_uuid
        assert item.version == 1


@pytest.mark.parametrize("kind", [RPLC, XFRM_RPLC], ids=lambda kind: kind.name)
def test_e3_what_is_replaced_and_all_derived_from_it_is_deprecated(
    registry: SmallRegistry, kind: AssociationType
) -> None:
    [old] = a_registered(registry, a_document()).entries
    transformed = successor(registry, XFRM, old)
    appended = successor(registry, APND, old)
    appended_to_that = successor(registry, APND, appended)
    signature = successor(registry, SIGNS, old)

    new = successor(registry, kind, old)

    names = [each.entry_uuid for each in (old, transformed, appended, appended_to_that, signature, new)]
    assert statuses(registry, *names) == [DEPRECATED] * 4 + [APPROVED] * 2


@pytest.mark.parametrize("kind", [XFRM, APND, SIGNS], ids=lambda kind: kind.name)
def test_e3_other_relationships_deprecate_nothing(registry: SmallRegistry, kind: AssociationType) -> None:
    [old] = a_registered(registry, a_document()).entries

    new = successor(registry, kind, old)

    assert statuses(registry, old.entry_uuid, new.entry_uuid) == [APPROVED, APPROVED]


def test_e4_the_successor_joins_the_folders_and_the_old_membership_stays(registry: SmallRegistry) -> None:
    document, folder = a_document(), a_folder()
    before = a_registered(registry, document, folder, a_link(HAS_MEMBER, folder, document))
    [old], [in_folder] = before.entries, before.folders

    new = successor(registry, RPLC, old)

    members = registry.found("GetAssociations", {"$uuid": f"('{in_folder.entry_uuid}')"}).associations
    joined = {link.target: link for link in members if link.source == in_folder.entry_uuid}
    assert joined.keys() == {old.entry_uuid, new.entry_uuid}
    around = registry.found("GetAssociations", {"$uuid": f"('{joined[new.entry_uuid].entry_uuid}')"}).associations
    assert [link.type for link in around] == [HAS_MEMBER]


def test_e5_a_folder_is_stamped_when_made_and_when_it_gets_a_member(registry: SmallRegistry) -> None:
    patient = a_patient_id()
    folder = a_folder(last_update_time="2000", patient_id=patient)
    [made] = a_registered(registry, folder, patient_id=patient).folders

    def stamp() -> str | None:
        return (
            registry.found("GetFolders", {"$XDSFolderEntryUUID": f"('{made.entry_uuid}')"}).folders[0].last_update_time
        )

    assert stamp() == "20260311150000"

    registry.now = "20260311150001"
    document = a_document(patient_id=patient)
    submission = registry.registered(a_submission(document, a_link(HAS_MEMBER, made.entry_uuid, document)))
    assert stamp() == "20260311150001"

    registry.now = "20260311150002"
    successor(registry, RPLC, submission.entries[0])
    assert stamp() == "20260311150002"


def test_d14_the_time_of_a_folder_never_goes_back(registry: SmallRegistry) -> None:
    patient = a_patient_id()
    [made] = a_registered(registry, a_folder(patient_id=patient), patient_id=patient).folders

    registry.now = "20250101000000"
    document = a_document(patient_id=patient)
    registry.registered(a_submission(document, a_link(HAS_MEMBER, made.entry_uuid, document)))

    [found] = registry.found("GetFolders", {"$XDSFolderEntryUUID": f"('{made.entry_uuid}')"}).folders
    assert found.last_update_time == "20260311150000"


def test_e6_attributes_and_extra_metadata_come_back_as_they_were(registry: SmallRegistry) -> None:
    [before] = a_registered(
        registry,
        a_document(
            extra_slots={"urn:example:one": ("a & b", "<c>")},
            reference_id_list=("R-1^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:referral",),
            event_codes=(a_document().class_code,),
            uri=("letter.pdf",),
        ),
    ).entries

    after = documents(registry, before.entry_uuid)[before.entry_uuid]

    before.availability_status, before.logical_id, before.version = APPROVED, before.entry_uuid, 1
    assert after == before


def test_s6_a_uuid_that_is_taken_is_refused_for_every_kind_of_object(registry: SmallRegistry) -> None:
    document, folder = a_document(), a_folder()
    before = a_registered(registry, document, folder, a_link(HAS_MEMBER, folder, document))

    for item in before.objects():
        response = registry.register(a_submission(a_document(entry_uuid=item.entry_uuid)))
        assert [error.code for error in response.errors] == [ErrorCode.XDSRegistryMetadataError], item


def test_a_uuid_that_the_registry_gave_is_taken_too(registry: SmallRegistry) -> None:
    document = a_document()
    registry.register(a_submission(document))
    [given] = registry.ids("GetDocuments", {"$XDSDocumentEntryUniqueId": f"('{document.unique_id}')"})

    response = registry.register(a_submission(a_document(entry_uuid=given)))

    assert [error.code for error in response.errors] == [ErrorCode.XDSRegistryMetadataError]


def test_m5_the_same_document_can_be_registered_again(registry: SmallRegistry) -> None:
    document = a_document()
    assert registry.register(a_submission(document)).status is Status.SUCCESS
    assert registry.register(a_submission(document)).status is Status.SUCCESS

    assert len(registry.ids("GetDocuments", {"$XDSDocumentEntryUniqueId": f"('{document.unique_id}')"})) == 2


def test_m6_another_content_is_refused_even_when_the_first_was_replaced(registry: SmallRegistry) -> None:
    [old] = a_registered(registry, a_document()).entries
    successor(registry, RPLC, old)

    response = registry.register(a_submission(a_document(unique_id=old.unique_id, hash="ab" * 20, size="1")))

    assert {error.code for error in response.errors} == {
        ErrorCode.XDSNonIdenticalHash,
        ErrorCode.XDSNonIdenticalSize,
    }


def test_m15_what_is_deprecated_is_not_replaced_again(registry: SmallRegistry) -> None:
    [old] = a_registered(registry, a_document()).entries
    successor(registry, RPLC, old)

    document = a_document(patient_id=old.patient_id)
    response = registry.register(a_submission(document, a_link(RPLC, document, old.entry_uuid)))

    assert [error.code for error in response.errors] == [ErrorCode.XDSRegistryDeprecatedDocumentError]


def test_m17_what_was_transformed_gets_no_addendum(registry: SmallRegistry) -> None:
    [old] = a_registered(registry, a_document()).entries
    made = successor(registry, XFRM, old)

    document = a_document(patient_id=old.patient_id)
    response = registry.register(a_submission(document, a_link(APND, document, made.entry_uuid)))

    assert [error.code for error in response.errors] == [ErrorCode.XDSRegistryMetadataError]


def test_references_to_every_kind_of_registered_object_are_understood(registry: SmallRegistry) -> None:
    document, folder = a_document(), a_folder()
    before = a_registered(registry, document, folder, a_link(HAS_MEMBER, folder, document))
    [entry] = before.entries

    good = a_submission(patient_id=before.submission_set.patient_id)
    good.associations.append(included(good.submission_set, entry.entry_uuid))
    assert registry.register(good).status is Status.SUCCESS

    for item in [*before.submission_sets, *before.folders, *before.associations]:
        wrong = a_submission(patient_id=before.submission_set.patient_id)
        wrong.associations.append(included(wrong.submission_set, item.entry_uuid))
        assert {error.code for error in registry.register(wrong).errors} == {ErrorCode.XDSRegistryMetadataError}


def test_the_same_message_again_is_success_and_changes_nothing(registry: SmallRegistry) -> None:
    submission, name = a_submission(a_document(), a_folder()), a_uuid()
    assert registry.register(submission, message_id=name).status is Status.SUCCESS
    before = registry.rows()

    assert registry.register(submission, message_id=name).status is Status.SUCCESS
    assert registry.rows() == before


def test_the_same_replacement_again_is_success_though_its_target_is_deprecated_by_now(registry: SmallRegistry) -> None:
    [old] = a_registered(registry, a_document()).entries
    document, name = a_document(patient_id=old.patient_id), a_uuid()
    submission = a_submission(document, a_link(RPLC, document, old.entry_uuid))

    assert registry.register(submission, message_id=name).status is Status.SUCCESS
    assert registry.register(submission, message_id=name).status is Status.SUCCESS


@pytest.mark.parametrize("which", ["another message id", "other content"])
def test_another_message_that_reuses_a_unique_id_is_told_so(registry: SmallRegistry, which: str) -> None:
    submission, name = a_submission(a_document()), a_uuid()
    registry.register(submission, message_id=name, digest="d1")

    if which == "other content":
        response = registry.register(submission, message_id=name, digest="d2")
    else:
        response = registry.register(submission, digest="d1")

    assert [error.code for error in response.errors] == [ErrorCode.XDSDuplicateUniqueIdInRegistry]
    assert submission.submission_set.unique_id in response.errors[0].context


def test_a_refused_submission_leaves_nothing_and_every_error_names_the_correlation(registry: SmallRegistry) -> None:
    before = registry.rows()

    response = registry.register(a_submission(a_document(mime_type=""), a_document(hash="x")))

    assert response.status is Status.FAILURE
    assert len(response.errors) == 2
    assert all(error.context.endswith("[c1]") for error in response.errors)
    assert registry.rows() == before


def test_a_submission_of_too_many_objects_is_refused(registry: SmallRegistry) -> None:
    registry.max_objects = 5

    response = registry.register(a_submission(a_document(), a_document(), a_document()))

    assert [error.code for error in response.errors] == [ErrorCode.XDSRegistryOutOfResources]
    assert "7 objects; at most 5" in response.errors[0].context


def test_by_policy_a_patient_has_to_be_fed_and_not_merged(registry: SmallRegistry) -> None:
    registry.domain = AnyDomain(only_fed=True)
    fed, merged, unknown = a_patient_id(), a_patient_id(), a_patient_id()
    registry.feed(fed)
    registry.feed(merged, merged_into=fed)

    found = [registry.register(a_submission(a_document(), patient_id=each)) for each in (fed, merged, unknown)]

    assert [each.status for each in found] == [Status.SUCCESS, Status.FAILURE, Status.FAILURE]
    assert {error.code for each in found for error in each.errors} == {ErrorCode.XDSUnknownPatientId}


def test_a_submission_without_submission_set_is_refused_though_nothing_tells_it_from_a_repetition(
    registry: SmallRegistry,
) -> None:
    nameless = a_submission_set()
    nameless.unique_id = None

    for sets in ([], [nameless]):
        assert registry.register(Submission(submission_sets=sets)).status is Status.FAILURE
