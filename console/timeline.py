"""The life of a document as a list of events, gathered from the Registry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from common.client import DocumentConsumer
from common.model import Association, AssociationType, AvailabilityStatus, DocumentEntry, SubmissionSet
from console.metadata.people import shown_person, shown_text

_BOTH: Final = [status.value for status in AvailabilityStatus]
_LEVEL: Final = {"$MetadataLevel": 2}
_MOST: Final = 200
_ACKNOWLEDGEMENT: Final = "2.16.840.1.113883.5.18"
_OTHERS: Final = {
    AssociationType.RPLC: ("replaced by", "replaces"),
    AssociationType.XFRM_RPLC: ("replaced, transformed, by", "replaces, transformed,"),
    AssociationType.APND: ("appended", "appended to"),
    AssociationType.XFRM: ("transformed to", "made from"),
    AssociationType.SIGNS: ("signed by", "signs"),
    AssociationType.IS_SNAPSHOT_OF: ("kept as", "is a snapshot of"),
}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; ``time`` is a DTM in UTC, as the one who did it said."""

    time: str
    what: str
    who: str
    why: str
    entry_uuid: str
    unique_id: str
    version: int
    is_current: bool


def timeline(consumer: DocumentConsumer, entry: DocumentEntry) -> list[Event]:
    """Every version of a document and of those it is related with, in the order of time."""
    entries = _related(consumer, entry)
    links = _links(consumer, [each.entry_uuid for each in entries])
    sets = _submission_sets(consumer, [each.entry_uuid for each in entries])
    events = [_event(each, entry, links, sets.get(each.entry_uuid), entries) for each in entries]
    return sorted(events, key=lambda event: (event.time, event.unique_id, event.version))


def _versions(consumer: DocumentConsumer, logical_ids: Iterable[str]) -> list[DocumentEntry]:
    wanted = sorted(set(logical_ids))
    if not wanted:
        return []
    found = consumer.query("GetDocuments", {"$XDSDocumentEntryLogicalID": wanted, **_LEVEL}, leaf=False).object_refs
    return [each for name in found for each in _by_uuid(consumer, name)]


def _by_uuid(consumer: DocumentConsumer, name: str) -> list[DocumentEntry]:
    """One at a time: versions may be of several patients, and then cannot be had at once."""
    return consumer.query("GetDocuments", {"$XDSDocumentEntryEntryUUID": [name], **_LEVEL}).entries


def _links(consumer: DocumentConsumer, uuids: list[str]) -> list[Association]:
    slots = {"$uuid": uuids, "$XDSAssociationStatus": _BOTH, **_LEVEL}
    found = consumer.query("GetAssociations", slots).associations
    return [link for link in found if link.type in _OTHERS]


def _related(consumer: DocumentConsumer, entry: DocumentEntry) -> list[DocumentEntry]:
    """All versions of the document, and of everything that a chain of relationships leads to."""
    found: dict[str, DocumentEntry] = {}
    layer = _versions(consumer, [entry.logical_id or entry.entry_uuid])
    while layer and len(found) < _MOST:
        found |= {each.entry_uuid: each for each in layer}
        links = _links(consumer, [each.entry_uuid for each in layer])
        names = {end for link in links for end in (link.source, link.target)} - found.keys()
        reached = [each for name in sorted(names) for each in _by_uuid(consumer, name)]
        known = {each.logical_id for each in found.values()}
        layer = _versions(consumer, {each.logical_id or each.entry_uuid for each in reached} - known)
        layer = [each for each in layer if each.entry_uuid not in found]
    return list(found.values())


def _submission_sets(consumer: DocumentConsumer, uuids: list[str]) -> dict[str, SubmissionSet]:
    """By the entry that each submitted first."""
    found: dict[str, SubmissionSet] = {}
    for name in uuids:
        result = consumer.query("GetSubmissionSets", {"$uuid": [name], "$XDSAssociationStatus": _BOTH})
        sets = sorted(result.submission_sets, key=lambda each: each.submission_time or "")
        if sets:
            found[name] = sets[0]
    return found


def _event(
    each: DocumentEntry,
    about: DocumentEntry,
    links: list[Association],
    owner: SubmissionSet | None,
    entries: list[DocumentEntry],
) -> Event:
    author = (owner.authors or each.authors)[:1] if owner else each.authors[:1]
    who = shown_person(author[0].person) or next(iter(author[0].institutions), "") if author else ""
    why = shown_text(owner.title) if owner and (each.version or 1) > 1 else shown_text(each.title)
    return Event(
        (owner.submission_time if owner else each.creation_time) or "",
        _what(each, about, links, {entry.entry_uuid: entry for entry in entries}),
        who,
        why,
        each.entry_uuid,
        each.unique_id or "",
        each.version or 1,
        each.availability_status is AvailabilityStatus.APPROVED,
    )


def _what(
    each: DocumentEntry, about: DocumentEntry, links: list[Association], entries: dict[str, DocumentEntry]
) -> str:
    if (each.version or 1) > 1:
        before = next((one for one in entries.values() if _follows(each, one)), None)
        moved = before is not None and before.patient_id != each.patient_id
        return "moved to another patient" if moved else "amended"
    for link in links:
        if each.entry_uuid == link.source and each.logical_id != about.logical_id:
            target = entries.get(link.target)
            if target is not None and target.logical_id != each.logical_id:
                return _acknowledged(each) or _OTHERS[link.type][0]
        if each.entry_uuid == link.source and link.type in (AssociationType.RPLC, AssociationType.XFRM_RPLC):
            return "registered as a replacement"
    return "registered"


def _follows(after: DocumentEntry, before: DocumentEntry) -> bool:
    return after.logical_id == before.logical_id and (after.version or 1) == (before.version or 1) + 1


def _acknowledged(each: DocumentEntry) -> str:
    """`acknowledged: Accepted`, for a document that says what became of another where it was received."""
    codes = [code for code in each.event_codes if code.scheme == _ACKNOWLEDGEMENT]
    return f"acknowledged: {codes[0].label}" if codes else ""
