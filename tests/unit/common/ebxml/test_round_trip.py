"""What is written as ebRIM is read back the same, for every attribute of the table and any values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from common.ebxml.fragments import ELEMENT, element, fragment, patient_mark, with_slot, with_status
from common.ebxml.stored import read_fragment
from common.ebxml.submission import read_submission
from common.model import (
    AvailabilityStatus,
    Code,
    DocumentEntry,
    Folder,
    LocalizedString,
    RegistryObject,
    Submission,
)
from common.standard.attributes import ATTRIBUTES, Attribute, Place
from tests.factories import HAS_MEMBER, a_document, a_folder, a_link, a_submission, a_uuid, submit_objects
from tests.unit.common.ebxml.samples import KINDS, VALUES, a_full_object, a_value, an_object, objects

ROWS = [pytest.param(kind, row, id=f"{kind.__name__}.{row.name}") for kind in KINDS for row in ATTRIBUTES[kind]]
RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
ORDER = ["Slot", "Name", "Description", "VersionInfo", "Classification", "ExternalIdentifier"]


def read_back(*items: RegistryObject) -> Submission:
    submission = Submission()
    for item in items:
        names = {"SubmissionSet": "submission_sets", "DocumentEntry": "entries", "Folder": "folders"}
        getattr(submission, names.get(type(item).__name__, "associations")).append(item)
    return read_submission(etree.fromstring(submit_objects(submission)))


@pytest.mark.parametrize(("kind", "row"), ROWS)
def test_every_attribute_is_written_and_read_back(kind: type[RegistryObject], row: Attribute) -> None:
    item = an_object(kind)
    setattr(item, row.field, a_value(row))

    submission = read_back(item)

    assert submission.objects() == [item]
    assert submission.flaws == []


@pytest.mark.parametrize(("kind", "row"), [each for each in ROWS if each.values[1].place is Place.CODE])
def test_the_display_name_of_every_code_is_written_and_read_back(kind: type[RegistryObject], row: Attribute) -> None:
    item = an_object(kind)
    setattr(item, row.field, a_value(row))

    [back] = read_back(item).objects()

    codes = getattr(back, row.field)
    assert all(code.label == "a & b" for code in (codes if row.many else (codes,)))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_object_with_everything_is_written_and_read_back(kind: type[RegistryObject]) -> None:
    item = a_full_object(kind)

    assert read_back(item).objects() == [item]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_children_stand_in_the_order_of_the_schema(kind: type[RegistryObject]) -> None:
    written = etree.fromstring(b'<x xmlns:rim="%s">%s</x>' % (RIM.encode(), element(a_full_object(kind))))[0]

    places = [ORDER.index(etree.QName(child).localname) for child in written]
    assert places == sorted(places)
    assert etree.QName(written).localname == ELEMENT[kind]


@given(st.one_of([objects(kind) for kind in KINDS]))
def test_any_object_is_written_and_read_back(item: RegistryObject) -> None:
    submission = read_back(item)

    assert submission.objects() == [item]
    assert submission.flaws == []


@given(st.lists(st.one_of([objects(kind) for kind in KINDS]), max_size=5))
def test_any_submission_is_written_and_read_back(items: list[RegistryObject]) -> None:
    read = read_back(*items)

    assert sorted(map(repr, read.objects())) == sorted(map(repr, items))


def test_a_submission_keeps_its_objects_in_order() -> None:
    submission = a_submission(a_document(), a_document(), a_folder(), a_document())

    assert read_submission(etree.fromstring(submit_objects(submission))) == submission


@pytest.mark.parametrize("status", AvailabilityStatus)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_fragment_behind_a_status_is_the_element(kind: type[RegistryObject], status: AvailabilityStatus) -> None:
    item = a_full_object(kind)
    names = iter(range(100))
    made = fragment(item, lambda: f"urn:x:{next(names)}")

    item.availability_status = status
    names = iter(range(100))
    assert with_status(kind, status) + made == element(item, lambda: f"urn:x:{next(names)}")


def test_ids_inside_an_object_are_fresh_and_name_their_owner() -> None:
    item = a_document()

    written = etree.fromstring(b'<x xmlns:rim="%s">%s</x>' % (RIM.encode(), element(item)))[0]
    parts = [each for each in written if each.get("id")]

    assert len({each.get("id") for each in parts}) == len(parts) == 9
    assert {each.get("classifiedObject") or each.get("registryObject") for each in parts} == {item.entry_uuid}


@given(VALUES)
def test_one_slot_of_a_fragment_is_changed_and_nothing_else(value: str) -> None:
    folder = a_folder(last_update_time="20260101000000", extra_slots={"urn:example:x": ("20260101000000",)})
    changed = with_slot(fragment(folder), "lastUpdateTime", value)

    start = b'<x xmlns:rim="%s"><rim:RegistryObjectList><rim:RegistryPackage' % RIM.encode()
    [back] = read_submission(etree.fromstring(start + changed + b"</rim:RegistryObjectList></x>")).folders

    folder.last_update_time = value
    assert back == folder


def test_a_code_without_display_name_is_labelled_by_its_code() -> None:
    assert Code("N", "1.2").label == "N"


def test_what_an_association_joins_is_read_back_in_lower_case_for_uuids_only() -> None:
    link = a_link(HAS_MEMBER, "URN:UUID:ABC", "Symbolic")

    [back] = read_back(link).associations

    assert (back.source, back.target) == ("urn:uuid:abc", "Symbolic")


def test_what_is_neither_set_nor_many_is_left_out() -> None:
    assert b"Slot" not in element(DocumentEntry("x"))
    assert b"VersionInfo" not in element(Folder("x"))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_stored_fragment_is_read_back_into_the_object_it_was_made_of(kind: type[RegistryObject]) -> None:
    item = a_full_object(kind)
    item.entry_uuid, item.availability_status = a_uuid(), AvailabilityStatus.APPROVED

    assert read_fragment(kind, AvailabilityStatus.APPROVED, fragment(item)) == item  # type: ignore[type-var]


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"))))
def test_the_mark_of_the_patient_id_stands_once_in_a_fragment_whatever_the_texts_say(value: str) -> None:
    patient_id = "9990001006^^^&1.2&ISO"
    mark = patient_mark(DocumentEntry, patient_id)
    title = (LocalizedString(f"{value}{mark}", "en-GB", "UTF-8"),)
    entry = a_document(patient_id=patient_id, title=title, source_patient_id=patient_id, extra_slots={value: (mark,)})

    assert fragment(entry).count(mark.encode()) == 1
