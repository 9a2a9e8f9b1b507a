"""ITI-42: how a submission fits in with patients, codes and what is registered (TF-2 3.42.4.1.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from common.model import (
    Association,
    AssociationType,
    AvailabilityStatus,
    Code,
    DocumentEntry,
    Folder,
    ObjectType,
    Submission,
    SubmissionSet,
)
from common.rules import Objections, Rulebook
from common.standard.attributes import ATTRIBUTES, Place
from common.standard.errors import ErrorCode
from registry.known import Domain, Known
from registry.rules.structure import HAS_MEMBER, RELATIONSHIPS

# The target of these is a registered document; others may point at one of the same message.
REPLACING = frozenset({AssociationType.RPLC, AssociationType.XFRM_RPLC})
TARGET_REGISTERED = REPLACING | {AssociationType.IS_SNAPSHOT_OF}

MEANING: Rulebook[[Submission, Known, Domain]] = Rulebook()
rule = MEANING.rule
WRONG = ErrorCode.XDSRegistryMetadataError


def filed(submission: Submission) -> list[SubmissionSet | DocumentEntry | Folder]:
    """Everything that has a patient and a uniqueId."""
    return [*submission.submission_sets, *submission.entries, *submission.folders]


@rule(ErrorCode.XDSUnknownPatientId)
def the_patient_is_known(submission: Submission, known: Known, domain: Domain) -> Objections:
    """Of the affinity domain, fed if the policy wants it, and not merged into another (TF-2 3.42.4.1.3.3)."""
    for patient_id in sorted({item.patient_id for item in filed(submission) if item.patient_id}):
        if problem := domain.patient_problem(patient_id):
            yield patient_id[:256], problem
        elif patient_id in known.merged:
            yield patient_id, "the patient id was merged into another and takes no more documents"
        elif domain.only_fed_patients and patient_id not in known.patients:
            yield patient_id, "the patient id has not come through a patient identity feed"


@rule(ErrorCode.XDSPatientIdDoesNotMatch)
def one_submission_has_one_patient(submission: Submission, known: Known, domain: Domain) -> Objections:
    """SubmissionSet, entries and folders of a message are of one patient (ITI TF-3 4.2.1.2)."""
    sets = [item.patient_id for item in submission.submission_sets if item.patient_id]
    for item in (*submission.entries, *submission.folders):
        if sets and item.patient_id and item.patient_id != sets[0]:
            yield item.entry_uuid, f"patientId {item.patient_id} differs from the SubmissionSet's {sets[0]}"


def _patients(submission: Submission, known: Known) -> dict[str, str]:
    found = {name: seen.patient_id for name, seen in known.objects.items()}
    found.update((item.entry_uuid, item.patient_id) for item in filed(submission) if item.patient_id)
    return found


@rule(ErrorCode.XDSPatientIdDoesNotMatch)
def what_is_linked_is_of_one_patient(submission: Submission, known: Known, domain: Domain) -> Objections:
    """A Folder and its members; both ends of a relationship. References of a SubmissionSet are free."""
    patients = _patients(submission, known)
    sets = {item.entry_uuid for item in submission.submission_sets}
    for link in submission.associations:
        source, target = patients.get(link.source), patients.get(link.target)
        if link.source not in sets and source and target and source != target:
            yield link.entry_uuid, f"{link.type.name} would join objects of {source} and {target}"


@rule(ErrorCode.XDSNonIdenticalHash)
def a_known_unique_id_has_the_known_hash(submission: Submission, known: Known, domain: Domain) -> Objections:
    """One uniqueId, one content, whatever the version or status of the entries (TF-2 3.42.4.1.3.3)."""
    for entry in submission.entries:
        taken = known.taken.get(entry.unique_id or "")
        if taken and taken.kind == "DocumentEntry" and entry.hash and taken.hash != entry.hash.lower():
            yield entry.unique_id or "", "the uniqueId is registered with another hash: this is another document"


@rule(ErrorCode.XDSNonIdenticalSize)
def a_known_unique_id_has_the_known_size(submission: Submission, known: Known, domain: Domain) -> Objections:
    """As for the hash."""
    for entry in submission.entries:
        taken = known.taken.get(entry.unique_id or "")
        if taken and taken.kind == "DocumentEntry" and entry.size and taken.size != entry.size:
            yield entry.unique_id or "", "the uniqueId is registered with another size: this is another document"


@rule(ErrorCode.XDSDuplicateUniqueIdInRegistry)
def the_unique_ids_of_packages_are_new(submission: Submission, known: Known, domain: Domain) -> Objections:
    """A SubmissionSet's or Folder's uniqueId is that of no registered object (TF-2 3.42.4.1.3.3)."""
    for item in (*submission.submission_sets, *submission.folders):
        taken = known.taken.get(item.unique_id or "")
        if taken:
            kind = type(item).__name__
            yield item.unique_id or "", f"the uniqueId of this {kind} is taken by a registered {taken.kind}"
    for entry in submission.entries:
        taken = known.taken.get(entry.unique_id or "")
        if taken and taken.kind != "DocumentEntry":
            yield entry.unique_id or "", f"the uniqueId of this DocumentEntry is taken by a registered {taken.kind}"


@rule(ErrorCode.XDSRegistryDuplicateUniqueIdInMessage)
def unique_ids_differ_within_a_message(submission: Submission, known: Known, domain: Domain) -> Objections:
    """Two entries with one uniqueId count too."""
    for value, count in Counter(item.unique_id for item in filed(submission) if item.unique_id).items():
        if count > 1:
            yield value, f"the uniqueId occurs {count} times in this message"


@rule(WRONG)
def codes_are_of_the_affinity_domain(submission: Submission, known: Known, domain: Domain) -> Objections:
    """Code and coding scheme are judged, display names never (ITI TF-3 4.2.3.1.2)."""
    for item in submission.objects():
        for row in ATTRIBUTES[type(item)]:
            if row.place is not Place.CODE:
                continue
            for code in _codes(getattr(item, row.field)):
                if not domain.accepts_code(row.code_set, code.code, code.scheme):
                    told = f"{code.code[:80]!r} of {code.scheme[:80]!r}"
                    yield item.entry_uuid, f"{row.name} {told} is not in this affinity domain's value set"


def _codes(value: Code | tuple[Code, ...] | None) -> Iterator[Code]:
    if isinstance(value, Code):
        yield value
    elif value:
        yield from value


@rule(WRONG)
def the_mime_type_is_allowed(submission: Submission, known: Known, domain: Domain) -> Objections:
    """By the affinity domain's list."""
    for entry in submission.entries:
        if entry.mime_type and not domain.accepts_mime(entry.mime_type):
            yield entry.entry_uuid, f"mimeType {entry.mime_type[:80]!r} is not allowed in this affinity domain"


