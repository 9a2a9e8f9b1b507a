"""ITI-57 and ITI-92: what a good update changes (XDS Metadata Update, 3.57.4.1.3.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from common.model import Association, AssociationType, AvailabilityStatus, DocumentEntry, Folder, Submission
from registry.known import KnownObject
from registry.rules.operations import HAS_MEMBER, NewStatus, NewVersion, Update
from registry.rules.updates import replaced_versions
from registry.versions import KnownVersions, Version

NewId = Callable[[], str]
APPROVED = AvailabilityStatus.APPROVED
REPLACING = frozenset({AssociationType.RPLC, AssociationType.XFRM_RPLC})


@dataclass(slots=True)
class Revision:
    """What is to be written: ``submission`` is inserted, the rest changes rows that are there."""

    submission: Submission
    superseded: list[Version] = field(default_factory=list)
    statuses: list[tuple[KnownObject, AvailabilityStatus, AvailabilityStatus]] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    replaced: dict[str, str] = field(default_factory=dict)


def revise(update: Update, known: KnownVersions, new_id: NewId, now: str, *, keep_status: bool = False) -> Revision:
    """Names, versions, statuses and propagated Associations; with ``keep_status`` a deprecated object stays so."""
    pairs = replaced_versions(update, known)
    names = _name(update.submission, new_id)
    for latest, asked in pairs:
        _follow(asked.item, latest, keep_status=keep_status)
        if isinstance(asked.item, Folder):
            asked.item.last_update_time = now
    revision = Revision(update.submission, superseded=[latest for latest, _ in pairs])
    _file_associations(update, revision)
    copies = _propagated(pairs, known, new_id)
    _add_copies(update.submission, copies, new_id)
    for change in update.operations.statuses:
        _change_status(revision, known, change)
    revision.touched |= _touched(pairs, known, update.submission, set(names.values()))
    return revision


def _name(submission: Submission, new_id: NewId) -> dict[str, str]:
    """Each symbolic id gets a UUID, wherever it occurs; SubmissionSet and Associations are first versions."""
    names = {item.entry_uuid: new_id() if item.is_symbolic else item.entry_uuid for item in submission.objects()}
    for item in submission.objects():
        item.entry_uuid = names[item.entry_uuid]
    for item in (*submission.submission_sets, *submission.associations):
        item.logical_id, item.version, item.availability_status = item.entry_uuid, 1, APPROVED
    for link in submission.associations:
        link.source, link.target = names.get(link.source, link.source), names.get(link.target, link.target)
    return names


def _follow(item: DocumentEntry | Folder, latest: Version, *, keep_status: bool) -> None:
    item.logical_id, item.version = latest.logical_id, latest.version + 1
    item.availability_status = latest.item.availability_status if keep_status else APPROVED
    if isinstance(item, DocumentEntry) and isinstance(latest.item, DocumentEntry):
        item.size = latest.item.size  # that of the bytes, whatever was said of it (see ``sizes_not_taken``)


def _file_associations(update: Update, revision: Revision) -> None:
    """What triggers is not kept: a status changed says it all, and a submitted Association is filed as a member."""
    statuses = {id(asked.link) for asked in update.operations.statuses}
    submission = update.submission
    submission.associations = [link for link in submission.associations if id(link) not in statuses]
    for asked in update.operations.associations:
        asked.link.type, asked.link.submission_set_status = HAS_MEMBER, "Original"
        if asked.association.type in REPLACING:
            revision.replaced[asked.association.target] = asked.association.source


def _propagated(
    pairs: list[tuple[Version, NewVersion]], known: KnownVersions, new_id: NewId
) -> list[tuple[Association, bool]]:
    """Copies of the Approved Associations of what got new versions, and whether each copy is a Folder's membership."""
    successor = {latest.entry_uuid: asked.item.entry_uuid for latest, asked in pairs if asked.propagates}
    copies = []
    for tie in known.live_ties():
        if tie.source not in successor and tie.target not in successor:
            continue
        name = new_id()
        copy = replace(tie, entry_uuid=name, logical_id=name, version=1, availability_status=APPROVED)
        copy.source, copy.target = successor.get(tie.source, tie.source), successor.get(tie.target, tie.target)
        copies.append((copy, tie.type is HAS_MEMBER))
    return copies


def _add_copies(submission: Submission, copies: list[tuple[Association, bool]], new_id: NewId) -> None:
    own_set = submission.submission_set.entry_uuid
    for copy, is_membership in copies:
        submission.associations.append(copy)
        if is_membership:
            name = new_id()
            submission.associations.append(
                Association(
                    name, logical_id=name, version=1, availability_status=APPROVED, type=HAS_MEMBER,
                    source=own_set, target=copy.entry_uuid, submission_set_status="Original",
                )
            )  # fmt: skip


def _change_status(revision: Revision, known: KnownVersions, change: NewStatus) -> None:
    target = known.objects[change.target]
    revision.statuses.append((target, change.original, change.status))
    source = known.ends.get(target.source)
    if change.status is APPROVED and target.link_type in REPLACING and source is not None and source.is_current:
        revision.replaced[target.target] = target.source


def _touched(
    pairs: list[tuple[Version, NewVersion]], known: KnownVersions, submission: Submission, own: set[str]
) -> set[str]:
    """Registered Folders that hold a new version, or got a member."""
    updated = {latest.entry_uuid for latest, _ in pairs}
    found = {holder for latest, _ in pairs for holder in known.holders(latest.entry_uuid)} - updated
    own_set = submission.submission_set.entry_uuid
    joined = {link.source for link in submission.associations if link.type is HAS_MEMBER and link.source != own_set}
    return found | (joined - own)
