"""The registry's objects and a submission of them (ITI TF-3 4.1, 4.2)."""

from __future__ import annotations

from dataclasses import dataclass, field

from common.model.enums import AssociationType, AvailabilityStatus, ObjectType
from common.model.values import Author, Classification, Code, LocalizedString


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something in a message that no object could hold: which object, and a sentence."""

    where: str
    what: str


@dataclass(slots=True)
class RegistryObject:
    """What all objects share. ``entry_uuid`` may be symbolic until the registry has named it."""

    entry_uuid: str
    home_community_id: str | None = None
    logical_id: str | None = None
    version: int | None = None
    availability_status: AvailabilityStatus | None = None
    title: tuple[LocalizedString, ...] = ()
    comments: tuple[LocalizedString, ...] = ()
    extra_slots: dict[str, tuple[str, ...]] = field(default_factory=dict)
    extra_classifications: tuple[Classification, ...] = ()

    @property
    def is_symbolic(self) -> bool:
        """An id that holds within one message only."""
        return not self.entry_uuid.startswith("urn:uuid:")


@dataclass(slots=True)
class Filed(RegistryObject):
    """An object that has a patient and an id of its own outside the registry."""

    patient_id: str | None = None
    unique_id: str | None = None


@dataclass(slots=True)
class DocumentEntry(Filed):
    """The index card of one document (ITI TF-3 4.2.3.2). HL7 values are as on the wire."""

    object_type: ObjectType = ObjectType.STABLE
    mime_type: str = ""
    creation_time: str | None = None
    hash: str | None = None
    size: str | None = None
    repository_unique_id: str | None = None
    language_code: str | None = None
    legal_authenticator: str | None = None
    reference_id_list: tuple[str, ...] = ()
    service_start_time: str | None = None
    service_stop_time: str | None = None
    source_patient_id: str | None = None
    source_patient_info: tuple[str, ...] = ()
    uri: tuple[str, ...] = ()
    document_availability: str | None = None
    authors: tuple[Author, ...] = ()
    class_code: Code | None = None
    confidentiality_codes: tuple[Code, ...] = ()
    event_codes: tuple[Code, ...] = ()
    format_code: Code | None = None
    healthcare_facility_type_code: Code | None = None
    practice_setting_code: Code | None = None
    type_code: Code | None = None
    limited_metadata: bool = False

    @property
    def is_deprecated(self) -> bool:
        """Replaced or withdrawn; still retrievable."""
        return self.availability_status is AvailabilityStatus.DEPRECATED

    @property
    def is_stable(self) -> bool:
        """Its bytes never change."""
        return self.object_type is ObjectType.STABLE


@dataclass(slots=True)
class SubmissionSet(Filed):
    """What was sent together, by whom and when (ITI TF-3 4.2.3.3)."""

    source_id: str | None = None
    submission_time: str | None = None
    intended_recipients: tuple[str, ...] = ()
    authors: tuple[Author, ...] = ()
    content_type_code: Code | None = None
    limited_metadata: bool = False


@dataclass(slots=True)
class Folder(Filed):
    """Documents that someone keeps together (ITI TF-3 4.2.3.4)."""

    last_update_time: str | None = None
    codes: tuple[Code, ...] = ()
    limited_metadata: bool = False

    @property
    def is_deprecated(self) -> bool:
        """Withdrawn by a metadata update."""
        return self.availability_status is AvailabilityStatus.DEPRECATED


@dataclass(slots=True)
class Association(RegistryObject):
    """A directed link between two objects (ITI TF-3 4.2.2)."""

    type: AssociationType = AssociationType.HAS_MEMBER
    source: str = ""
    target: str = ""
    submission_set_status: str | None = None
    previous_version: str | None = None
    association_propagation: str | None = None
    original_status: str | None = None
    new_status: str | None = None
    documentation: tuple[Code, ...] = ()


@dataclass(slots=True)
class Submission:
    """The content of one SubmitObjectsRequest, as read; rules say whether it is good."""

    submission_sets: list[SubmissionSet] = field(default_factory=list)
    entries: list[DocumentEntry] = field(default_factory=list)
    folders: list[Folder] = field(default_factory=list)
    associations: list[Association] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)

    @property
    def submission_set(self) -> SubmissionSet:
        """The one SubmissionSet; ask only once a rule has seen that there is one."""
        return self.submission_sets[0]

    def objects(self) -> list[RegistryObject]:
        """Everything in it, SubmissionSets first."""
        return [*self.submission_sets, *self.entries, *self.folders, *self.associations]
