"""Objects in which every attribute of the table has a value, and generated ones."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from common.model import (
    Association,
    AssociationType,
    Author,
    AvailabilityStatus,
    Classification,
    Code,
    DocumentEntry,
    Folder,
    LocalizedString,
    ObjectType,
    RegistryObject,
    SubmissionSet,
)
from common.standard.attributes import ATTRIBUTES, Attribute, Place
from tests.factories import a_uuid, an_author

# XML cannot hold control characters and lone surrogates; surrounding white space is no part of a Slot's value.
CHARACTERS: Final = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff\u2028\u2029")
VALUES: Final = st.text(
    st.one_of(st.sampled_from("<>&'\"]^|~%_\\ é文😀\u00a0"), CHARACTERS), min_size=1, max_size=40
).filter(lambda text: text == text.strip())
ATTRIBUTE_VALUES: Final = st.text(st.one_of(st.sampled_from("<>&'\"\n\t\r;é文😀"), CHARACTERS), min_size=1, max_size=40)
STRINGS: Final = st.lists(
    st.builds(LocalizedString, ATTRIBUTE_VALUES, st.sampled_from(["", "en-GB", "cy"]), st.sampled_from(["", "UTF-8"])),
    max_size=3,
).map(tuple)
CODES: Final = st.builds(Code, VALUES, VALUES, STRINGS)
MANY: Final = st.lists(VALUES, max_size=3).map(tuple)
AUTHORS: Final = st.builds(
    Author,
    person=st.none() | VALUES,
    institutions=MANY,
    roles=MANY,
    specialties=MANY,
    telecommunications=MANY,
)
URN: Final = VALUES.map(lambda text: f"urn:example:{text}")
EXTRAS: Final = st.builds(
    Classification,
    scheme=st.just("") | URN,
    node=st.just("") | URN,
    representation=ATTRIBUTE_VALUES.map(str.strip),
    slots=st.dictionaries(VALUES, MANY, max_size=2),
    names=STRINGS,
)


def a_value(row: Attribute) -> Any:
    """Some value that suits a row."""
    if row.place is Place.CODE:
        one: Any = Code(f"code of {row.name}", "1.2.3", (LocalizedString("a & b"),))
    elif row.place is Place.AUTHOR:
        one = an_author()
    else:
        one = f"<{row.name}> & 'more' \"of\" it"
    return (one, one) if row.many else one


def an_object(kind: type[RegistryObject]) -> RegistryObject:
    """An object without any attribute."""
    return kind(a_uuid())


def a_full_object(kind: type[RegistryObject]) -> RegistryObject:
    """An object with every attribute."""
    item = an_object(kind)
    for row in ATTRIBUTES[kind]:
        setattr(item, row.field, a_value(row))
    item.title = item.comments = (LocalizedString("a title", "en-GB", "UTF-8"), LocalizedString("teitl", "cy"))
    item.extra_slots = {"urn:example:one": ("a", "b"), "urn:example:two": ()}
    item.extra_classifications = (Classification("urn:example:x", "", "rep", {"a": ("b",)}, ()),)
    item.availability_status = AvailabilityStatus.DEPRECATED
    item.logical_id, item.version = a_uuid(), 3
    if isinstance(item, Association):
        item.type, item.source, item.target = AssociationType.RPLC, a_uuid(), a_uuid()
    return item


def _row_values(row: Attribute) -> st.SearchStrategy[Any]:
    if row.place is Place.CODE:
        one: st.SearchStrategy[Any] = CODES
    elif row.place is Place.AUTHOR:
        one = AUTHORS
    else:
        one = VALUES
    return st.lists(one, max_size=3).map(tuple) if row.many else one


@st.composite
def objects(draw: st.DrawFn, kind: type[RegistryObject]) -> RegistryObject:
    """An object with any values that ebRIM can hold."""
    item = kind(draw(st.one_of(st.uuids().map(lambda name: f"urn:uuid:{name}"), VALUES.map(lambda text: f"id{text}"))))
    for row in ATTRIBUTES[kind]:
        if draw(st.booleans()):
            setattr(item, row.field, draw(_row_values(row)))
    item.title, item.comments = draw(STRINGS), draw(STRINGS)
    item.extra_slots = draw(st.dictionaries(URN, MANY, max_size=2))
    item.extra_classifications = draw(st.lists(EXTRAS, max_size=2).map(tuple))
    item.availability_status = draw(st.none() | st.sampled_from(AvailabilityStatus))
    item.logical_id = draw(st.none() | VALUES)
    item.version = draw(st.none() | st.integers(1, 10_000))
    if isinstance(item, DocumentEntry):
        item.object_type = draw(st.sampled_from(ObjectType))
    if isinstance(item, Association):
        item.type = draw(st.sampled_from(AssociationType))
        item.source, item.target = draw(VALUES), draw(VALUES)
    return item


KINDS: Final[tuple[type[RegistryObject], ...]] = (SubmissionSet, DocumentEntry, Folder, Association)