@rule(ErrorCode.XDSRegistryDeprecatedDocumentError)
def what_is_put_into_a_folder_is_current(submission: Submission, known: Known, domain: Domain) -> Objections:
    """Folder → DocumentEntry: the entry is Approved."""
    for link in _memberships(submission):
        target = known.objects.get(link.target)
        if target and target.kind is DocumentEntry and target.is_deprecated:
            yield link.target, "a deprecated DocumentEntry cannot be put into a Folder"


@rule(WRONG)
def the_folder_that_gets_a_member_is_current(submission: Submission, known: Known, domain: Domain) -> Objections:
    """Folder → DocumentEntry: the Folder is Approved."""
    for link in _memberships(submission):
        source = known.objects.get(link.source)
        if source and source.kind is Folder and source.is_deprecated:
            yield link.source, "a deprecated Folder gets no more members"


def _memberships(submission: Submission) -> list[Association]:
    sets = {item.entry_uuid for item in submission.submission_sets}
    return [link for link in submission.associations if link.type is HAS_MEMBER and link.source not in sets]


def _relationships(submission: Submission) -> list[Association]:
    return [link for link in submission.associations if link.type in RELATIONSHIPS]


@rule(ErrorCode.UnresolvedReferenceException)
def a_relationship_starts_at_a_document_of_the_message(
    submission: Submission, known: Known, domain: Domain
) -> Objections:
    """Its sourceObject is a DocumentEntry that is being submitted (ITI TF-3 4.2.2.2)."""
    entries = {entry.entry_uuid for entry in submission.entries}
    for link in _relationships(submission):
        if link.source not in entries:
            yield link.entry_uuid, f"the sourceObject of {link.type.name} must be a DocumentEntry of this message"


