"""ITI-92: what a restricted update may do (XDS Restricted Metadata Update, 3.92.4.1.3)."""

from __future__ import annotations

from typing import Final

from common.model import DocumentAvailability, DocumentEntry, SubmissionSet
from common.rules import Objections, Rulebook
from common.standard.errors import ErrorCode
from registry.known import Domain
from registry.rules.operations import HAS_MEMBER, Update
from registry.rules.updates import COMMON, object_type, replaced_versions
from registry.versions import KnownVersions

RESTRICTED: Rulebook[[Update, KnownVersions, Domain]] = Rulebook()
rule = RESTRICTED.rule
ANNOTATION = ErrorCode.XDSMetadataAnnotationError

UNMODIFIABLE: Final = {
    "source_patient_id": "sourcePatientId",
    "repository_unique_id": "repositoryUniqueId",
    "hash": "hash",
    "mime_type": "mimeType",
}
"""What says which bytes these are, and whose they were where they were made."""

for _code, _rule in COMMON:
    RESTRICTED.rule(_code)(_rule)


@rule(ErrorCode.XDSUnknownCommunity)
def the_community_is_ours(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """A homeCommunityId, where there is one, names this community; nothing is forwarded."""
    ours = domain.home_community
    for item in update.submission.submission_sets:
        if ours and item.home_community_id and item.home_community_id != ours:
            yield item.entry_uuid, f"the homeCommunityId is not that of this community, which is {ours}"


@rule(ErrorCode.XDSObjectTypeError)
def only_documents_are_updated(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """No Folders."""
    for item in update.submission.folders:
        yield item.entry_uuid, "a restricted update holds DocumentEntries only; a Folder is updated by ITI-57"


@rule(ANNOTATION)
def documents_are_annotated_as_they_should(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """HasMember with PreviousVersion, and Associations that are propagated."""
    operations = update.operations
    yield from operations.missing
    yield from operations.unreadable
    for asked in operations.versions:
        if not asked.propagates:
            yield asked.item.entry_uuid, "AssociationPropagation must not be no"
    for link in update.submission.associations:
        if link.type is HAS_MEMBER and link.submission_set_status != "Original":
            yield link.entry_uuid, "Slot SubmissionSetStatus must be Original"
    if not update.submission.entries:
        yield "", "the message holds no DocumentEntry"


@rule(ANNOTATION)
def there_is_nothing_besides(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """No other Associations, whatever they ask for."""
    operations = update.operations
    yield from operations.stray
    others = [asked.link for asked in operations.statuses] + [asked.link for asked in operations.associations]
    for link in others:
        yield link.entry_uuid, f"{link.type.name} belongs to ITI-57"


@rule(ErrorCode.XDSInvalidRequestException)
def there_are_no_first_versions(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """What is new comes by ITI-42 or ITI-61."""
    entries = {entry.entry_uuid for entry in update.submission.entries}
    yield from ((where, what) for where, what in update.operations.first_versions if where in entries)


@rule(ErrorCode.XDSDuplicateUniqueIdInRegistry)
def the_submission_set_is_new(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """Its uniqueId is that of no registered object."""
    for item in update.submission.submission_sets:
        if taken := known.known.taken.get(item.unique_id or ""):
            yield item.unique_id or "", f"the uniqueId of this SubmissionSet is taken by a registered {taken.kind}"


@rule(ErrorCode.XDSMetadataVersionError)
def the_previous_version_is_the_latest(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """logicalID is known, PreviousVersion is the number of its latest version, and it is updated once."""
    seen: set[str] = set()
    for asked in update.operations.versions:
        latest = known.latest.get(asked.logical_id)
        if latest is None:
            yield asked.item.entry_uuid, f"nothing of the logicalID {asked.logical_id[:80]} is registered"
        elif latest.version != asked.previous or asked.logical_id in seen:
            told = f"PreviousVersion is {asked.previous}, but the latest version is {latest.version}"
            yield asked.item.entry_uuid, told if asked.logical_id not in seen else "it is updated twice in one message"
        seen.add(asked.logical_id)


@rule(ErrorCode.XDSObjectTypeError)
def the_object_type_stays(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """Stable stays stable, on-demand stays on-demand, and an entry does not follow a Folder."""
    for latest, asked in replaced_versions(update, known):
        before, after = latest.item, asked.item
        if type(before) is not type(after):
            yield after.entry_uuid, "the logicalID is that of another kind of object"
        elif object_type(before) is not object_type(after):
            yield after.entry_uuid, "the objectType must be that of the version before"


@rule(ErrorCode.XDSMetadataIdentifierError)
def the_unique_id_stays(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """uniqueId is as before."""
    for latest, asked in replaced_versions(update, known):
        if latest.item.unique_id != asked.item.unique_id:
            yield asked.item.entry_uuid, "the uniqueId must be that of the version before"


@rule(ErrorCode.XDSPatientIDReconciliationError)
def the_patient_stays(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """patientId is as before, in the SubmissionSet too; and it has not been merged away."""
    filed: list[SubmissionSet | DocumentEntry] = [*update.submission.submission_sets, *update.submission.entries]
    patients = {latest.item.patient_id for latest, _ in replaced_versions(update, known)}
    for item in filed:
        if item.patient_id and patients and {item.patient_id} != patients:
            yield item.entry_uuid, "the patientId must be that of the version before"
        elif item.patient_id and (domain.patient_problem(item.patient_id) or item.patient_id in known.known.merged):
            yield item.entry_uuid, "the patientId is not known here"


@rule(ErrorCode.UnmodifiableMetadataError)
def what_cannot_change_stays(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """Bytes, where they are, whether they can be had, and whose they were at their source."""
    for latest, asked in replaced_versions(update, known):
        before, after = latest.item, asked.item
        if not isinstance(before, DocumentEntry) or not isinstance(after, DocumentEntry):
            continue
        for field, name in UNMODIFIABLE.items():
            if (getattr(before, field) or "").lower() != (getattr(after, field) or "").lower():
                yield after.entry_uuid, f"{name} must be that of the version before"
        if _availability(before) != _availability(after):
            yield after.entry_uuid, "documentAvailability must be that of the version before"
        if after.availability_status not in (None, before.availability_status):
            yield after.entry_uuid, "availabilityStatus must be that of the version before"


def _availability(entry: DocumentEntry) -> str:
    return entry.document_availability or DocumentAvailability.ONLINE.value
