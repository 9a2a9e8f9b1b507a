"""ITI-42: the shape of a submission (ITI TF-3 4.2.1; spec of ITI-42 in ITI TF-2 3.42.4.1.3)."""

from __future__ import annotations

from collections import Counter

from common.model import Association, AssociationType, DocumentEntry, Folder, RegistryObject, Submission, SubmissionSet
from common.rules import Objections, Rulebook, metadata
from common.standard.errors import ErrorCode
from registry.known import Known

HAS_MEMBER = AssociationType.HAS_MEMBER
UPDATES = frozenset({AssociationType.UPDATE_AVAILABILITY_STATUS, AssociationType.SUBMIT_ASSOCIATION})
RELATIONSHIPS = frozenset(
    {
        AssociationType.RPLC,
        AssociationType.XFRM,
        AssociationType.APND,
        AssociationType.XFRM_RPLC,
        AssociationType.SIGNS,
        AssociationType.IS_SNAPSHOT_OF,
    }
)

STRUCTURE: Rulebook[[Submission, Known]] = Rulebook()
rule = STRUCTURE.rule
WRONG = ErrorCode.XDSRegistryMetadataError


@rule(WRONG)
def nothing_was_said_that_cannot_be_kept(submission: Submission, known: Known) -> Objections:
    """What the reader could not put into an object (duplicate slots, unknown elements and types)."""
    for flaw in submission.flaws:
        yield flaw.where[:256], flaw.what


@rule(WRONG)
def there_is_one_submission_set(submission: Submission, known: Known) -> Objections:
    """Exactly one SubmissionSet (ITI TF-3 4.2.1.1)."""
    if (count := len(submission.submission_sets)) != 1:
        yield "", f"a submission has exactly one SubmissionSet, this one has {count}"


@rule(WRONG)
def every_object_is_what_the_standard_says(submission: Submission, known: Known) -> Objections:
    """Attributes, data types, lengths and names of single objects; on-demand entries lack what fixed bytes have."""
    yield from metadata.ids_are_symbolic_or_uuids(submission)
    yield from metadata.attributes_are_there_and_well_formed(submission)
    yield from metadata.texts_are_short_enough(submission)
    yield from metadata.service_starts_before_it_stops(submission)
    yield from metadata.extra_metadata_have_names_of_their_own(submission)
    yield from metadata.nothing_is_limited_metadata(submission)


@rule(WRONG)
def documents_are_stable(submission: Submission, known: Known) -> Objections:
    """On-demand entries come by ITI-61."""
    for entry in submission.entries:
        if not entry.is_stable:
            yield entry.entry_uuid, "an on-demand DocumentEntry is registered by ITI-61, not by ITI-42"


@rule(WRONG)
def ids_name_one_object_each(submission: Submission, known: Known) -> Objections:
    """An id occurs once in a message, and a submitted UUID is new to the registry."""
    for name, count in Counter(item.entry_uuid for item in submission.objects()).items():
        if count > 1:
            yield name, f"the id names {count} objects of this message"
        elif name in known.taken_ids:
            yield name, "the id is that of an object already registered"


@rule(WRONG)
def versions_belong_to_updates(submission: Submission, known: Known) -> Objections:
    """A first version has no logicalID but its own id; update slots and types belong to ITI-57."""
    for item in submission.objects():
        if item.logical_id and item.logical_id.lower() != item.entry_uuid:
            yield item.entry_uuid, "logicalID must equal the id: new versions are made by ITI-57"
    for link in submission.associations:
        if link.type in UPDATES:
            yield link.entry_uuid, f"{link.type.name} belongs to ITI-57"
        for name, value in (
            ("PreviousVersion", link.previous_version),
            ("AssociationPropagation", link.association_propagation),
            ("OriginalStatus", link.original_status),
            ("NewStatus", link.new_status),
        ):
            if value is not None:
                yield link.entry_uuid, f"Slot {name} belongs to ITI-57"


@rule(ErrorCode.UnresolvedReferenceException)
def every_reference_leads_somewhere(submission: Submission, known: Known) -> Objections:
    """Both ends of an Association are in the message or registered (ITI TF-3 4.2.2)."""
    own = {item.entry_uuid for item in submission.objects()}
    for link in submission.associations:
        for name, end in (("sourceObject", link.source), ("targetObject", link.target)):
            if end not in own and end not in known.objects:
                yield link.entry_uuid, f"{name} {end[:80]!r} is neither in this message nor registered"


def kinds(submission: Submission, known: Known) -> dict[str, type[RegistryObject]]:
    """What kind of object each id names, in the message or else in the registry."""
    found = {name: seen.kind for name, seen in known.objects.items()}
    found.update((item.entry_uuid, type(item)) for item in submission.objects())
    return found


