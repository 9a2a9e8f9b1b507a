"""What random lives against the model have found, each as a plain case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from common.ebxml.removal import RemoveObjects
from common.model import Association, AssociationType, AvailabilityStatus, DocumentEntry, Status
from registry.relink import LinkChange, Relink
from registry.remove import Remove
from tests.factories import (
    APPROVED,
    DEPRECATED,
    a_document,
    a_link,
    a_new_version,
    a_patient_id,
    a_status_change,
    a_submission,
    a_submission_set,
    a_submitted_association,
    a_uuid,
    an_update,
    text,
)
from tests.unit.registry.small import SmallRegistry

APND, RPLC, XFRM = AssociationType.APND, AssociationType.RPLC, AssociationType.XFRM
LOCAL, OTHER = "NGH1^^^&2.999.826.4.1&ISO", "NGH2^^^&2.999.826.4.1&ISO"
BOTH = f"('{APPROVED}','{DEPRECATED}')"


def a_letter(registry: SmallRegistry, patient: str, *more: Association, **differs: object) -> DocumentEntry:
    """A registered document."""
    given = {"entry_uuid": a_uuid(), "source_patient_id": LOCAL, **differs}
    letter = a_document(patient_id=patient, **given)
    registry.registered(a_submission(letter, *(replace(link, source=letter.entry_uuid) for link in more)))
    return letter


def versions(registry: SmallRegistry, letter: DocumentEntry) -> dict[int, DocumentEntry]:
    slots = {"$XDSDocumentEntryLogicalID": f"('{letter.entry_uuid}')", "$MetadataLevel": "2"}
    return {item.version or 0: item for item in registry.found("GetDocuments", slots).entries}


def links(registry: SmallRegistry, *uuids: str) -> list[Association]:
    listed = ",".join(f"'{name}'" for name in uuids)
    slots = {"$uuid": f"({listed})", "$MetadataLevel": "2", "$XDSAssociationStatus": BOTH}
    return registry.found("GetAssociations", slots).associations


def status(registry: SmallRegistry, letter: DocumentEntry) -> object:
    return versions(registry, letter)[1].availability_status


def removed(registry: SmallRegistry, *uuids: str) -> None:
    """ITI-62."""
    answer = Remove(registry.database, max_objects=100).remove(
        RemoveObjects(uuids, comment="Tester: a test"), message_id=None, correlation="c1"
    )
    assert answer.status is Status.SUCCESS, answer.errors


def test_a_document_does_not_replace_itself(registry: SmallRegistry) -> None:
    """It was taken, and left a document without a current version."""
    letter = a_letter(registry, a_patient_id())
    link = a_link(RPLC, letter, letter)

    answer = registry.update(a_submitted_association(link, patient_id=letter.patient_id or ""))

    assert [error.code for error in answer.errors] == ["XDSRegistryMetadataError"]
    assert status(registry, letter) is APPROVED


@pytest.mark.parametrize("kind", [APND, XFRM, AssociationType.SIGNS])
def test_a_new_document_is_not_related_to_itself(registry: SmallRegistry, kind: AssociationType) -> None:
    letter = a_document()

    answer = registry.register(a_submission(letter, a_link(kind, letter, letter)))

    assert "XDSRegistryMetadataError" in {error.code for error in answer.errors}


def test_what_was_an_addendum_once_is_not_deprecated_with_its_old_target(registry: SmallRegistry) -> None:
    """The Association was deprecated, so it says nothing any more."""
    patient = a_patient_id()
    letter = a_letter(registry, patient)
    addendum = a_letter(registry, patient, a_link(APND, "", letter.entry_uuid))
    [tie] = [link for link in links(registry, letter.entry_uuid) if link.type is APND]
    assert not registry.update(a_status_change(tie, APPROVED, DEPRECATED, patient_id=patient)).errors

    a_letter(registry, patient, a_link(RPLC, "", letter.entry_uuid))

    assert (status(registry, letter), status(registry, addendum)) == (DEPRECATED, APPROVED)


def test_what_is_no_transformation_any_more_can_get_an_addendum(registry: SmallRegistry) -> None:
    patient = a_patient_id()
    letter = a_letter(registry, patient)
    made = a_letter(registry, patient, a_link(XFRM, "", letter.entry_uuid))
    [tie] = [link for link in links(registry, made.entry_uuid) if link.type is XFRM]
    assert not registry.update(a_status_change(tie, APPROVED, DEPRECATED, patient_id=patient)).errors

    a_letter(registry, patient, a_link(APND, "", made.entry_uuid))


def test_when_a_version_of_another_patient_is_removed_the_one_before_is_the_latest_again(
    registry: SmallRegistry,
) -> None:
    """It was not found, being the old patient's, and every later update of it failed as if the database were busy."""
    old, new = a_patient_id(), a_patient_id()
    letter = a_letter(registry, old)
    moved = replace(a_new_version(letter), patient_id=new)
    owner = a_submission_set(entry_uuid=a_uuid(), patient_id=new)
    assert not registry.update(an_update(moved, owner=owner)).errors
    find = {"$XDSDocumentEntryPatientId": f"'{new}'", "$XDSDocumentEntryStatus": BOTH}
    [second] = registry.ids("FindDocuments", find)
    removed(registry, owner.entry_uuid, second, *(each.entry_uuid for each in links(registry, second)))

    answer = registry.update(
        a_status_change(letter, DEPRECATED, APPROVED, patient_id=old)  # the latest version may be approved
    )

    assert not answer.errors, answer.errors
    assert not registry.update(an_update(a_new_version(letter, title=text("Amended")))).errors
    assert versions(registry, letter)[2].title == text("Amended")


