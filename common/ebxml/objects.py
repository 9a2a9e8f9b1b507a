"""Reads registry objects out of ebRIM 3.0 (ITI TF-3 4.2).

Tolerant by design: what a message says twice, or says in a place that has no meaning, becomes a
``Flaw`` beside the objects, so that the rules can report every one of them in a single answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from lxml import etree

from common.ebxml import names as n
from common.model import (
    Association,
    AssociationType,
    Author,
    AvailabilityStatus,
    Classification,
    Code,
    DocumentEntry,
    Flaw,
    Folder,
    LocalizedString,
    ObjectType,
    RegistryObject,
    SubmissionSet,
)
from common.standard.attributes import ATTRIBUTES, AUTHOR_SLOTS, LIMITED_METADATA_NODES, Attribute, Place, placed
from common.standard.identifiers import FOLDER_NODE, SUBMISSION_SET_NODE

Element = etree._Element
Tell = Callable[[str], None]

_KIND_NODES: Final = frozenset({SUBMISSION_SET_NODE, FOLDER_NODE})
_STATUSES: Final = {status.value: status for status in AvailabilityStatus}
_TYPES: Final = {kind.value: kind for kind in AssociationType}
_OBJECT_TYPES: Final = {kind.value: kind for kind in ObjectType}


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where the values of one kind of object stand: made once from the table of attributes."""

    slots: dict[str, Attribute]
    classifications: dict[str, Attribute]
    identifiers: dict[str, Attribute]


def _plan(kind: type[RegistryObject]) -> _Plan:
    classified = placed(kind, Place.CODE) | placed(kind, Place.AUTHOR)
    return _Plan(placed(kind, Place.SLOT), classified, placed(kind, Place.EXTERNAL_IDENTIFIER))


_PLANS: Final = {kind: _plan(kind) for kind in ATTRIBUTES}


def object_id(value: str) -> str:
    """An id as it is compared: UUIDs in lower case, symbolic ids as they are (RFC 4122 section 3)."""
    value = value.strip()
    return value.lower() if value[:9].lower() == "urn:uuid:" else value


def slot_values(slot: Element) -> tuple[str, ...]:
    """The values of a Slot, without surrounding white space; empty ones are left out."""
    found = []
    for value_list in slot:
        if value_list.tag == n.VALUE_LIST:
            for value in value_list:
                text = value.text
                if text and (text := text.strip()):
                    found.append(text)
    return tuple(found)


def _strings(element: Element) -> tuple[LocalizedString, ...]:
    return tuple(
        LocalizedString(text, part.get(n.XML_LANG, ""), part.get("charset", ""))
        for part in element
        if part.tag == n.LOCALIZED_STRING and (text := part.get("value")) is not None
    )


def _parts(element: Element, tell: Tell) -> tuple[dict[str, tuple[str, ...]], tuple[LocalizedString, ...]]:
    """The Slots and Names inside a Classification."""
    slots: dict[str, tuple[str, ...]] = {}
    title: tuple[LocalizedString, ...] = ()
    for child in element:
        if child.tag == n.SLOT:
            name = child.get("name", "")
            if name in slots:
                tell(f"Slot {name!r} occurs twice in one Classification")
            slots[name] = slot_values(child)
        elif child.tag == n.NAME:
            title = _strings(child)
    return slots, title


def _code(element: Element, row: Attribute, tell: Tell) -> Code | None:
    slots, display = _parts(element, tell)
    code = element.get("nodeRepresentation", "").strip()
    scheme = slots.get("codingScheme", ())
    if not code:
        tell(f"{row.name} has no nodeRepresentation, which holds the code")
        return None
    if len(scheme) != 1:
        tell(f"{row.name} must have one codingScheme, and has {len(scheme)}")
        return None
    return Code(code, scheme[0], display)


def _author(element: Element, tell: Tell) -> Author:
    slots, _ = _parts(element, tell)
    values: dict[str, Any] = {}
    for name, found in slots.items():
        field = AUTHOR_SLOTS.get(name)
        if field is None:
            tell(f"author has a Slot {name!r}, which authors do not have")
        elif field != "person":
            values[field] = found
        elif len(found) > 1:
            tell(f"author must have one authorPerson, and has {len(found)}")
        elif found:
            values[field] = found[0]
    return Author(**values)


def _read_slot(target: RegistryObject, slot: Element, plan: _Plan, seen: set[str], tell: Tell) -> None:
    name = slot.get("name", "")
    if name in seen:
        tell(f"Slot {name!r} occurs twice in one object")
        return
    seen.add(name)
    values = slot_values(slot)
    row = plan.slots.get(name)
    if row is None:
        target.extra_slots[name] = values
    elif row.many:
        setattr(target, row.field, values)
    elif len(values) > 1:
        tell(f"{row.name} must have one value, and has {len(values)}")
    elif values:
        setattr(target, row.field, values[0])