def unfiled_memberships(submission: Submission) -> list[Association]:
    """Memberships of entries of a message in Folders of it that are not in its SubmissionSet."""
    filed = {link.target for link in submission.associations if link.type is HAS_MEMBER}
    folders = {item.entry_uuid for item in submission.folders}
    entries = {item.entry_uuid for item in submission.entries}
    return [
        link
        for link in submission.associations
        if link.type is HAS_MEMBER
        and link.source in folders
        and link.target in entries
        and link.entry_uuid not in filed
    ]


@rule(WRONG)
def everything_submitted_is_in_the_submission_set(submission: Submission, known: Known) -> Objections:
    """Entries, folders and folder memberships each have one HasMember from the SubmissionSet.

    For a membership between a Folder and an entry of this message there is no doubt of it, and senders leave it out:
    the registry adds it (``effects.complete_memberships``).
    """
    if len(submission.submission_sets) != 1:
        return
    own_set = submission.submission_set.entry_uuid
    members = Counter(
        link.target for link in submission.associations if link.type is HAS_MEMBER and link.source == own_set
    )
    memberships: list[RegistryObject] = [
        link for link in submission.associations if link.type is HAS_MEMBER and link.source != own_set
    ]
    wanted: list[RegistryObject] = [*submission.entries, *submission.folders, *memberships]
    implied = {link.entry_uuid for link in unfiled_memberships(submission)}
    for item in wanted:
        if (count := members[item.entry_uuid]) != 1 and item.entry_uuid not in implied:
            what = {DocumentEntry: "DocumentEntry", Folder: "Folder"}.get(type(item), "Folder membership")
            yield item.entry_uuid, f"this {what} must have one HasMember from the SubmissionSet, and has {count}"


@rule(WRONG)
def members_are_of_a_kind_that_can_be_members(submission: Submission, known: Known) -> Objections:
    """SubmissionSet → entry, folder or membership; Folder → entry (ITI TF-3 4.2.2.1)."""
    kind = kinds(submission, known)
    sets = {item.entry_uuid for item in submission.submission_sets}
    for link in submission.associations:
        source, target = kind.get(link.source), kind.get(link.target)
        if link.type is not HAS_MEMBER or source is None or target is None:
            continue
        if source is SubmissionSet and link.source not in sets:
            yield link.entry_uuid, "a registered SubmissionSet gets no further members"
        elif source is Folder and target is not DocumentEntry:
            yield link.entry_uuid, "the member of a Folder is a DocumentEntry"
        elif source not in (SubmissionSet, Folder):
            yield link.entry_uuid, "HasMember goes out from a SubmissionSet or a Folder"
        elif target is SubmissionSet:
            yield link.entry_uuid, "a SubmissionSet is not a member of anything"


@rule(WRONG)
def submission_set_status_tells_the_truth(submission: Submission, known: Known) -> Objections:
    """Original for what is in the message, Reference for what is registered (ITI TF-3 4.2.2.1.2)."""
    own = {item.entry_uuid for item in submission.objects()}
    entries = {item.entry_uuid for item in submission.entries}
    sets = {item.entry_uuid for item in submission.submission_sets}
    for link in submission.associations:
        if link.type is not HAS_MEMBER or link.source not in sets:
            continue
        if problem := _status_problem(link, link.target in own, link.target in entries):
            yield link.entry_uuid, problem


def _status_problem(link: Association, in_message: bool, is_entry: bool) -> str | None:
    right = "Original" if in_message else "Reference"
    told = link.submission_set_status
    if told is None:
        needed = is_entry or not in_message
        return f"Slot SubmissionSetStatus is missing; it must be {right}" if needed else None
    return None if told == right else f"SubmissionSetStatus must be {right} for this target"


@rule(WRONG)
def only_entries_are_included_by_reference(submission: Submission, known: Known) -> Objections:
    """A registered Folder or Association is not made a member again (ITI TF-3 4.2.2.1.2)."""
    sets = {item.entry_uuid for item in submission.submission_sets}
    for link in submission.associations:
        target = known.objects.get(link.target)
        if link.type is HAS_MEMBER and link.source in sets and target and target.kind is not DocumentEntry:
            yield link.entry_uuid, "only a DocumentEntry is included by reference"


@rule(WRONG)
def only_relationships_are_documented(submission: Submission, known: Known) -> Objections:
    """A documentation code says why a document was replaced or changed; memberships have none (4.2.2.2)."""
    documented = RELATIONSHIPS - {AssociationType.SIGNS, AssociationType.IS_SNAPSHOT_OF}
    for link in submission.associations:
        if link.documentation and link.type not in documented:
            yield link.entry_uuid, f"{link.type.name} carries no documentation code"
        elif len(link.documentation) > 1:
            yield link.entry_uuid, "an Association carries at most one documentation code"
