"""Patient identity messages of HL7 v3 read, and their acknowledgement written (ITI TF-2 3.44, appendix O).

Tolerant by design: only what a registry acts on is looked for, wherever optional parts stand around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import quoteattr

from lxml import etree

HL7: Final = "urn:hl7-org:v3"
ACKNOWLEDGEMENT: Final = "MCCI_IN000002UV01"
_INTERACTIONS: Final = "2.16.840.1.113883.1.6"
_CONDITIONS: Final = "2.16.840.1.113883.12.357"
_LONGEST: Final = 256
_MODES: Final = ("P", "T", "D")
_UID: Final = re.compile(
    r"[0-2](?:\.(?:0|[1-9][0-9]*))*|[0-9A-Za-z]{8}(?:-[0-9A-Za-z]{4}){3}-[0-9A-Za-z]{12}|[A-Za-z][A-Za-z0-9-]*"
)
_PATIENT: Final = ("controlActProcess", "subject", "registrationEvent", "subject1", "patient", "id")
_PRIOR: Final = (
    "controlActProcess", "subject", "registrationEvent", "replacementOf", "priorRegistration", "subject1",
    "priorRegisteredRole", "id",
)  # fmt: skip

Element = etree._Element


@dataclass(frozen=True, slots=True)
class Id:
    """An instance identifier (data type II)."""

    root: str
    extension: str = ""


@dataclass(frozen=True, slots=True)
class IdentityMessage:
    """What a registry looks at of PRPA_IN201301UV02, 302 and 304."""

    id: Id
    processing_code: str
    sender: Id
    receiver: Id
    patients: tuple[Id, ...]
    prior: tuple[Id, ...]


@dataclass(frozen=True, slots=True)
class Detail:
    """Why a message was not accepted: code and text of HL7 table 0357, a sentence, and the place as an XPath."""

    code: str
    display: str
    text: str
    location: str


def _children(element: Element, name: str) -> Iterator[Element]:
    return element.iterchildren(f"{{{HL7}}}{name}")


def _all(elements: list[Element], path: tuple[str, ...]) -> list[Element]:
    for name in path:
        elements = [child for element in elements for child in _children(element, name)]
    return elements


def _id(element: Element | None) -> Id:
    if element is None:
        return Id("")
    return Id(element.get("root", "").strip()[:_LONGEST], element.get("extension", "").strip()[: _LONGEST + 1])


def _ids(root: Element, path: tuple[str, ...]) -> tuple[Id, ...]:
    return tuple(_id(element) for element in _all([root], path) if not element.get("nullFlavor"))


def _first(root: Element, *path: str) -> Element | None:
    return next(iter(_all([root], path)), None)


def read_identity(root: Element) -> IdentityMessage:
    """A message by its root element; what is missing is empty."""
    code = _first(root, "processingCode")
    return IdentityMessage(
        id=_id(_first(root, "id")),
        processing_code="" if code is None else code.get("code", "").strip()[:1],
        sender=_id(_first(root, "sender", "device", "id")),
        receiver=_id(_first(root, "receiver", "device", "id")),
        patients=_ids(root, _PATIENT),
        prior=_ids(root, _PRIOR),
    )


def _ii(item: Id) -> str:
    """An id as it came; one whose root is no OID, UUID or reserved name (data type UID) is told as unknown."""
    if not _UID.fullmatch(item.root):
        return '<id nullFlavor="NI"/>'
    extension = f" extension={quoteattr(item.extension)}" if item.extension else ""
    return f"<id root={quoteattr(item.root)}{extension}/>"


def _party(side: str, type_code: str, device: Id) -> str:
    inner = f'<device classCode="DEV" determinerCode="INSTANCE">{_ii(device)}</device>'
    return f'<{side} typeCode="{type_code}">{inner}</{side}>'


def _detail(detail: Detail) -> str:
    code = f'code={quoteattr(detail.code)} codeSystem="{_CONDITIONS}" displayName={quoteattr(detail.display)}'
    text, location = (value.translate(_TEXT) for value in (detail.text, detail.location))
    return (
        f'<acknowledgementDetail typeCode="E"><code {code}/><text>{text}</text>'
        f"<location>{location}</location></acknowledgementDetail>"
    )


_TEXT: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def write_acknowledgement(message: IdentityMessage, *, own_id: Id, now: str, detail: Detail | None = None) -> bytes:
    """MCCI_IN000002UV01: commit accept, or commit error with its reason; ``now`` is a DTM."""
    code = "CE" if detail else "CA"
    mode = message.processing_code if message.processing_code in _MODES else "P"
    return (
        f'<{ACKNOWLEDGEMENT} xmlns="{HL7}" ITSVersion="XML_1.0">{_ii(own_id)}<creationTime value="{now}"/>'
        f'<interactionId root="{_INTERACTIONS}" extension="{ACKNOWLEDGEMENT}"/>'
        f'<processingCode code="{mode}"/><processingModeCode code="T"/>'
        f'<acceptAckCode code="NE"/>{_party("receiver", "RCV", message.sender)}'
        f"{_party('sender', 'SND', message.receiver)}"
        f'<acknowledgement><typeCode code="{code}"/><targetMessage>{_ii(message.id)}</targetMessage>'
        f"{_detail(detail) if detail else ''}</acknowledgement></{ACKNOWLEDGEMENT}>"
    ).encode()