def _read_classification(target: RegistryObject, element: Element, plan: _Plan, tell: Tell) -> None:
    if object_id(element.get("classifiedObject", "")) != target.entry_uuid:
        tell("a Classification inside the object must name it as its classifiedObject")
    node = element.get("classificationNode")
    scheme = element.get("classificationScheme", "")
    kind = object_id(node or "")
    if kind in _KIND_NODES:
        return
    if kind in LIMITED_METADATA_NODES:
        cast(Any, target).limited_metadata = True
        return
    row = plan.classifications.get(scheme) or plan.classifications.get(object_id(scheme))
    if row is None:
        slots, title = _parts(element, tell)
        representation = element.get("nodeRepresentation", "")
        target.extra_classifications += (Classification(scheme, node or "", representation, slots, title),)
        return
    value = _author(element, tell) if row.place is Place.AUTHOR else _code(element, row, tell)
    if value is None:
        return
    before = getattr(target, row.field)
    if row.many:
        setattr(target, row.field, (*before, value))
    elif before is not None:
        tell(f"{row.name} must occur once, and occurs twice")
    else:
        setattr(target, row.field, value)


def _read_identifier(target: RegistryObject, element: Element, plan: _Plan, tell: Tell) -> None:
    if object_id(element.get("registryObject", "")) != target.entry_uuid:
        tell("an ExternalIdentifier inside the object must name it as its registryObject")
    scheme = element.get("identificationScheme", "")
    row = plan.identifiers.get(scheme) or plan.identifiers.get(object_id(scheme))
    if row is None:
        tell(f"an ExternalIdentifier has the identificationScheme {scheme[:80]!r}, which has no meaning here")
    elif getattr(target, row.field) is not None:
        tell(f"{row.name} must occur once, and occurs twice")
    else:
        setattr(target, row.field, element.get("value", "").strip() or None)


def _fill(target: RegistryObject, element: Element, flaws: list[Flaw]) -> None:
    """Everything that all kinds of objects have in common."""
    plan = _PLANS[type(target)]
    seen: set[str] = set()

    def tell(what: str) -> None:
        flaws.append(Flaw(target.entry_uuid, what))

    target.home_community_id = element.get("home")
    target.logical_id = element.get("lid")
    target.availability_status = _STATUSES.get(element.get("status", ""))
    for child in element:
        tag = child.tag
        if tag == n.SLOT:
            _read_slot(target, child, plan, seen, tell)
        elif tag == n.CLASSIFICATION:
            _read_classification(target, child, plan, tell)
        elif tag == n.EXTERNAL_IDENTIFIER:
            _read_identifier(target, child, plan, tell)
        elif tag == n.NAME:
            target.title = _strings(child)
        elif tag == n.DESCRIPTION:
            target.comments = _strings(child)
        elif tag == n.VERSION_INFO:
            version = child.get("versionName", "1")
            target.version = int(version) if version.isascii() and version.isdigit() and len(version) < 10 else None
        elif tag != n.CONTENT_VERSION_INFO:
            tell(f"the element {etree.QName(child).localname[:80]!r} has no place in this object")


def read_entry(element: Element, flaws: list[Flaw]) -> DocumentEntry:
    """A DocumentEntry out of an ExtrinsicObject."""
    entry = DocumentEntry(object_id(element.get("id", "")), mime_type=element.get("mimeType", ""))
    kind = _OBJECT_TYPES.get(object_id(element.get("objectType", "")))
    if kind is None:
        flaws.append(Flaw(entry.entry_uuid, "objectType must say that this is a stable or an on-demand document"))
    else:
        entry.object_type = kind
    _fill(entry, element, flaws)
    return entry


def package_nodes(element: Element) -> set[str]:
    """What a RegistryPackage's own Classifications say that it is."""
    nodes = {object_id(child.get("classificationNode", "")) for child in element if child.tag == n.CLASSIFICATION}
    return nodes & _KIND_NODES


def read_package(element: Element, nodes: set[str], flaws: list[Flaw]) -> SubmissionSet | Folder | None:
    """A SubmissionSet or a Folder out of a RegistryPackage; ``nodes`` are those given beside it."""
    entry_uuid = object_id(element.get("id", ""))
    kinds = (nodes & _KIND_NODES) | package_nodes(element)
    if len(kinds) != 1:
        told = "both a SubmissionSet and a Folder" if kinds else "neither a SubmissionSet nor a Folder"
        flaws.append(Flaw(entry_uuid, f"the RegistryPackage is classified as {told}"))
        return None
    package = SubmissionSet(entry_uuid) if SUBMISSION_SET_NODE in kinds else Folder(entry_uuid)
    _fill(package, element, flaws)
    return package


def read_association(element: Element, flaws: list[Flaw]) -> Association | None:
    """An Association; ``None`` when its type is none that the standard has."""
    entry_uuid = object_id(element.get("id", ""))
    kind = _TYPES.get(element.get("associationType", ""))
    if kind is None:
        told = element.get("associationType", "")[:120]
        flaws.append(Flaw(entry_uuid, f"{told!r} is no associationType of ITI TF-3 4.2.2"))
        return None
    association = Association(
        entry_uuid,
        type=kind,
        source=object_id(element.get("sourceObject", "")),
        target=object_id(element.get("targetObject", "")),
    )
    _fill(association, element, flaws)
    return association
