"""ITI-57 and ITI-92 with a database: versions, statuses, Associations; and that what is refused changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from common.model import (
    Association,
    AssociationType,
    DocumentEntry,
    Folder,
    RegistryResponse,
    Severity,
    Status,
)
from common.standard.errors import ErrorCode
from tests.factories import (
    APPROVED,
    DEPRECATED,
    HAS_MEMBER,
    AnyDomain,
    a_document,
    a_folder,
    a_link,
    a_new_version,
    a_patient_id,
    a_status_change,
    a_submission,
    a_submission_set,
    a_submitted_association,
    a_uuid,
    an_oid,
    an_update,
    text,
)
from tests.unit.registry.small import SmallRegistry

RPLC, APND, XFRM = AssociationType.RPLC, AssociationType.APND, AssociationType.XFRM
WRONG, VERSION = ErrorCode.XDSMetadataUpdateError, ErrorCode.XDSMetadataVersionError
UNREADABLE, PATIENT = ErrorCode.XDSMetadataUpdateOperationError, ErrorCode.XDSPatientIDReconciliationError
BOTH = f"('{APPROVED}','{DEPRECATED}')"


def codes(response: RegistryResponse) -> list[str]:
    return sorted({error.code for error in response.errors if error.severity is Severity.ERROR})


def good(response: RegistryResponse) -> None:
    assert response.status is Status.SUCCESS, response.errors


def versions(registry: SmallRegistry, logical_id: str) -> dict[int, DocumentEntry]:
    slots = {"$XDSDocumentEntryLogicalID": f"('{logical_id}')", "$MetadataLevel": "2"}
    return {item.version or 0: item for item in registry.found("GetDocuments", slots).entries}


def folder_versions(registry: SmallRegistry, logical_id: str) -> dict[int, Folder]:
    slots = {"$XDSFolderLogicalID": f"('{logical_id}')", "$MetadataLevel": "2"}
    return {item.version or 0: item for item in registry.found("GetFolders", slots).folders}


def links(registry: SmallRegistry, *uuids: str) -> list[Association]:
    listed = ",".join(f"'{name}'" for name in uuids)
    slots = {"$uuid": f"({listed})", "$MetadataLevel": "2", "$XDSAssociationStatus": BOTH}
    return registry.found("GetAssociations", slots).associations


def kinds(registry: SmallRegistry, *uuids: str) -> set[tuple[str, str, str]]:
    return {(link.type.name, link.source, link.target) for link in links(registry, *uuids)}


def a_letter(registry: SmallRegistry, *more: Any, **differs: Any) -> DocumentEntry:
    document = a_document(**{"entry_uuid": a_uuid(), "patient_id": a_patient_id(), **differs})
    registry.registered(a_submission(document, *more, patient_id=document.patient_id))
    return document


def test_a_new_version_follows_the_old_one_which_is_kept(registry: SmallRegistry) -> None:
    letter = a_letter(registry)

    good(registry.update(an_update(a_new_version(letter, title=text("Corrected title")))))

    old, new = versions(registry, letter.entry_uuid).values()
    assert (old.version, old.availability_status, old.title) == (1, DEPRECATED, letter.title)
    assert (new.version, new.availability_status, new.title) == (2, APPROVED, text("Corrected title"))
    assert old.logical_id == new.logical_id == letter.entry_uuid == old.entry_uuid != new.entry_uuid
    assert replace(new, entry_uuid="", version=1, title=letter.title) == replace(
        old, entry_uuid="", availability_status=APPROVED
    )


def test_queries_at_level_1_see_the_latest_version_only(registry: SmallRegistry) -> None:
    letter = a_letter(registry)
    good(registry.update(an_update(a_new_version(letter))))
    newest = versions(registry, letter.entry_uuid)[2].entry_uuid
    by_unique_id = {"$XDSDocumentEntryUniqueId": f"('{letter.unique_id}')"}
    find = {"$XDSDocumentEntryPatientId": f"'{letter.patient_id}'", "$XDSDocumentEntryStatus": BOTH}

    assert registry.ids("GetDocuments", by_unique_id) == {newest}
    assert registry.ids("FindDocuments", find) == {newest}
    assert registry.ids("FindDocuments", find | {"$MetadataLevel": "2"}) == {newest, letter.entry_uuid}
    assert registry.ids("GetDocuments", by_unique_id | {"$MetadataLevel": "2"}) == {newest, letter.entry_uuid}


def test_versions_follow_each_other(registry: SmallRegistry) -> None:
    letter = a_letter(registry)
    for number in range(1, 5):
        good(registry.update(an_update(a_new_version(letter, title=text(f"Title {number}")), previous=str(number))))

    found = versions(registry, letter.entry_uuid)
    assert sorted(found) == [1, 2, 3, 4, 5]
    assert [found[each].availability_status for each in sorted(found)] == [DEPRECATED] * 4 + [APPROVED]


def test_what_an_entry_is_tied_to_goes_with_its_new_version(registry: SmallRegistry) -> None:
    registry.now = "20260101000000"
    folder = a_folder(entry_uuid=a_uuid())
    letter = a_document(entry_uuid=a_uuid())
    patient = a_patient_id()
    registry.registered(a_submission(letter, folder, a_link(HAS_MEMBER, folder, letter), patient_id=patient))
    letter = replace(letter, patient_id=patient)
    addendum = a_letter(registry, a_link(APND, "addendum", letter), entry_uuid="addendum", patient_id=patient)
    [addendum_uuid] = {link.source for link in links(registry, letter.entry_uuid) if link.type is APND}

    registry.now = "20260202000000"
    update = an_update(a_new_version(letter))
    good(registry.update(update))

    new = versions(registry, letter.entry_uuid)[2].entry_uuid
    tied = kinds(registry, new)
    assert ("HAS_MEMBER", folder.entry_uuid, new) in tied
    assert ("APND", addendum_uuid, new) in tied
    assert len(tied) == 3, "and the membership in its SubmissionSet"
    [membership] = [link for link in links(registry, new) if link.source == folder.entry_uuid]
    assert [link.type for link in links(registry, membership.entry_uuid)] == [HAS_MEMBER], "filed by the SubmissionSet"
    assert ("APND", addendum_uuid, letter.entry_uuid) in kinds(registry, letter.entry_uuid), (
        "the old version keeps its own"
    )
    [kept] = registry.found("GetFolders", {"$XDSFolderEntryUUID": f"('{folder.entry_uuid}')"}).folders
    assert kept.last_update_time == "20260202000000"
    assert addendum.unique_id


def test_nothing_goes_with_a_new_version_that_is_told_not_to(registry: SmallRegistry) -> None:
    folder, letter, patient = a_folder(entry_uuid=a_uuid()), a_document(entry_uuid=a_uuid()), a_patient_id()
    registry.registered(a_submission(letter, folder, a_link(HAS_MEMBER, folder, letter), patient_id=patient))

    good(registry.update(an_update(a_new_version(replace(letter, patient_id=patient)), propagation="no")))

    assert {kind for kind, _, _ in kinds(registry, versions(registry, letter.entry_uuid)[2].entry_uuid)} == {
        "HAS_MEMBER"
    }
    contents = {"$XDSFolderEntryUUID": f"'{folder.entry_uuid}'"}
    assert registry.ids("GetFolderAndContents", contents) == {folder.entry_uuid}


def test_a_folder_and_its_member_updated_together_are_tied_once(registry: SmallRegistry) -> None:
    folder, letter, patient = a_folder(entry_uuid=a_uuid()), a_document(entry_uuid=a_uuid()), a_patient_id()
    registry.registered(a_submission(letter, folder, a_link(HAS_MEMBER, folder, letter), patient_id=patient))
    folder, letter = replace(folder, patient_id=patient), replace(letter, patient_id=patient)

    good(registry.update(an_update(a_new_version(letter), a_new_version(folder, title=text("Renamed")))))

    new_letter = versions(registry, letter.entry_uuid)[2].entry_uuid
    new_folder = folder_versions(registry, folder.entry_uuid)[2]
    assert new_folder.title == text("Renamed")
    memberships = {each for each in kinds(registry, new_folder.entry_uuid) if each[1] == new_folder.entry_uuid}
    assert memberships == {("HAS_MEMBER", new_folder.entry_uuid, new_letter)}


def test_members_of_a_folder_are_members_of_its_new_version(registry: SmallRegistry) -> None:
    folder, patient = a_folder(entry_uuid=a_uuid()), a_patient_id()
    letters = [a_document(entry_uuid=a_uuid()) for _ in range(2)]
    joined = [a_link(HAS_MEMBER, folder, letter) for letter in letters]
    registry.registered(a_submission(*letters, folder, *joined, patient_id=patient))

    good(registry.update(an_update(a_new_version(replace(folder, patient_id=patient)))))

    new = folder_versions(registry, folder.entry_uuid)[2]
    contents = registry.found("GetFolderAndContents", {"$XDSFolderUniqueId": f"'{folder.unique_id}'"})
    assert {item.entry_uuid for item in contents.folders} == {new.entry_uuid}
    assert {item.entry_uuid for item in contents.entries} == {letter.entry_uuid for letter in letters}
    assert folder_versions(registry, folder.entry_uuid)[1].availability_status is DEPRECATED


@pytest.mark.parametrize("previous", ["2", "7"])
def test_u4_a_previous_version_that_is_not_the_latest_is_refused(registry: SmallRegistry, previous: str) -> None:
    letter = a_letter(registry)
    before = registry.rows()

    assert codes(registry.update(an_update(a_new_version(letter), previous=previous))) == [VERSION]
    assert registry.rows() == before


def test_u3_an_unknown_logical_id_is_refused(registry: SmallRegistry) -> None:
    assert codes(registry.update(an_update(a_new_version(a_document(entry_uuid=a_uuid()))))) == [VERSION]


def test_u5_what_is_deprecated_is_not_amended(registry: SmallRegistry) -> None:
    letter = a_letter(registry)
    good(registry.update(a_status_change(letter, APPROVED, DEPRECATED, patient_id=letter.patient_id or "")))

    assert codes(registry.update(an_update(a_new_version(letter)))) == [WRONG]


def test_u6_the_unique_id_stays(registry: SmallRegistry) -> None:
    letter = a_letter(registry)

    assert codes(registry.update(an_update(a_new_version(letter, unique_id=an_oid())))) == [WRONG]


def test_u7_other_bytes_are_another_document(registry: SmallRegistry) -> None:
    letter = a_letter(registry)

    response = registry.update(an_update(a_new_version(letter, hash="a" * 40)))

    assert codes(response) == [ErrorCode.XDSNonIdenticalHash]


def test_a_size_that_contradicts_the_bytes_is_not_taken(registry: SmallRegistry) -> None:
    letter = a_letter(registry)

    response = registry.update(an_update(a_new_version(letter, size="44")))

    good(response)
    assert [(each.code, each.severity) for each in response.errors] == [
        (ErrorCode.XDSNonIdenticalSize, Severity.WARNING)
    ]
    assert versions(registry, letter.entry_uuid)[2].size == letter.size


def test_u8_a_letter_filed_for_the_wrong_patient_moves(registry: SmallRegistry) -> None:
    letter, right = a_letter(registry), a_patient_id()

    good(registry.update(an_update(a_new_version(letter, patient_id=right))))

    def found(patient_id: str | None) -> set[str]:
        slots = {"$XDSDocumentEntryPatientId": f"'{patient_id}'", "$XDSDocumentEntryStatus": f"('{APPROVED}')"}
        return registry.ids("FindDocuments", slots)

    assert (len(found(letter.patient_id)), len(found(right))) == (0, 1)


def test_u8_what_is_tied_to_the_old_patient_does_not_move_alone(registry: SmallRegistry) -> None:
    folder, letter, patient = a_folder(entry_uuid=a_uuid()), a_document(entry_uuid=a_uuid()), a_patient_id()
    registry.registered(a_submission(letter, folder, a_link(HAS_MEMBER, folder, letter), patient_id=patient))
    right = a_patient_id()
    moved = a_new_version(letter, patient_id=right)
    before = registry.rows()

    assert codes(registry.update(an_update(moved))) == [PATIENT]
    assert registry.rows() == before
    good(registry.update(an_update(moved, a_new_version(folder, patient_id=right))))


def test_u9_an_object_is_updated_once_in_a_message(registry: SmallRegistry) -> None:
    letter = a_letter(registry)

    assert UNREADABLE in codes(registry.update(an_update(a_new_version(letter), a_new_version(letter))))


@pytest.mark.parametrize(
    ("slots", "code"),
    [
        ({"previous_version": None}, WRONG),
        ({"previous_version": "no"}, UNREADABLE),
        ({"previous_version": "0"}, UNREADABLE),
        ({"previous_version": "٣"}, UNREADABLE),
        ({"association_propagation": "maybe"}, UNREADABLE),
        ({"submission_set_status": "Duplicate"}, UNREADABLE),
        ({"submission_set_status": None}, UNREADABLE),
        ({"original_status": APPROVED.value}, UNREADABLE),
    ],
    ids=str,
)
def test_u1_u10_the_membership_of_a_new_version_says_what_it_must(
    registry: SmallRegistry, slots: dict[str, str | None], code: ErrorCode
) -> None:
    letter = a_letter(registry)
    update = an_update(a_new_version(letter))
    for name, value in slots.items():
        setattr(update.associations[0], name, value)

    assert codes(registry.update(update)) == [code]


def test_u2_a_first_version_is_refused(registry: SmallRegistry) -> None:
    letter = a_letter(registry)

    assert WRONG in codes(registry.update(an_update(a_document())))
    assert WRONG in codes(registry.update(a_submission(a_document(patient_id=letter.patient_id))))
    same = a_new_version(letter, entry_uuid=letter.entry_uuid)
    assert WRONG in codes(registry.update(an_update(same)))


def test_an_update_that_asks_for_nothing_is_refused(registry: SmallRegistry) -> None:
    assert codes(registry.update(a_submission())) == [WRONG]


def test_a_relationship_that_nobody_submits_is_not_understood(registry: SmallRegistry) -> None:
    letter, other = a_letter(registry), a_letter(registry)
    update = an_update(a_new_version(letter))
    update.associations.append(a_link(APND, update.entries[0], other))

    assert UNREADABLE in codes(registry.update(update))


def test_what_belongs_to_updates_is_refused_by_iti_42(registry: SmallRegistry) -> None:
    letter = a_letter(registry)

    assert ErrorCode.XDSRegistryMetadataError in codes(registry.register(an_update(a_new_version(letter))))
    change = a_status_change(letter, APPROVED, DEPRECATED, patient_id=letter.patient_id or "")
    assert ErrorCode.XDSRegistryMetadataError in codes(registry.register(change))


def test_a_status_changes_and_changes_back(registry: SmallRegistry) -> None:
    letter = a_letter(registry)
    patient = letter.patient_id or ""

    good(registry.update(a_status_change(letter, APPROVED, DEPRECATED, patient_id=patient)))
    assert versions(registry, letter.entry_uuid)[1].availability_status is DEPRECATED
    good(registry.update(a_status_change(letter, DEPRECATED, APPROVED, patient_id=patient)))
    assert versions(registry, letter.entry_uuid)[1].availability_status is APPROVED
    assert registry.rows()["association"] == 1, "what triggers a change is not kept"


def test_a4_a_status_changes_from_what_it_is(registry: SmallRegistry) -> None:
    letter = a_letter(registry)

    assert codes(
        registry.update(a_status_change(letter, DEPRECATED, APPROVED, patient_id=letter.patient_id or ""))
    ) == [WRONG]


def test_a3_an_older_version_keeps_its_status(registry: SmallRegistry) -> None:
    letter = a_letter(registry)
    good(registry.update(an_update(a_new_version(letter))))

    assert codes(
        registry.update(a_status_change(letter, DEPRECATED, APPROVED, patient_id=letter.patient_id or ""))
    ) == [WRONG]


def test_a2_the_target_of_a_status_is_registered(registry: SmallRegistry) -> None:
    response = registry.update(a_status_change(a_uuid(), APPROVED, DEPRECATED, patient_id=a_patient_id()))

    assert codes(response) == [ErrorCode.UnresolvedReferenceException]


def test_a5_a_submission_set_and_its_memberships_keep_their_status(registry: SmallRegistry) -> None:
    letter, patient = a_document(entry_uuid=a_uuid()), a_patient_id()
    owner = a_submission_set(entry_uuid=a_uuid(), patient_id=patient)
    registry.registered(a_submission(letter, patient_id=patient, owner=owner))
    [membership] = links(registry, letter.entry_uuid)

    for target in (owner.entry_uuid, membership.entry_uuid):
        assert codes(registry.update(a_status_change(target, APPROVED, DEPRECATED, patient_id=patient))) == [WRONG]


@pytest.mark.parametrize("value", [None, "Approved", "urn:example:Sealed"])
def test_a1_statuses_are_those_of_the_standard(registry: SmallRegistry, value: str | None) -> None:
    letter = a_letter(registry)
    change = a_status_change(letter, APPROVED, DEPRECATED, patient_id=letter.patient_id or "")
    change.associations[0].new_status = value

    assert codes(registry.update(change)) == [UNREADABLE]


def test_a_status_is_changed_for_the_objects_own_patient(registry: SmallRegistry) -> None:
    letter = a_letter(registry)

    assert codes(registry.update(a_status_change(letter, APPROVED, DEPRECATED, patient_id=a_patient_id()))) == [PATIENT]


def test_a_replaced_letter_is_not_approved_beside_its_successor(registry: SmallRegistry) -> None:
    letter = a_letter(registry)
    patient = letter.patient_id or ""
    successor = a_letter(registry, a_link(RPLC, "new", letter), entry_uuid="new", patient_id=patient)
    [link] = [each for each in links(registry, letter.entry_uuid) if each.type is RPLC]

    assert codes(registry.update(a_status_change(letter, DEPRECATED, APPROVED, patient_id=patient))) == [WRONG]
    good(registry.update(a_status_change(link.source, APPROVED, DEPRECATED, patient_id=patient)))
    good(registry.update(a_status_change(letter, DEPRECATED, APPROVED, patient_id=patient)))
    assert successor.unique_id


def test_a_replacement_that_is_approved_again_deprecates_again(registry: SmallRegistry) -> None:
    letter = a_letter(registry)
    patient = letter.patient_id or ""
    a_letter(registry, a_link(RPLC, "new", letter), entry_uuid="new", patient_id=patient)
    [link] = [each for each in links(registry, letter.entry_uuid) if each.type is RPLC]
    good(registry.update(a_status_change(link, APPROVED, DEPRECATED, patient_id=patient)))
    good(registry.update(a_status_change(letter, DEPRECATED, APPROVED, patient_id=patient)))

    good(registry.update(a_status_change(link, DEPRECATED, APPROVED, patient_id=patient)))

    assert versions(registry, letter.entry_uuid)[1].availability_status is DEPRECATED


def test_a_version_and_a_status_of_one_object_come_in_two_messages(registry: SmallRegistry) -> None:
    letter = a_letter(registry)
    update = an_update(a_new_version(letter))
    change = a_status_change(letter, APPROVED, DEPRECATED, patient_id=letter.patient_id or "").associations[0]
    update.associations.append(replace(change, source=update.submission_set.entry_uuid))

    assert codes(registry.update(update)) == [WRONG]


def test_a_letter_is_put_into_a_folder_later(registry: SmallRegistry) -> None:
    registry.now = "20260101000000"
    patient = a_patient_id()
    letter, folder = a_document(entry_uuid=a_uuid()), a_folder(entry_uuid=a_uuid())
    registry.registered(a_submission(letter, folder, patient_id=patient))

    registry.now = "20260303000000"
    good(registry.update(a_submitted_association(a_link(HAS_MEMBER, folder, letter), patient_id=patient)))

    contents = registry.found("GetFolderAndContents", {"$XDSFolderEntryUUID": f"'{folder.entry_uuid}'"})
    assert [item.entry_uuid for item in contents.entries] == [letter.entry_uuid]
    assert contents.folders[0].last_update_time == "20260303000000"
    again = a_submitted_association(a_link(HAS_MEMBER, folder, letter), patient_id=patient)
    assert codes(registry.update(again)) == [WRONG], "s5: they are joined already"


def test_a_replacement_submitted_by_itself_replaces(registry: SmallRegistry) -> None:
    patient = a_patient_id()
    old, new, folder = a_document(entry_uuid=a_uuid()), a_document(entry_uuid=a_uuid()), a_folder(entry_uuid=a_uuid())
    registry.registered(a_submission(old, new, folder, a_link(HAS_MEMBER, folder, old), patient_id=patient))

    good(registry.update(a_submitted_association(a_link(RPLC, new, old), patient_id=patient)))

    assert versions(registry, old.entry_uuid)[1].availability_status is DEPRECATED
    assert ("HAS_MEMBER", folder.entry_uuid, new.entry_uuid) in kinds(registry, folder.entry_uuid)


@pytest.mark.parametrize("which", ["source", "target"])
def test_s2_an_association_joins_current_objects(registry: SmallRegistry, which: str) -> None:
    patient = a_patient_id()
    one, other = a_document(entry_uuid=a_uuid()), a_document(entry_uuid=a_uuid())
    registry.registered(a_submission(one, other, patient_id=patient))
    link = a_link(APND, one, other)
    good(registry.update(a_status_change(getattr(link, which), APPROVED, DEPRECATED, patient_id=patient)))

    assert codes(registry.update(a_submitted_association(link, patient_id=patient))) == [WRONG]


def test_s3_an_association_joins_what_its_type_joins(registry: SmallRegistry) -> None:
    patient = a_patient_id()
    letter, folder = a_document(entry_uuid=a_uuid()), a_folder(entry_uuid=a_uuid())
    registry.registered(a_submission(letter, folder, patient_id=patient))

    for link in (a_link(APND, letter, folder), a_link(HAS_MEMBER, letter, folder)):
        assert WRONG in codes(registry.update(a_submitted_association(link, patient_id=patient)))


def test_s4_an_association_joins_objects_of_one_patient(registry: SmallRegistry) -> None:
    letter, other = a_letter(registry), a_letter(registry)
    submission = a_submitted_association(a_link(APND, letter, other), patient_id=letter.patient_id or "")

    assert codes(registry.update(submission)) == [PATIENT]


def test_u11_what_is_propagated_is_not_joined_by_hand_besides(registry: SmallRegistry) -> None:
    patient = a_patient_id()
    one, other = (a_document(entry_uuid=a_uuid(), patient_id=patient) for _ in range(2))
    registry.registered(a_submission(one, other))
    for propagation, good_end in ((None, False), ("no", True)):
        update = an_update(a_new_version(one), propagation=propagation)
        link = a_link(APND, update.entries[0], other)
        submit = a_link(AssociationType.SUBMIT_ASSOCIATION, update.submission_set, link)
        update.associations += [link, submit]
        assert codes(registry.update(update)) == ([] if good_end else [WRONG])
    new = versions(registry, one.entry_uuid)[2].entry_uuid
    assert ("APND", new, other.entry_uuid) in kinds(registry, new)


def test_the_same_message_again_gets_the_same_answer_and_changes_nothing(registry: SmallRegistry) -> None:
    letter = a_letter(registry)
    update, message_id = an_update(a_new_version(letter)), a_uuid()
    good(registry.update(update, message_id=message_id))
    before = registry.rows()

    good(registry.update(update, message_id=message_id))
    assert registry.rows() == before
    assert ErrorCode.XDSDuplicateUniqueIdInRegistry in codes(registry.update(update))


def test_an_update_over_the_limit_is_refused(registry: SmallRegistry) -> None:
    letter = a_letter(registry)
    registry.max_objects = 2

    assert codes(registry.update(an_update(a_new_version(letter)))) == [ErrorCode.XDSRegistryOutOfResources]


def test_a_patient_that_was_merged_away_gets_nothing(registry: SmallRegistry) -> None:
    letter, gone = a_letter(registry), a_patient_id()
    registry.feed(gone, merged_into=a_patient_id())

    response = registry.update(an_update(a_new_version(letter, patient_id=gone)))

    assert codes(response) == [ErrorCode.XDSUnknownPatientId]


# ITI-92


def restricted(registry: SmallRegistry, letter: DocumentEntry, **differs: Any) -> list[str]:
    before = registry.rows()
    found = codes(registry.update(an_update(a_new_version(letter, **differs)), restricted=True))
    assert (registry.rows() == before) == bool(found)
    return found


def test_rmu_what_a_restricted_update_may_change_changes(registry: SmallRegistry) -> None:
    letter = a_letter(registry)

    assert (
        restricted(
            registry,
            letter,
            title=text("Corrected"),
            language_code="cy",
            confidentiality_codes=letter.event_codes or letter.confidentiality_codes,
        )
        == []
    )
    assert versions(registry, letter.entry_uuid)[2].title == text("Corrected")


@pytest.mark.parametrize(
    ("differs", "code"),
    [
        ({"source_patient_id": "X^^^&1.2.3&ISO"}, ErrorCode.UnmodifiableMetadataError),
        ({"repository_unique_id": "1.2.3.4"}, ErrorCode.UnmodifiableMetadataError),
        ({"mime_type": "text/plain"}, ErrorCode.UnmodifiableMetadataError),
        (
            {"document_availability": "urn:ihe:iti:2010:DocumentAvailability:Offline"},
            ErrorCode.UnmodifiableMetadataError,
        ),
        ({"availability_status": DEPRECATED}, ErrorCode.UnmodifiableMetadataError),
        ({"unique_id": "1.2.3.4.5"}, ErrorCode.XDSMetadataIdentifierError),
        ({"patient_id": a_patient_id()}, ErrorCode.XDSPatientIDReconciliationError),
        ({"logical_id": a_uuid()}, ErrorCode.XDSMetadataVersionError),
        ({"logical_id": None}, ErrorCode.XDSInvalidRequestException),
        ({"language_code": None}, ErrorCode.XDSRegistryMetadataError),
    ],
    ids=lambda each: next(iter(each)) if isinstance(each, dict) else str(each),
)
def test_rmu_what_it_may_not_change_stays(registry: SmallRegistry, differs: dict[str, Any], code: ErrorCode) -> None:
    assert code in restricted(registry, a_letter(registry), **differs)


def test_rmu_annotations_are_as_they_should(registry: SmallRegistry) -> None:
    letter = a_letter(registry)
    annotation = ErrorCode.XDSMetadataAnnotationError

    for update in (
        an_update(a_new_version(letter), propagation="no"),
        an_update(a_new_version(letter), previous=None),
        an_update(a_new_version(letter), previous="first"),
        a_status_change(letter, APPROVED, DEPRECATED, patient_id=letter.patient_id or ""),
    ):
        assert annotation in codes(registry.update(update, restricted=True))
    assert codes(registry.update(an_update(a_new_version(letter), previous="2"), restricted=True)) == [VERSION]


def test_rmu_folders_are_not_updated(registry: SmallRegistry) -> None:
    folder = a_folder(entry_uuid=a_uuid())
    registry.registered(a_submission(folder))

    assert ErrorCode.XDSObjectTypeError in codes(registry.update(an_update(a_new_version(folder)), restricted=True))


def test_rmu_a_deprecated_letter_is_amended_and_stays_deprecated(registry: SmallRegistry) -> None:
    letter = a_letter(registry)
    good(registry.update(a_status_change(letter, APPROVED, DEPRECATED, patient_id=letter.patient_id or "")))

    assert restricted(registry, letter, title=text("Corrected")) == []
    assert versions(registry, letter.entry_uuid)[2].availability_status is DEPRECATED


def test_rmu_another_community_is_not_known_here(registry: SmallRegistry) -> None:
    letter = a_letter(registry)
    domain = AnyDomain()
    domain.home_community = "urn:oid:2.999.826.7"
    registry.domain = domain
    for home, found in (("urn:oid:2.999.826.8", [ErrorCode.XDSUnknownCommunity]), ("urn:oid:2.999.826.7", [])):
        owner = a_submission_set(patient_id=letter.patient_id, home_community_id=home)
        assert codes(registry.update(an_update(a_new_version(letter), owner=owner), restricted=True)) == found
