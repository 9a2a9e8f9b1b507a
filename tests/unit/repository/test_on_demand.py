"""On-demand documents: what is kept of them, what makes them, and the shipped generators."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from common.model import DocumentEntry, ObjectType
from repository.on_demand.definition import Definition, UnreadableDefinition, read_definition, write_definition
from repository.on_demand.document_list import as_cda, as_pdf
from repository.on_demand.generator import NoSuchGenerator, Order, generator, installed
from repository.on_demand.source import content_unique_id
from repository.rules.provide import PROVIDE, Bytes, Delivery, Entry
from tests.factories import a_code, a_document, text

NOW = datetime(2026, 11, 27, 14, 30, tzinfo=UTC)
WORDS = st.text(st.characters(codec="utf-8"), max_size=20)


def an_order(*documents: DocumentEntry, now: datetime = NOW) -> Order:
    entry = a_document(object_type=ObjectType.ON_DEMAND, creation_time=None, hash=None, size=None)
    return Order(entry, {}, now, lambda: documents)


@given(WORDS, WORDS, st.booleans(), st.dictionaries(WORDS, WORDS, max_size=3))
def test_a_definition_is_read_as_it_was_written(name: str, source: str, keep: bool, parameters: dict[str, str]) -> None:
    definition = Definition(name, source, a_code("58000006"), keep, parameters)

    assert read_definition(write_definition(definition)) == definition


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff", b'{"generator": 1, "content_type": []}'])
def test_what_is_no_definition_is_told_apart(content: bytes) -> None:
    with pytest.raises(UnreadableDefinition):
        read_definition(content)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    with contextlib.suppress(UnreadableDefinition):
        read_definition(content)


def test_the_shipped_generators_are_installed() -> None:
    assert {"document-list-pdf", "document-list-cda"} <= installed().keys()
    assert generator("document-list-pdf") is as_pdf
    with pytest.raises(NoSuchGenerator):
        generator("no-such-thing")


def test_another_content_has_another_unique_id_and_the_same_one_the_same() -> None:
    assert content_unique_id("1.2", "a" * 40) == content_unique_id("1.2", "a" * 40)
    assert len({content_unique_id("1.2", "a"), content_unique_id("1.2", "b"), content_unique_id("1.3", "a")}) == 3
    assert len(content_unique_id("1.2", "a")) <= 64


@pytest.mark.parametrize("make", [as_pdf, as_cda], ids=["pdf", "cda"])
def test_a_list_is_the_same_for_a_day_in_which_nothing_changes(make: object) -> None:
    assert callable(make)
    documents = [a_document(title=text("One"), creation_time="20260101"), a_document(title=text("Two <&>"))]
    once = make(an_order(*documents))

    assert make(an_order(*reversed(documents), now=NOW.replace(hour=23))).content.count(b"Two") == 1
    assert once.content != make(an_order(documents[0])).content
    assert make(an_order(*documents)).mime_type in ("application/pdf", "text/xml")


def test_the_cda_list_names_each_document_newest_first() -> None:
    old = a_document(title=text("Old <&> letter"), creation_time="20200101")
    new = a_document(title=text("New letter"), creation_time="20260101")
    root = etree.fromstring(as_cda(an_order(old, new)).content)

    cells = [cell.text for cell in root.iter("{urn:hl7-org:v3}td")]
    assert [cell for cell in cells if cell and "letter" in cell and cell != "Inpatient final discharge letter"] == [
        "New letter",
        "Old <&> letter",
    ]
    assert {old.unique_id, new.unique_id} <= set(cells)
    assert root.find(".//{*}patientRole/{*}id").get("extension") == "9990001006"  # type: ignore[union-attr]


def test_a_patient_without_documents_has_an_empty_list() -> None:
    assert b"0 current documents" in as_pdf(an_order()).content
    assert b"No current documents" in as_cda(an_order()).content


@pytest.mark.parametrize(
    "mime_type", ["application/vnd.portolan.on-demand+json", "Application/vnd.portolan.On-Demand+JSON ; charset=x"]
)
def test_no_document_is_provided_under_the_reserved_type(mime_type: str) -> None:
    entry = Entry("Document01", "1.2.3", True, None, None, mime_type)
    delivery = Delivery(True, (entry,), ("Document01",), {"Document01": Bytes("a" * 40, 1)})

    assert [what for _, what in ((each.where, each.what) for each in PROVIDE.check(delivery))] == [
        "the mimeType application/vnd.portolan.on-demand+json is reserved"
    ]
    assert PROVIDE.check(replace(delivery, entries=(replace(entry, mime_type="application/json"),))) == []
