"""Fragments read back into the model, for whoever makes a new version of a registered object."""

from __future__ import annotations

from typing import Final, TypeVar

from lxml import etree

from common.ebxml.fragments import with_status
from common.ebxml.objects import Element, read_association, read_entry, read_package
from common.model import Association, DocumentEntry, Flaw, Folder, RegistryObject, SubmissionSet
from common.standard.identifiers import FOLDER_NODE, RIM, SUBMISSION_SET_NODE

Kind = TypeVar("Kind", DocumentEntry, SubmissionSet, Folder, Association)
_PARSER: Final = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)


def read_fragment(kind: type[Kind], status: str, fragment: bytes) -> Kind:
    """The object that a fragment was made of; AssertionError where it was not made by ``fragments``."""
    data = f'<r xmlns:rim="{RIM}">'.encode() + with_status(kind, status) + fragment + b"</r>"
    item = _read(kind, etree.fromstring(data, _PARSER)[0])
    assert isinstance(item, kind)
    return item


def _read(kind: type[RegistryObject], element: Element) -> RegistryObject | None:
    flaws: list[Flaw] = []
    if kind is DocumentEntry:
        return read_entry(element, flaws)
    if kind is Association:
        return read_association(element, flaws)
    return read_package(element, {SUBMISSION_SET_NODE if kind is SubmissionSet else FOLDER_NODE}, flaws)
