"""ITI-57 and ITI-92: what an update asks for, read out of its Associations (XDS Metadata Update, 3.57.4.1.3.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from common.model import Association, AssociationType, AvailabilityStatus, DocumentEntry, Folder, Submission

HAS_MEMBER = AssociationType.HAS_MEMBER
_STATUSES = {status.value: status for status in AvailabilityStatus}
_PROPAGATES = {None: True, "yes": True, "no": False}

Problem = tuple[str, str]
"""The place (an object's id) and a sentence."""


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A DocumentEntry or Folder in a new version, and the HasMember that files it."""

    item: DocumentEntry | Folder
    logical_id: str
    previous: int
    propagates: bool


@dataclass(frozen=True, slots=True)
class NewStatus:
    """Another availabilityStatus for a registered object."""

    link: Association
    original: AvailabilityStatus
    status: AvailabilityStatus

    @property
    def target(self) -> str:
        """The registered object."""
        return self.link.target


@dataclass(frozen=True, slots=True)
class NewAssociation:
    """An Association submitted by itself, and the SubmitAssociation that files it."""

    link: Association
    association: Association


@dataclass(slots=True)
class Operations:
    """Everything that one message asks for, and what of it cannot be understood."""

    versions: list[NewVersion] = field(default_factory=list)
    statuses: list[NewStatus] = field(default_factory=list)
    associations: list[NewAssociation] = field(default_factory=list)
    first_versions: list[Problem] = field(default_factory=list)
    missing: list[Problem] = field(default_factory=list)
    unreadable: list[Problem] = field(default_factory=list)
    stray: list[Problem] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many operations there are."""
        return len(self.versions) + len(self.statuses) + len(self.associations)


@dataclass(slots=True)
class Update:
    """A message as read, with what it asks for."""

    submission: Submission
    operations: Operations


def read_update(submission: Submission) -> Update:
    """The operations of a message; what is wrong with them is noted beside them, for the rules to report."""
    found = Operations()
    own_sets = {item.entry_uuid for item in submission.submission_sets}
    filed: list[DocumentEntry | Folder] = [*submission.entries, *submission.folders]
    items = {item.entry_uuid: item for item in filed}
    links = {item.entry_uuid: item for item in submission.associations}
    submitted = {link.target for link in links.values() if link.type is AssociationType.SUBMIT_ASSOCIATION}
    for link in submission.associations:
        if link.type is AssociationType.UPDATE_AVAILABILITY_STATUS:
            _read_status(found, link, own_sets)
        elif link.type is AssociationType.SUBMIT_ASSOCIATION:
            _read_association(found, link, own_sets, links)
        elif link.type is HAS_MEMBER and link.source in own_sets and link.target in items:
            _read_version(found, link, items[link.target])
        elif link.entry_uuid not in submitted:
            found.stray.append((link.entry_uuid, f"this {link.type.name} belongs to no operation of the update"))
    return Update(submission, found)


def _read_version(found: Operations, link: Association, item: DocumentEntry | Folder) -> None:
    """HasMember SubmissionSet → entry or folder, with PreviousVersion (3.57.4.1.3.3.1, 3.57.4.1.3.3.3)."""
    logical_id = (item.logical_id or "").strip().lower()
    if not logical_id.startswith("urn:uuid:") or logical_id == item.entry_uuid:
        told = "an update needs a logicalID that is not the object's own id; first versions come by ITI-42"
        found.first_versions.append((item.entry_uuid, told))
    _no_slots(found, link, OriginalStatus=link.original_status, NewStatus=link.new_status)
    if link.association_propagation not in _PROPAGATES:
        found.unreadable.append((link.entry_uuid, "AssociationPropagation must be yes or no"))
    previous = link.previous_version
    if previous is None:
        found.missing.append((link.entry_uuid, "Slot PreviousVersion is missing"))
    elif not (previous.isascii() and previous.isdigit() and len(previous) < 10 and int(previous) > 0):
        found.unreadable.append((link.entry_uuid, "PreviousVersion must be one whole number from 1"))
    else:
        propagates = _PROPAGATES.get(link.association_propagation, True)
        found.versions.append(NewVersion(item, logical_id, int(previous), propagates))


def _read_status(found: Operations, link: Association, own_sets: set[str]) -> None:
    """UpdateAvailabilityStatus SubmissionSet → object (3.57.4.1.3.3.2, 3.57.4.1.3.3.4)."""
    if link.source not in own_sets:
        found.missing.append((link.entry_uuid, "its sourceObject must be the SubmissionSet"))
    _no_slots(found, link, PreviousVersion=link.previous_version, AssociationPropagation=link.association_propagation)
    read = []
    for name, value in (("OriginalStatus", link.original_status), ("NewStatus", link.new_status)):
        if value in _STATUSES:
            read.append(_STATUSES[value])
        else:
            told = "is missing" if value is None else "must be the URN of Approved or of Deprecated"
            found.unreadable.append((link.entry_uuid, f"Slot {name} {told}"))
    if len(read) == 2 and read[0] is read[1]:
        found.unreadable.append((link.entry_uuid, "OriginalStatus and NewStatus are the same"))
    elif len(read) == 2:
        found.statuses.append(NewStatus(link, *read))


def _read_association(found: Operations, link: Association, own_sets: set[str], links: dict[str, Association]) -> None:
    """SubmitAssociation SubmissionSet → Association of the message (3.57.4.1.3.3.6)."""
    if link.source not in own_sets:
        found.missing.append((link.entry_uuid, "its sourceObject must be the SubmissionSet"))
    slots = {"OriginalStatus": link.original_status, "NewStatus": link.new_status}
    slots |= {"PreviousVersion": link.previous_version, "AssociationPropagation": link.association_propagation}
    _no_slots(found, link, **slots)
    association = links.get(link.target)
    if association is None:
        found.missing.append((link.entry_uuid, "its targetObject must be an Association of the message"))
    else:
        found.associations.append(NewAssociation(link, association))


def _no_slots(found: Operations, link: Association, **slots: str | None) -> None:
    for name, value in slots.items():
        if value is not None:
            found.unreadable.append((link.entry_uuid, f"Slot {name} has no meaning on this Association"))
