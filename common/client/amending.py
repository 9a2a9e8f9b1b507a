"""Makes the messages that amend what is registered (ITI-57, ITI-92): pure, and the same for the same message id."""

from __future__ import annotations

from dataclasses import dataclass, replace

from common.client.message_ids import Names
from common.model import (
    Association,
    AssociationType,
    Author,
    AvailabilityStatus,
    Code,
    DocumentEntry,
    Folder,
    LocalizedString,
    RegistryObject,
    Submission,
    SubmissionSet,
)

_HAS_MEMBER = AssociationType.HAS_MEMBER


@dataclass(frozen=True, slots=True)
class Occasion:
    """Who amends, why, and in which message; it becomes the SubmissionSet, which is how the registry remembers it."""

    source_id: str
    reason: str
    content_type: Code
    author: Author
    time: str
    names: Names

    def submission_set(self, patient_id: str | None) -> SubmissionSet:
        """The SubmissionSet for a patient."""
        return SubmissionSet(
            "SubmissionSet01",
            patient_id=patient_id,
            unique_id=self.names.oid("submission set"),
            source_id=self.source_id,
            submission_time=self.time,
            content_type_code=self.content_type,
            authors=(self.author,),
            title=(LocalizedString(self.reason, "en-GB", "UTF-8"),) if self.reason else (),
        )


def new_version(
    before: DocumentEntry | Folder, after: DocumentEntry | Folder, occasion: Occasion, *, propagate: bool = True
) -> Submission:
    """``after`` as the version that follows ``before``, which is an object as a query gave it (3.57.4.1.3.3.1)."""
    if before.version is None or before.logical_id is None:
        raise ValueError("the object does not say which version it is: take it from a query")
    changed = replace(
        after,
        entry_uuid=occasion.names.next_uuid(),
        logical_id=before.logical_id,
        version=None,
        availability_status=None,
    )
    owner = occasion.submission_set(after.patient_id)
    member = Association(
        "Member01",
        type=_HAS_MEMBER,
        source=owner.entry_uuid,
        target=changed.entry_uuid,
        submission_set_status="Original",
        previous_version=str(before.version),
        association_propagation=None if propagate else "no",
    )
    submission = Submission([owner], associations=[member])
    if isinstance(changed, DocumentEntry):
        submission.entries.append(changed)
    else:
        submission.folders.append(changed)
    return submission


def new_status(item: RegistryObject, after: AvailabilityStatus, occasion: Occasion, *, patient_id: str) -> Submission:
    """Another availabilityStatus for a registered object, as a query gave it (3.57.4.1.3.3.2)."""
    if item.availability_status is None:
        raise ValueError("the object does not say its status: take it from a query")
    owner = occasion.submission_set(patient_id)
    link = Association(
        "Status01",
        type=AssociationType.UPDATE_AVAILABILITY_STATUS,
        source=owner.entry_uuid,
        target=item.entry_uuid,
        original_status=item.availability_status.value,
        new_status=after.value,
    )
    return Submission([owner], associations=[link])


def new_association(
    kind: AssociationType, source: str, target: str, occasion: Occasion, *, patient_id: str
) -> Submission:
    """An Association of two registered objects by itself (3.57.4.1.3.3.6)."""
    owner = occasion.submission_set(patient_id)
    link = Association(occasion.names.next_uuid(), type=kind, source=source, target=target)
    submit = Association(
        "Submit01", type=AssociationType.SUBMIT_ASSOCIATION, source=owner.entry_uuid, target=link.entry_uuid
    )
    return Submission([owner], associations=[link, submit])
