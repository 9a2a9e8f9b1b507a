"""ITI-42: what a good submission changes (ITI TF-2 3.42.4.1.3.3, TF-3 4.2.2.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from common.model import (
    Association,
    AssociationType,
    AvailabilityStatus,
    Folder,
    RegistryObject,
    Submission,
)
from registry.rules.meaning import REPLACING
from registry.rules.structure import HAS_MEMBER, unfiled_memberships

NewId = Callable[[], str]


def name_objects(submission: Submission, new_id: NewId) -> None:
    """Give each symbolic id a UUID, and each object its first version (TF-3 4.1.12.3)."""
    names = {item.entry_uuid: new_id() for item in submission.objects() if item.is_symbolic}
    for item in submission.objects():
        item.entry_uuid = names.get(item.entry_uuid, item.entry_uuid)
        first_version(item)
    for link in submission.associations:
        link.source = names.get(link.source, link.source)
        link.target = names.get(link.target, link.target)


def first_version(item: RegistryObject) -> None:
    """Make of an object the first version of itself."""
    item.logical_id = item.entry_uuid
    item.version = 1
    item.availability_status = AvailabilityStatus.APPROVED


def replaced(submission: Submission) -> dict[str, str]:
    """Each replaced entry, with the entry that takes its place."""
    return {link.target: link.source for link in submission.associations if link.type in REPLACING}


def join_folders(
    submission: Submission, successors: Mapping[str, str], folders_of: Mapping[str, Iterable[str]], new_id: NewId
) -> None:
    """Put each successor into the current Folders of what it replaces, with both memberships."""
    own = {(link.source, link.target) for link in submission.associations if link.type is HAS_MEMBER}
    for old, new in successors.items():
        for folder in folders_of.get(old, ()):
            if (folder, new) not in own:
                _join(submission, folder, new, new_id)


def _join(submission: Submission, folder: str, entry: str, new_id: NewId) -> None:
    member = Association(new_id(), type=AssociationType.HAS_MEMBER, source=folder, target=entry)
    first_version(member)
    submission.associations.append(member)
    _file(submission, member, new_id)


def _file(submission: Submission, member: Association, new_id: NewId) -> None:
    """Put a membership into the SubmissionSet."""
    filed = Association(
        new_id(),
        type=AssociationType.HAS_MEMBER,
        source=submission.submission_set.entry_uuid,
        target=member.entry_uuid,
        submission_set_status="Original",
    )
    first_version(filed)
    submission.associations.append(filed)


def complete_memberships(submission: Submission, new_id: NewId) -> None:
    """Put those memberships into the SubmissionSet that the sender left out of it."""
    for member in unfiled_memberships(submission):
        _file(submission, member, new_id)


def touched_folders(submission: Submission) -> frozenset[str]:
    """Registered Folders that get a member, and those that are made."""
    made = {folder.entry_uuid for folder in submission.folders}
    own_set = submission.submission_set.entry_uuid
    joined = {link.source for link in submission.associations if link.type is HAS_MEMBER and link.source != own_set}
    return frozenset(joined | made)


def stamp(folders: Iterable[Folder], now: str) -> None:
    """lastUpdateTime of new folders: now, in UTC to the second (TF-3 4.2.3.4.6)."""
    for folder in folders:
        folder.last_update_time = now
