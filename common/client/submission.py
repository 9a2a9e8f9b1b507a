"""Makes a whole submission of what a caller gives: ids, the SubmissionSet, and what binds it all together.

The caller's objects are not changed. The same input with the same message id makes the same submission, to the byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lxml import etree

from common.client.contents import Content, content_of
from common.client.message_ids import Names
from common.client.operations import Raw
from common.client.results import NewDocument
from common.client.service import Attachment
from common.ebxml import names as n
from common.ebxml.fragments import element
from common.model import Association, AssociationType, DocumentEntry, Folder, Submission, SubmissionSet
from common.soap.xop import href_for
from common.standard.identifiers import RIM

HAS_MEMBER = AssociationType.HAS_MEMBER
Replaces = Mapping[str, str] | Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A submission that is ready to be sent, and the content of each of its entries by entry id."""

    submission: Submission
    contents: dict[str, Content]
    names: Names


def prepare(
    documents: Sequence[NewDocument],
    *,
    names: Names,
    source_id: str,
    submission_time: str,
    submission_set: SubmissionSet | None,
    folders: Sequence[Folder],
    associations: Sequence[Association],
    replaces: Replaces,
) -> Prepared:
    """The submission; ValueError when the parts do not go together, ContentUnreadable for a file that is not there."""
    entries = [_entry(each, index, names) for index, each in enumerate(documents)]
    own_folders = [_folder(each, index, names, entries) for index, each in enumerate(folders)]
    owner = _owner(submission_set, [*entries, *own_folders], names, source_id, submission_time)
    links = [_named(each, index) for index, each in enumerate(associations)]
    pairs: Iterable[tuple[str | int, str]] = replaces.items()
    links += [
        Association(f"Replacement{index:02d}", type=AssociationType.RPLC, source=_meant(key, entries), target=old)
        for index, (key, old) in enumerate(pairs, 1)
    ]
    submission = Submission([owner], entries, own_folders, links)
    links += _memberships(submission)
    _check_ids(submission)
    contents = {entry.entry_uuid: content_of(each.content) for entry, each in zip(entries, documents, strict=True)}
    return Prepared(submission, contents, names)


def _entry(document: NewDocument, index: int, names: Names) -> DocumentEntry:
    entry = document.entry
    return replace(
        entry,
        entry_uuid=entry.entry_uuid or f"Document{index + 1:02d}",
        unique_id=entry.unique_id or names.oid(f"document {index}"),
        mime_type=document.mime_type or entry.mime_type,
    )


def _folder(folder: Folder, index: int, names: Names, entries: Sequence[DocumentEntry]) -> Folder:
    return replace(
        folder,
        entry_uuid=folder.entry_uuid or f"Folder{index + 1:02d}",
        unique_id=folder.unique_id or names.oid(f"folder {index}"),
        patient_id=folder.patient_id or next((each.patient_id for each in entries), None),
    )


def _owner(
    given: SubmissionSet | None,
    filed: Sequence[DocumentEntry | Folder],
    names: Names,
    source_id: str,
    submission_time: str,
) -> SubmissionSet:
    """The SubmissionSet: the caller's, or one that says of itself what the first entry does."""
    owner = given or _like(next((each for each in filed if isinstance(each, DocumentEntry)), None))
    return replace(
        owner,
        entry_uuid=owner.entry_uuid or "SubmissionSet01",
        unique_id=owner.unique_id or names.oid("submission set"),
        source_id=owner.source_id or source_id,
        patient_id=owner.patient_id or next((each.patient_id for each in filed), None),
        submission_time=owner.submission_time or submission_time,
    )


def _like(entry: DocumentEntry | None) -> SubmissionSet:
    if entry is None:
        return SubmissionSet("")
    return SubmissionSet("", title=entry.title, authors=entry.authors, content_type_code=entry.type_code)


def _named(link: Association, index: int) -> Association:
    return replace(link, entry_uuid=link.entry_uuid or f"Association{index + 1:02d}")


def _meant(key: str | int, entries: Sequence[DocumentEntry]) -> str:
    """The id of the new entry that a key of ``replaces`` means: a unique_id, an entry_uuid, or an index from 0."""
    for entry in entries:
        if key in (entry.unique_id, entry.entry_uuid):
            return entry.entry_uuid
    if str(key).isascii() and str(key).isdigit() and int(key) < len(entries):
        return entries[int(key)].entry_uuid
    raise ValueError(f"{key!r} is none of the {len(entries)} new documents")


def _memberships(submission: Submission) -> list[Association]:
    """The SubmissionSet holds entries, folders, and what puts documents into folders (ITI TF-3 4.1.4)."""
    owner = submission.submission_set.entry_uuid
    inner = [each for each in submission.associations if each.type is HAS_MEMBER and each.source != owner]
    held = [*submission.entries, *submission.folders, *inner]
    return [
        Association(
            f"Membership{index:02d}",
            type=HAS_MEMBER,
            source=owner,
            target=each.entry_uuid,
            submission_set_status="Original",
        )
        for index, each in enumerate(held, 1)
    ]


def _check_ids(submission: Submission) -> None:
    seen: set[str] = set()
    for each in submission.objects():
        if each.entry_uuid in seen:
            raise ValueError(f"two objects have the id {each.entry_uuid!r}")
        seen.add(each.entry_uuid)


def request_body(prepared: Prepared) -> tuple[dict[str, Any], list[Attachment]]:
    """The body of ITI-41, and the documents that go with it (ITI TF-2 3.41.4.1.2)."""
    attachments: list[Attachment] = []
    documents: list[Raw] = []
    for index, entry in enumerate(prepared.submission.entries, 1):
        content_id = f"document-{index}@source.portolan"
        attachments.append(Attachment(content_id, entry.mime_type, prepared.contents[entry.entry_uuid]))
        documents.append(Raw({"id": entry.entry_uuid}, [etree.Element(n.INCLUDE, href=href_for(content_id))]))
    objects = Raw({}, list(objects_element(prepared.submission, prepared.names)))
    return {"SubmitObjectsRequest": {"RegistryObjectList": objects}, "Document": documents}, attachments


def objects_element(submission: Submission, names: Names) -> etree._Element:
    """The RegistryObjectList; ValueError for metadata that XML cannot hold."""
    inner = b"".join(element(each, names.next_uuid) for each in submission.objects())
    try:
        return etree.fromstring(b'<rim:L xmlns:rim="' + RIM.encode() + b'">' + inner + b"</rim:L>")
    except etree.XMLSyntaxError as error:
        raise ValueError("the metadata hold a character that XML cannot") from error
