"""Writes registry objects as ebRIM 3.0 fragments, by joining text: made once, spliced ever after.

A fragment is everything of an element that follows its ``status`` attribute, with the prefix
``rim`` bound by whoever puts it into a message. The status stands first because it is the one
thing that changes while an object lives; ``with_status`` puts it in.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

from common.model import (
    Association,
    Author,
    AvailabilityStatus,
    Classification,
    Code,
    DocumentEntry,
    Folder,
    LocalizedString,
    RegistryObject,
    SubmissionSet,
)
from common.standard.attributes import ATTRIBUTES, AUTHOR_SLOTS, Attribute, Place
from common.standard.identifiers import FOLDER_NODE, OBJECT_TYPE, SUBMISSION_SET_NODE

NewId = Callable[[], str]

ELEMENT: Final[dict[type[RegistryObject], str]] = {
    DocumentEntry: "ExtrinsicObject",
    SubmissionSet: "RegistryPackage",
    Folder: "RegistryPackage",
    Association: "Association",
}
_NODE: Final[dict[type[RegistryObject], str]] = {SubmissionSet: SUBMISSION_SET_NODE, Folder: FOLDER_NODE}
_SPECIAL: Final = re.compile(r'[&<>"\n\r\t]')
_ESCAPED: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
)


def new_uuid() -> str:
    """A fresh ``urn:uuid:`` name (RFC 4122 version 4); made by hand, since an entry needs a dozen."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"urn:uuid:{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def attribute(value: str) -> str:
    """A value made fit to stand between double quotes, or between tags."""
    return value.translate(_ESCAPED) if _SPECIAL.search(value) else value


def with_status(kind: type[RegistryObject], status: AvailabilityStatus | str) -> bytes:
    """The beginning of an element up to where its fragment goes on."""
    return f'<rim:{ELEMENT[kind]} status="{status}"'.encode()


def _slot(name: str, values: Iterable[str]) -> str:
    inner = "".join([f"<rim:Value>{attribute(value)}</rim:Value>" for value in values])
    return f'<rim:Slot name="{attribute(name)}"><rim:ValueList>{inner}</rim:ValueList></rim:Slot>'


def _strings(tag: str, strings: tuple[LocalizedString, ...]) -> str:
    if not strings:
        return ""
    inner = []
    for text in strings:
        lang = f' xml:lang="{attribute(text.lang)}"' if text.lang else ""
        charset = f' charset="{attribute(text.charset)}"' if text.charset else ""
        inner.append(f'<rim:LocalizedString{lang}{charset} value="{attribute(text.value)}"/>')
    return f"<rim:{tag}>{''.join(inner)}</rim:{tag}>"


def _classification(owner: str, new_id: NewId, what: str, inner: str) -> str:
    return (
        f'<rim:Classification id="{new_id()}" objectType="{OBJECT_TYPE}Classification" '
        f'classifiedObject="{owner}" {what}>{inner}</rim:Classification>'
    )


def _code(owner: str, new_id: NewId, scheme: str, code: Code) -> str:
    what = f'classificationScheme="{scheme}" nodeRepresentation="{attribute(code.code)}"'
    return _classification(owner, new_id, what, _code_parts(code.scheme, code.display))


@lru_cache(maxsize=4096)
def _code_parts(scheme: str, display: tuple[LocalizedString, ...]) -> str:
    """The inside of a code: an affinity domain has few, and uses them over and over."""
    return _slot("codingScheme", (scheme,)) + _strings("Name", display)


def _author(owner: str, new_id: NewId, scheme: str, author: Author) -> str:
    return _classification(
        owner, new_id, f'classificationScheme="{scheme}" nodeRepresentation=""', _author_parts(author)
    )


@lru_cache(maxsize=1024)
def _author_parts(author: Author) -> str:
    """The inside of an author: who writes one letter writes many."""
    inner = []
    for name, field in AUTHOR_SLOTS.items():
        found = getattr(author, field)
        values = (found,) if isinstance(found, str) else found
        if values:
            inner.append(_slot(name, values))
    return "".join(inner)


def _extra(owner: str, new_id: NewId, extra: Classification) -> str:
    what = [f'nodeRepresentation="{attribute(extra.representation)}"']
    if extra.scheme:
        what.append(f'classificationScheme="{attribute(extra.scheme)}"')
    if extra.node:
        what.append(f'classificationNode="{attribute(extra.node)}"')
    inner = "".join(_slot(name, values) for name, values in extra.slots.items()) + _strings("Name", extra.names)
    return _classification(owner, new_id, " ".join(what), inner)


def _identifier(owner: str, new_id: NewId, row: Attribute, value: str) -> str:
    return (
        f'<rim:ExternalIdentifier id="{new_id()}" objectType="{OBJECT_TYPE}ExternalIdentifier" '
        f'registryObject="{owner}" identificationScheme="{row.key}" value="{attribute(value)}">'
        f'<rim:Name><rim:LocalizedString value="{row.label}"/></rim:Name></rim:ExternalIdentifier>'
    )


def _head(item: RegistryObject) -> str:
    head = [f' id="{attribute(item.entry_uuid)}"']
    if item.logical_id:
        head.append(f' lid="{attribute(item.logical_id)}"')
    if item.home_community_id:
        head.append(f' home="{attribute(item.home_community_id)}"')
    if isinstance(item, DocumentEntry):
        head.append(f' objectType="{item.object_type}" mimeType="{attribute(item.mime_type)}"')
    elif isinstance(item, Association):
        head.append(
            f' objectType="{OBJECT_TYPE}Association" associationType="{item.type}"'
            f' sourceObject="{attribute(item.source)}" targetObject="{attribute(item.target)}"'
        )
    else:
        head.append(f' objectType="{OBJECT_TYPE}RegistryPackage"')
    return "".join(head)


def _body(item: RegistryObject, new_id: NewId) -> str:
    """Slots, Name, Description, VersionInfo, Classifications, ExternalIdentifiers: the schema's order."""
    owner = attribute(item.entry_uuid)
    slots: list[str] = []
    classifications: list[str] = []
    identifiers: list[str] = []
    for row in ATTRIBUTES[type(item)]:
        value = getattr(item, row.field)
        if not value:
            continue
        if row.place is Place.SLOT:
            slots.append(_slot(row.key, value if row.many else (value,)))
        elif row.place is Place.CODE:
            for code in value if row.many else (value,):
                classifications.append(_code(owner, new_id, row.key, code))
        elif row.place is Place.AUTHOR:
            classifications += [_author(owner, new_id, row.key, author) for author in value]
        elif row.place is Place.EXTERNAL_IDENTIFIER:
            identifiers.append(_identifier(owner, new_id, row, value))
    slots += [_slot(name, values) for name, values in item.extra_slots.items()]
    classifications += [_extra(owner, new_id, extra) for extra in item.extra_classifications]
    if node := _NODE.get(type(item)):
        classifications.append(_classification(owner, new_id, f'classificationNode="{node}"', ""))
    version = f'<rim:VersionInfo versionName="{item.version}"/>' if item.version else ""
    texts = _strings("Name", item.title) + _strings("Description", item.comments)
    return "".join([*slots, texts, version, *classifications, *identifiers])


def fragment(item: RegistryObject, new_id: NewId = new_uuid) -> bytes:
    """All of an object but its status; ``new_id`` names its Classifications and ExternalIdentifiers."""
    return f"{_head(item)}>{_body(item, new_id)}</rim:{ELEMENT[type(item)]}>".encode()


def element(item: RegistryObject, new_id: NewId = new_uuid) -> bytes:
    """A whole object; its status only if it has one."""
    status = f' status="{item.availability_status}"' if item.availability_status else ""
    return f"<rim:{ELEMENT[type(item)]}{status}".encode() + fragment(item, new_id)


def with_slot(fragment_: bytes, name: str, value: str) -> bytes:
    """A fragment in which one single-valued Slot has another value; the Slot is already there."""
    marker = f'<rim:Slot name="{name}"><rim:ValueList><rim:Value>'.encode()
    start = fragment_.index(marker) + len(marker)
    end = fragment_.index(b"</rim:Value>", start)
    return fragment_[:start] + attribute(value).encode() + fragment_[end:]


def patient_mark(kind: type[RegistryObject], patient_id: str) -> str:
    """How the patientId stands in a fragment, and nothing else does: in escaped text there is no bare quote."""
    return f'identificationScheme="{_PATIENT_SCHEMES[kind]}" value="{attribute(patient_id)}"'


def slot_mark(name: str, value: str) -> str:
    """How a single-valued Slot stands in a fragment."""
    return _slot(name, (value,))


_PATIENT_SCHEMES: Final[dict[type[RegistryObject], str]] = {
    kind: next(row.key for row in ATTRIBUTES[kind] if row.field == "patient_id")
    for kind in (DocumentEntry, SubmissionSet, Folder)
}
