"""What the client adds to a submission, and that it adds the same thing twice."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from lxml import etree

from common.client import NewDocument
from common.client.message_ids import Names, dtm, new_message_id, time_of
from common.client.submission import Prepared, prepare, request_body
from common.ebxml import names as n
from common.ebxml.objects import read_entry
from common.model import AssociationType, DocumentEntry, Folder, SubmissionSet
from tests.factories import a_code, a_document, a_folder, a_link, a_submission_set, a_uuid

MESSAGE = "urn:uuid:01a1fd1a-ae27-7f92-8890-5b852a4359ee"


def a_new_document(**differs: Any) -> NewDocument:
    entry = a_document(**{"hash": None, "size": None, "repository_unique_id": None, **differs})
    return NewDocument(b"content", "text/plain", entry)


def prepared(*documents: NewDocument, **differs: Any) -> Prepared:
    usual: dict[str, Any] = {
        "source_id": "1.2.3",
        "submission_time": "20260311142000",
        "submission_set": None,
        "folders": (),
        "associations": (),
        "replaces": {},
    }
    return prepare(documents, names=Names(MESSAGE), **{**usual, **differs})


def links(made: Prepared, type_: AssociationType) -> set[tuple[str, str]]:
    return {(link.source, link.target) for link in made.submission.associations if link.type is type_}


def test_the_submission_set_says_of_itself_what_the_first_entry_does() -> None:
    first = a_new_document()

    owner = prepared(first, a_new_document(type_code=a_code("other"))).submission.submission_set

    assert owner.patient_id == first.entry.patient_id
    assert owner.authors == first.entry.authors
    assert owner.content_type_code == first.entry.type_code
    assert (owner.source_id, owner.submission_time) == ("1.2.3", "20260311142000")
    assert (owner.unique_id or "").startswith("2.25.")


def test_a_given_submission_set_keeps_what_it_says() -> None:
    given = a_submission_set(source_id="9.9", submission_time="2020")

    assert prepared(a_new_document(), submission_set=given).submission.submission_set == given


def test_a_given_submission_set_is_completed() -> None:
    owner = prepared(a_new_document(), submission_set=SubmissionSet("")).submission.submission_set

    assert owner.entry_uuid
    assert owner.unique_id
    assert owner.patient_id


def test_missing_ids_are_made_and_given_ones_are_kept() -> None:
    made = prepared(a_new_document(entry_uuid="", unique_id=None), a_new_document(entry_uuid="mine", unique_id="1.2"))

    first, second = made.submission.entries
    assert first.entry_uuid == "Document01"
    assert uuid.UUID(int=int((first.unique_id or "").removeprefix("2.25."))).version == 5
    assert (second.entry_uuid, second.unique_id) == ("mine", "1.2")


def test_the_callers_objects_are_not_changed() -> None:
    document = a_new_document(entry_uuid="", unique_id=None)
    before = replace(document.entry)

    prepared(document)

    assert document.entry == before


def test_the_submission_set_holds_all_that_is_new() -> None:
    link = a_link(AssociationType.HAS_MEMBER, "Folder01", "d")
    made = prepared(
        a_new_document(entry_uuid="d"), folders=[a_folder(entry_uuid="")], associations=[replace(link, entry_uuid="")]
    )

    held = {target for source, target in links(made, AssociationType.HAS_MEMBER) if source == "SubmissionSet01"}
    assert held == {"d", "Folder01", "Association01"}


def test_a_document_that_is_included_by_reference_is_not_taken_for_a_new_one() -> None:
    owner = a_submission_set(entry_uuid="set")
    old = a_uuid()
    included = a_link(AssociationType.HAS_MEMBER, "set", old, submission_set_status="Reference")

    made = prepared(submission_set=owner, associations=[included])

    assert links(made, AssociationType.HAS_MEMBER) == {("set", old)}


@pytest.mark.parametrize("key", [1, "1", "1.2.3.4", "mine"])
def test_a_replacement_is_named_by_index_or_id(key: int | str) -> None:
    old = a_uuid()
    documents = a_new_document(), a_new_document(unique_id="1.2.3.4", entry_uuid="mine")

    assert links(prepared(*documents, replaces={key: old}), AssociationType.RPLC) == {("mine", old)}


@pytest.mark.parametrize("key", [2, "2", -1, "nobody"])
def test_a_replacement_by_no_document_is_refused(key: int | str) -> None:
    with pytest.raises(ValueError, match="none of the 2"):
        prepared(a_new_document(), a_new_document(), replaces={key: a_uuid()})


def test_an_id_that_occurs_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="two objects"):
        prepared(a_new_document(entry_uuid="d"), a_new_document(entry_uuid="d"))


def written(made: Prepared) -> list[bytes]:
    body, _ = request_body(made)
    return [etree.tostring(each) for each in body["SubmitObjectsRequest"]["RegistryObjectList"].children]


def test_the_same_submission_is_made_the_same_to_the_byte() -> None:
    documents = a_new_document(entry_uuid="", unique_id=None), a_new_document()
    folder = Folder("", codes=(a_code("f"),))

    first, second = (written(prepared(*documents, folders=[folder])) for _ in range(2))

    assert first == second


def test_every_document_element_refers_to_its_part() -> None:
    body, attachments = request_body(prepared(a_new_document(entry_uuid="a"), a_new_document(entry_uuid="b")))

    assert [each.attributes["id"] for each in body["Document"]] == ["a", "b"]
    assert [each.children[0].get("href") for each in body["Document"]] == [f"cid:{a.content_id}" for a in attachments]
    assert {attachment.mime_type for attachment in attachments} == {"text/plain"}


def test_the_entry_has_the_mime_type_of_the_document() -> None:
    body, _ = request_body(prepared(a_new_document()))

    objects = body["SubmitObjectsRequest"]["RegistryObjectList"].children
    [entry] = [read_entry(each, []) for each in objects if each.tag == n.EXTRINSIC_OBJECT]
    assert isinstance(entry, DocumentEntry)
    assert (entry.mime_type, entry.hash, entry.size, entry.repository_unique_id) == ("text/plain", None, None, None)


def test_metadata_that_xml_cannot_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="XML"):
        request_body(prepared(a_new_document(uri=("a\x01b",))))


def test_message_ids_tell_when_they_were_made() -> None:
    """The first id is the example of RFC 9562 appendix A.6: 22 February 2022, 14:22:22 at GMT-5."""
    before = dtm(datetime.now(UTC))

    assert time_of("urn:uuid:017F22E2-79B0-7CC3-98C4-DC0C0C07398F") == "20220222192222"
    assert before <= (time_of(new_message_id()) or "") <= dtm(datetime.now(UTC))


@pytest.mark.parametrize("other", ["", "hello", "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1", "urn:uuid:zz"])
def test_other_message_ids_tell_no_time(other: str) -> None:
    assert time_of(other) is None


def test_message_ids_differ() -> None:
    assert len({new_message_id() for _ in range(1000)}) == 1000