def test_a_link_change_ties_new_versions_to_the_latest_only(registry: SmallRegistry) -> None:
    """As an update does: older versions keep what they had."""
    patient = a_patient_id()
    letter = a_letter(registry, patient, source_patient_id=OTHER)
    addendum = a_letter(registry, patient, a_link(APND, "", letter.entry_uuid))
    assert not registry.update(an_update(a_new_version(letter))).errors

    assert Relink(registry.database, registry.domain).change(LinkChange(patient, patient, LOCAL, OTHER)) is None

    newest = versions(registry, addendum)[2].entry_uuid
    tied = {link.target for link in links(registry, newest) if link.type is APND}
    assert tied == {versions(registry, letter)[2].entry_uuid}


def test_a_document_that_a_link_change_moved_is_found_by_its_unique_id(registry: SmallRegistry) -> None:
    """The version left behind was found too, and the answer refused for mixing patients."""
    old, new = a_patient_id(), a_patient_id()
    letter = a_letter(registry, old)
    assert Relink(registry.database, registry.domain).change(LinkChange(old, new, LOCAL, LOCAL)) is None

    [found] = registry.found("GetDocuments", {"$XDSDocumentEntryUniqueId": f"('{letter.unique_id}')"}).entries

    assert (found.patient_id, found.version) == (new, 2)
    [left] = registry.found("GetDocuments", {"$XDSDocumentEntryEntryUUID": f"('{letter.entry_uuid}')"}).entries
    assert (left.patient_id, left.availability_status) == (old, DEPRECATED)


def test_of_a_chain_of_replacements_one_document_is_current(registry: SmallRegistry) -> None:
    """The first of three was approved again, since what had replaced it was deprecated itself."""
    patient = a_patient_id()
    first = a_letter(registry, patient)
    second = a_letter(registry, patient, a_link(RPLC, "", first.entry_uuid))
    third = a_letter(registry, patient, a_link(RPLC, "", second.entry_uuid))

    def change(letter: DocumentEntry, *statuses: AvailabilityStatus) -> list[str]:
        return [error.code for error in registry.update(a_status_change(letter, *statuses, patient_id=patient)).errors]

    assert change(first, DEPRECATED, APPROVED) == ["XDSMetadataUpdateError"]
    assert change(third, APPROVED, DEPRECATED) == []
    assert change(first, DEPRECATED, APPROVED) == []
    assert change(third, DEPRECATED, APPROVED) == ["XDSMetadataUpdateError"], "what it has replaced is current"
    assert (status(registry, first), status(registry, third)) == (APPROVED, DEPRECATED)
