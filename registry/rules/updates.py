"""ITI-57: how an update fits in with what is registered (XDS Metadata Update, 3.57.4.1.3.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from common.model import (
    AssociationType,
    AvailabilityStatus,
    DocumentEntry,
    Folder,
    ObjectType,
    Submission,
    SubmissionSet,
)
from common.rules import Objections, Rulebook
from common.standard.errors import ErrorCode
from registry.known import Domain, Known
from registry.rules import meaning, structure
from registry.rules.operations import HAS_MEMBER, NewAssociation, NewVersion, Update
from registry.rules.structure import RELATIONSHIPS
from registry.versions import KnownVersions, Version

UPDATES: Rulebook[[Update, KnownVersions, Domain]] = Rulebook()
rule = UPDATES.rule
WRONG = ErrorCode.XDSMetadataUpdateError
UNREADABLE = ErrorCode.XDSMetadataUpdateOperationError
METADATA = ErrorCode.XDSRegistryMetadataError
PATIENT = ErrorCode.XDSPatientIDReconciliationError

Rule = Callable[[Update, KnownVersions, Domain], Objections]


def shape(function: Callable[[Submission, Known], Objections]) -> Rule:
    """A rule on the shape of submissions that holds for updates too."""
    return lambda update, known, domain: function(update.submission, known.known)


def fit(function: Callable[[Submission, Known, Domain], Objections]) -> Rule:
    """A rule on what submissions mean that holds for updates too."""
    return lambda update, known, domain: function(update.submission, known.known, domain)


def every_new_version_is_filed_once(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """One HasMember from the SubmissionSet for each; an Association has its SubmitAssociation instead (U1)."""
    sets = {item.entry_uuid for item in update.submission.submission_sets}
    links = [link for link in update.submission.associations if link.type is HAS_MEMBER and link.source in sets]
    members = Counter(link.target for link in links)
    filed: list[DocumentEntry | Folder] = [*update.submission.entries, *update.submission.folders]
    for item in filed:
        if (count := members[item.entry_uuid]) != 1:
            kind = type(item).__name__
            yield item.entry_uuid, f"this {kind} must have one HasMember from the SubmissionSet, and has {count}"


COMMON: tuple[tuple[ErrorCode, Rule], ...] = (
    (METADATA, shape(structure.nothing_was_said_that_cannot_be_kept)),
    (METADATA, shape(structure.there_is_one_submission_set)),
    (METADATA, shape(structure.every_object_is_what_the_standard_says)),
    (METADATA, shape(structure.ids_name_one_object_each)),
    (METADATA, every_new_version_is_filed_once),
    (ErrorCode.XDSNonIdenticalHash, fit(meaning.a_known_unique_id_has_the_known_hash)),
    (ErrorCode.XDSRegistryDuplicateUniqueIdInMessage, fit(meaning.unique_ids_differ_within_a_message)),
    (METADATA, fit(meaning.codes_are_of_the_affinity_domain)),
    (METADATA, fit(meaning.the_mime_type_is_allowed)),
)
"""What is asked of every update, restricted or not."""

for _code, _rule in COMMON:
    UPDATES.rule(_code)(_rule)
UPDATES.rule(UNREADABLE)(shape(structure.submission_set_status_tells_the_truth))
UPDATES.rule(ErrorCode.UnresolvedReferenceException)(shape(structure.every_reference_leads_somewhere))
UPDATES.rule(METADATA)(shape(structure.only_relationships_are_documented))
UPDATES.rule(ErrorCode.XDSUnknownPatientId)(fit(meaning.the_patient_is_known))
UPDATES.rule(ErrorCode.XDSPatientIdDoesNotMatch)(fit(meaning.one_submission_has_one_patient))
UPDATES.rule(METADATA)(fit(meaning.a_document_is_not_related_to_itself))
UPDATES.rule(METADATA)(fit(meaning.a_document_is_replaced_once))
UPDATES.rule(METADATA)(fit(meaning.a_snapshot_is_of_an_on_demand_document))
UPDATES.rule(METADATA)(fit(meaning.a_transformation_gets_no_addendum))


@rule(UNREADABLE)
def operations_can_be_understood(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """Slots have readable values, and stand only where they mean something (U1, U10, A1)."""
    yield from update.operations.unreadable
    yield from update.operations.stray


@rule(WRONG)
def operations_are_complete(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """At least one operation, and everything that it needs (U1, A1, S1)."""
    operations = update.operations
    yield from operations.missing
    if not (operations.count or operations.missing or operations.unreadable or operations.first_versions):
        yield "", "the message asks for no update: no new version, no new status, no Association"


@rule(WRONG)
def there_are_no_first_versions(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """What is new comes by ITI-42 or ITI-61 (U2)."""
    yield from update.operations.first_versions


@rule(ErrorCode.XDSDuplicateUniqueIdInRegistry)
def the_submission_set_is_new(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """Its uniqueId is that of no registered object (ITI TF-2 3.42.4.1.3.3)."""
    for item in update.submission.submission_sets:
        if taken := known.known.taken.get(item.unique_id or ""):
            yield item.unique_id or "", f"the uniqueId of this SubmissionSet is taken by a registered {taken.kind}"


@rule(ErrorCode.XDSMetadataVersionError)
def the_previous_version_is_the_latest(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """logicalID is known, and PreviousVersion is the number of its latest version (U3, U4)."""
    for asked in update.operations.versions:
        latest = known.latest.get(asked.logical_id)
        if latest is None or type(latest.item) is not type(asked.item):
            kind = type(asked.item).__name__
            yield asked.item.entry_uuid, f"no {kind} of the logicalID {asked.logical_id[:80]} is registered"
        elif latest.version != asked.previous:
            yield (
                asked.item.entry_uuid,
                f"PreviousVersion is {asked.previous}, but the latest version is {latest.version}",
            )


def sizes_not_taken(update: Update, known: KnownVersions) -> Objections:
    """A size that contradicts the registered bytes, whose hash is the same: worth a warning, not a refusal.

    Bytes with that hash have one size, so the registered one is kept. Update clients that make the new version from a
    template send such sizes, and what they wanted to amend is something else.
    """
    for latest, asked in replaced_versions(update, known):
        if isinstance(latest.item, DocumentEntry) and isinstance(asked.item, DocumentEntry):
            kept = latest.item.size
            if kept is not None and asked.item.size != kept:
                yield asked.item.entry_uuid, f"the size of the registered document, {kept}, was kept"


@rule(WRONG)
def the_latest_version_is_approved(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """What was replaced or withdrawn is not amended (U5)."""
    for asked in update.operations.versions:
        latest = known.latest.get(asked.logical_id)
        if latest is not None and latest.item.availability_status is AvailabilityStatus.DEPRECATED:
            yield asked.item.entry_uuid, "the latest version is deprecated: approve it first, or amend its successor"


@rule(WRONG)
def the_object_stays_what_it_is(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """uniqueId and objectType are as before (U6)."""
    for asked in update.operations.versions:
        latest = known.latest.get(asked.logical_id)
        if latest is None or type(latest.item) is not type(asked.item):
            continue
        if latest.item.unique_id != asked.item.unique_id:
            yield asked.item.entry_uuid, "the uniqueId must be that of the version before"
        if object_type(latest.item) is not object_type(asked.item):
            yield asked.item.entry_uuid, "the objectType must be that of the version before"


def object_type(item: DocumentEntry | Folder) -> ObjectType | None:
    """Stable or on-demand; a Folder is neither."""
    return item.object_type if isinstance(item, DocumentEntry) else None


@rule(UNREADABLE)
def an_object_is_updated_once(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """At most one new version and one new status of a logical object in a message (U9)."""
    for name, count in Counter(asked.logical_id for asked in update.operations.versions).items():
        if count > 1:
            yield name[:80], f"{count} new versions of one object in one message"
    for name, count in Counter(asked.target for asked in update.operations.statuses).items():
        if count > 1:
            yield name[:80], f"{count} new statuses of one object in one message"


@rule(WRONG)
def a_new_version_gets_no_new_status_besides(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """A new version and a new status of one object: in two submissions."""
    updated = {asked.item.entry_uuid for asked in update.operations.versions}
    updated |= {latest.entry_uuid for latest, _ in replaced_versions(update, known)}
    for asked in update.operations.statuses:
        if asked.target in updated:
            yield asked.link.entry_uuid, "the object gets a new version in the same message: send the status by itself"


def replaced_versions(update: Update, known: KnownVersions) -> list[tuple[Version, NewVersion]]:
    """The latest versions that new ones are to follow."""
    pairs = ((known.latest.get(asked.logical_id), asked) for asked in update.operations.versions)
    return [(latest, asked) for latest, asked in pairs if latest is not None]


@rule(PATIENT)
def nothing_stays_tied_to_another_patient(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """patientId changes only together with all that the new version would be tied to (U8)."""
    moved = {latest.entry_uuid: asked for latest, asked in replaced_versions(update, known)}
    for tie in known.live_ties():
        ends = [moved.get(tie.source), moved.get(tie.target)]
        if not any(asked is not None and asked.propagates for asked in ends):
            continue
        patients = {_patient(end, moved, known) for end in (tie.source, tie.target)}
        if len(patients) > 1:
            named = next(asked for asked in ends if asked is not None)
            told = (
                f"its {tie.type.name} {tie.entry_uuid} would join objects of two patients: move both, or propagate none"
            )
            yield named.item.entry_uuid, told


def _patient(name: str, moved: Mapping[str, NewVersion], known: KnownVersions) -> str | None:
    asked = moved.get(name)
    return asked.item.patient_id if asked and asked.propagates else known.ends[name].patient_id


@rule(WRONG)
def a_status_changes_from_what_it_is(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """The target is the latest version, and OriginalStatus is its status now (A3, A4)."""
    for asked in update.operations.statuses:
        target = known.objects.get(asked.target)
        if target is None:
            continue  # another rule says that it leads nowhere
        if not target.is_latest:
            yield asked.link.entry_uuid, "only the latest version of an object changes its status"
        elif target.status is not asked.original:
            yield asked.link.entry_uuid, f"OriginalStatus is not the status of {asked.target[:80]} now"


@rule(WRONG)
def what_changes_its_status_has_one_of_its_own(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """No SubmissionSet, and no membership in one (A5)."""
    for asked in update.operations.statuses:
        target = known.objects.get(asked.target)
        if target is None:
            continue
        source = known.ends.get(target.source)
        if target.kind is SubmissionSet:
            yield asked.link.entry_uuid, "a SubmissionSet keeps its status"
        elif target.link_type is HAS_MEMBER and source is not None and source.kind is SubmissionSet:
            yield asked.link.entry_uuid, "a HasMember of a SubmissionSet keeps its status"


@rule(WRONG)
def a_chain_of_replacements_has_one_current_document(
    update: Update, known: KnownVersions, domain: Domain
) -> Objections:
    """Two current versions of one letter are worse than none: the other is deprecated first."""
    for asked in update.operations.statuses:
        target = known.objects.get(asked.target)
        if target is None or asked.status is not AvailabilityStatus.APPROVED or not known.rivals.get(asked.target):
            continue
        source = known.ends.get(target.source)
        if source is None or source.is_current:
            told = f"{min(known.rivals[asked.target])}, which has replaced the same or was replaced, is current"
            yield asked.link.entry_uuid, f"{told}: deprecate that first"


@rule(PATIENT)
def the_submission_set_is_of_the_objects_patient(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """Who changes something of a patient says so: patients are not mixed in a message."""
    patients = {item.patient_id for item in update.submission.submission_sets}
    if len(patients) != 1:
        return
    for asked in update.operations.statuses:
        target = known.objects.get(asked.target)
        if target and target.patient_id not in patients:
            yield asked.link.entry_uuid, "the object is of another patient than the SubmissionSet"


@rule(WRONG)
def an_association_joins_what_can_be_joined(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """Folder → entry for a membership, entry → entry for a relationship; both current (S2, S3)."""
    own = {asked.item.entry_uuid: asked for asked in update.operations.versions}
    current = {latest.entry_uuid: asked for latest, asked in replaced_versions(update, known)}
    for asked in update.operations.associations:
        link = asked.association
        if link.type is not HAS_MEMBER and link.type not in RELATIONSHIPS:
            yield link.entry_uuid, f"{link.type.name} cannot be submitted by itself"
            continue
        wanted = (Folder if link.type is HAS_MEMBER else DocumentEntry, DocumentEntry)
        for name, end, kind in zip(("sourceObject", "targetObject"), (link.source, link.target), wanted, strict=True):
            version = own.get(end) or current.get(end)
            seen = known.objects.get(end)
            if version is not None and version.propagates:
                told = "gets a new version with its Associations in the same message"
            elif version is not None and end not in own:
                told = "gets a new version in the same message: join that one"
            elif version is not None:
                told = "" if isinstance(version.item, kind) else f"must be a {kind.__name__}"
            elif seen is None or seen.kind is not kind:
                told = f"must be a registered {kind.__name__}"
            else:
                told = "" if seen.is_current else "is deprecated"
            if told:
                yield link.entry_uuid, f"{name} {end[:80]} {told}"


@rule(PATIENT)
def an_association_joins_objects_of_one_patient(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """Both ends, and the SubmissionSet (S4)."""
    own = {item.entry_uuid: item.patient_id for item in meaning.filed(update.submission)}
    patients = {item.patient_id for item in update.submission.submission_sets}
    for asked in update.operations.associations:
        ends = (asked.association.source, asked.association.target)
        found = {own.get(end) or known.objects[end].patient_id for end in ends if end in own or end in known.objects}
        if len(found | patients) > 1:
            yield asked.association.entry_uuid, "it would join objects of two patients"


@rule(WRONG)
def what_is_joined_already_is_not_joined_again(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """No Approved Association between the two, nor two in one message (S5)."""
    pairs = Counter(_pair(asked) for asked in update.operations.associations)
    for asked in update.operations.associations:
        if _pair(asked) in known.joined or pairs[_pair(asked)] > 1:
            yield asked.association.entry_uuid, "the two objects are joined already"


def _pair(asked: NewAssociation) -> frozenset[str]:
    return frozenset((asked.association.source, asked.association.target))


@rule(WRONG)
def a_snapshot_is_stable(update: Update, known: KnownVersions, domain: Domain) -> Objections:
    """IsSnapshotOf starts at a stable document (ITI TF-3 4.2.2.2.6)."""
    for asked in update.operations.associations:
        source = known.objects.get(asked.association.source)
        if asked.association.type is not AssociationType.IS_SNAPSHOT_OF or source is None:
            continue
        if source.object_type is not ObjectType.STABLE:
            yield asked.association.entry_uuid, "the snapshot must be a stable document"