@rule(ErrorCode.UnresolvedReferenceException)
def a_relationship_ends_at_a_document(submission: Submission, known: Known, domain: Domain) -> Objections:
    """What is replaced or snapshotted is registered; other targets may be in the message too."""
    entries = {entry.entry_uuid for entry in submission.entries}
    for link in _relationships(submission):
        target = known.objects.get(link.target)
        if target is not None and target.kind is DocumentEntry:
            continue
        if link.type in TARGET_REGISTERED:
            yield link.entry_uuid, f"the targetObject of {link.type.name} must be a registered DocumentEntry"
        elif link.target not in entries:
            yield link.entry_uuid, f"the targetObject of {link.type.name} must be a DocumentEntry"


@rule(ErrorCode.XDSRegistryDeprecatedDocumentError)
def a_relationship_points_at_a_current_document(submission: Submission, known: Known, domain: Domain) -> Objections:
    """What is deprecated is not replaced, appended to or transformed (ITI TF-3 Table 4.2.4.1-2)."""
    for link in _relationships(submission):
        target = known.objects.get(link.target)
        if target and target.kind is DocumentEntry and target.status is AvailabilityStatus.DEPRECATED:
            yield link.target, f"{link.type.name} refers to a DocumentEntry that is deprecated"


@rule(WRONG)
def a_document_is_not_related_to_itself(submission: Submission, known: Known, domain: Domain) -> Objections:
    """A relationship joins two documents; one that replaced itself would have no current version (ITI TF-3 4.2.2.2)."""
    for link in _relationships(submission):
        if link.source == link.target:
            yield link.entry_uuid, f"{link.type.name} must join two documents, and both its ends are the same one"


@rule(WRONG)
def a_document_is_replaced_once(submission: Submission, known: Known, domain: Domain) -> Objections:
    """Two successors of one document in one message would leave two current versions."""
    targets = Counter(link.target for link in submission.associations if link.type in REPLACING)
    for target, count in targets.items():
        if count > 1:
            yield target, f"the DocumentEntry is replaced {count} times in this message"


@rule(WRONG)
def a_snapshot_is_of_an_on_demand_document(submission: Submission, known: Known, domain: Domain) -> Objections:
    """IsSnapshotOf: source stable, target on-demand (ITI TF-3 4.2.2.2.6)."""
    for link in submission.associations:
        target = known.objects.get(link.target)
        if link.type is not AssociationType.IS_SNAPSHOT_OF or target is None:
            continue
        if target.object_type is not ObjectType.ON_DEMAND:
            yield link.entry_uuid, "IsSnapshotOf must point at an on-demand DocumentEntry"


@rule(WRONG)
def a_transformation_gets_no_addendum(submission: Submission, known: Known, domain: Domain) -> Objections:
    """APND to the product of an XFRM: append to the original instead (ITI TF-3 4.2.2.2.3)."""
    made = {link.source for link in submission.associations if link.type is AssociationType.XFRM}
    made |= known.transformations
    for link in submission.associations:
        if link.type is AssociationType.APND and link.target in made:
            yield link.entry_uuid, "APND must point at the original, not at a transformation of it"
