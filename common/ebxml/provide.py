"""ProvideAndRegisterDocumentSetRequest, the body of ITI-41: read lightly, since most of it passes through.

The repository looks at a few attributes, sets three, and sends the rest on exactly as it came.
"""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from common.ebxml import names as n
from common.ebxml.objects import Element, object_id, slot_values
from common.ebxml.submission import object_list
from common.model import DocumentEntry, ObjectType, SubmissionSet
from common.standard.attributes import Place, placed

_UNIQUE_ID = next(
    row.key for row in placed(DocumentEntry, Place.EXTERNAL_IDENTIFIER).values() if row.field == "unique_id"
)
_SET_UNIQUE_ID = next(
    row.key for row in placed(SubmissionSet, Place.EXTERNAL_IDENTIFIER).values() if row.field == "unique_id"
)
_SET_PATIENT_ID = next(
    row.key for row in placed(SubmissionSet, Place.EXTERNAL_IDENTIFIER).values() if row.field == "patient_id"
)


@dataclass(frozen=True, slots=True)
class ProvidedEntry:
    """A DocumentEntry on its way through the repository."""

    element: Element
    id: str
    unique_id: str
    mime_type: str
    object_type: str
    slots: dict[str, Element]

    @property
    def hash(self) -> str | None:
        """The SHA-1 that the source gives, if it does."""
        return self._value("hash")

    @property
    def size(self) -> str | None:
        """The size that the source gives, if it does."""
        return self._value("size")

    def _value(self, name: str) -> str | None:
        slot = self.slots.get(name)
        values = slot_values(slot) if slot is not None else ()
        return values[0] if values else None

    @property
    def is_stable(self) -> bool:
        """Whether there are fixed bytes to it."""
        return self.object_type == ObjectType.STABLE


@dataclass(frozen=True, slots=True)
class Provided:
    """The submission as an element, its entries, and each Document element with its id."""

    submit: Element | None
    entries: tuple[ProvidedEntry, ...]
    documents: tuple[tuple[str, Element], ...]

    def submission_sets(self) -> list[tuple[str, str]]:
        """The patient and the uniqueId of each SubmissionSet."""
        objects = object_list(self.submit) if self.submit is not None else None
        found = [] if objects is None else [each for each in objects if each.tag == n.REGISTRY_PACKAGE]
        told = [(_identifier(each, _SET_PATIENT_ID), _identifier(each, _SET_UNIQUE_ID)) for each in found]
        return [pair for pair in told if pair[1]]


def read_provide(request: Element) -> Provided:
    """The parts of the request; ``submit`` is ``None`` where it has no submission."""
    submit = request.find(n.SUBMIT_OBJECTS_REQUEST)
    objects = object_list(submit) if submit is not None else None
    entries = () if objects is None else tuple(_entry(each) for each in objects if each.tag == n.EXTRINSIC_OBJECT)
    documents = tuple((object_id(each.get("id", "")), each) for each in request if each.tag == n.DOCUMENT)
    return Provided(submit, entries, documents)


def _entry(element: Element) -> ProvidedEntry:
    slots: dict[str, Element] = {}
    unique_id = ""
    for child in element:
        if child.tag == n.SLOT:
            slots.setdefault(child.get("name", ""), child)
        elif (
            not unique_id
            and child.tag == n.EXTERNAL_IDENTIFIER
            and object_id(child.get("identificationScheme", "")) == _UNIQUE_ID
        ):
            unique_id = child.get("value", "").strip()
    return ProvidedEntry(
        element,
        object_id(element.get("id", "")),
        unique_id,
        element.get("mimeType", ""),
        object_id(element.get("objectType", "")),
        slots,
    )


def _identifier(element: Element, scheme: str) -> str:
    for child in element:
        if child.tag == n.EXTERNAL_IDENTIFIER and object_id(child.get("identificationScheme", "")) == scheme:
            return child.get("value", "").strip()
    return ""


def complete(entry: ProvidedEntry, *, sha1: str, size: int, repository_unique_id: str) -> None:
    """Set what the repository alone knows (ITI TF-2 3.41.4.1.3); what the source said of it gives way."""
    for name, value in (("hash", sha1), ("size", str(size)), ("repositoryUniqueId", repository_unique_id)):
        slot = entry.slots.get(name)
        if slot is None:
            # Slots stand first in the schema's order, so the beginning is always a right place.
            slot = etree.Element(n.SLOT, name=name)
            entry.element.insert(0, slot)
        for child in list(slot):
            slot.remove(child)
        etree.SubElement(etree.SubElement(slot, n.VALUE_LIST), n.VALUE).text = value


def submission_bytes(submit: Element) -> bytes:
    """The SubmitObjectsRequest, to stand in a message of its own."""
    return etree.tostring(submit, with_tail=False)
