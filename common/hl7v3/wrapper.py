"""The transmission wrapper that all messages of HL7 v3 have in common (ITI TF-2 appendix O): read, and written.

Tolerant by design: only what is acted on is looked for, wherever optional parts stand around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import uuid4
from xml.sax.saxutils import quoteattr

from lxml import etree

HL7: Final = "urn:hl7-org:v3"
_INTERACTIONS: Final = "2.16.840.1.113883.1.6"
_CONDITIONS: Final = "2.16.840.1.113883.12.357"
LONGEST: Final = 256
_MODES: Final = ("P", "T", "D")
_UID: Final = re.compile(
    r"[0-2](?:\.(?:0|[1-9][0-9]*))*|[0-9A-Za-z]{8}(?:-[0-9A-Za-z]{4}){3}-[0-9A-Za-z]{12}|[A-Za-z][A-Za-z0-9-]*"
)
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})

Element = etree._Element


@dataclass(frozen=True, slots=True)
class Id:
    """An instance identifier (data type II)."""

    root: str
    extension: str = ""


def own_id() -> Id:
    """A new message's id: a UUID is a root by itself (data type II)."""
    return Id(str(uuid4()).upper())


@dataclass(frozen=True, slots=True)
class Wrapper:
    """What an answer has to know of the message that it answers."""

    id: Id
    processing_code: str
    sender: Id
    receiver: Id


@dataclass(frozen=True, slots=True)
class Detail:
    """Why a message was not accepted: code and text of HL7 table 0357, a sentence, and the place as an XPath."""

    code: str
    display: str
    text: str
    location: str


def children(element: Element, name: str) -> Iterator[Element]:
    """The children of a name."""
    return element.iterchildren(f"{{{HL7}}}{name}")


def every(elements: list[Element], path: tuple[str, ...]) -> list[Element]:
    """All elements at a path below some."""
    for name in path:
        elements = [child for element in elements for child in children(element, name)]
    return elements


def first(root: Element, *path: str) -> Element | None:
    """The first element at a path."""
    return next(iter(every([root], path)), None)


def read_id(element: Element | None) -> Id:
    """An II; a too long extension stays recognisable as one."""
    if element is None:
        return Id("")
    return Id(element.get("root", "").strip()[:LONGEST], element.get("extension", "").strip()[: LONGEST + 1])


def read_ids(root: Element, path: tuple[str, ...]) -> tuple[Id, ...]:
    """Every id at a path but those that say nothing."""
    return tuple(read_id(element) for element in every([root], path) if not element.get("nullFlavor"))


def read_wrapper(root: Element) -> Wrapper:
    """By a message's root element; what is missing is empty."""
    code = first(root, "processingCode")
    return Wrapper(
        id=read_id(first(root, "id")),
        processing_code="" if code is None else code.get("code", "").strip()[:1],
        sender=read_id(first(root, "sender", "device", "id")),
        receiver=read_id(first(root, "receiver", "device", "id")),
    )


NOBODY: Final = Wrapper(Id(""), "", Id(""), Id(""))
"""For an answer to what could not be read."""


def text(value: str) -> str:
    """Text as it stands in an element."""
    return value.translate(_ESCAPES)


def ii(item: Id, name: str = "id") -> str:
    """An id as it came; one whose root is no OID, UUID or reserved name (data type UID) is told as unknown."""
    if not _UID.fullmatch(item.root):
        return f'<{name} nullFlavor="NI"/>'
    extension = f" extension={quoteattr(item.extension)}" if item.extension else ""
    return f"<{name} root={quoteattr(item.root)}{extension}/>"


def _party(side: str, type_code: str, device: Id) -> str:
    inner = f'<device classCode="DEV" determinerCode="INSTANCE">{ii(device)}</device>'
    return f'<{side} typeCode="{type_code}">{inner}</{side}>'


def _detail(detail: Detail) -> str:
    code = f'code={quoteattr(detail.code)} codeSystem="{_CONDITIONS}" displayName={quoteattr(detail.display)}'
    return (
        f'<acknowledgementDetail typeCode="E"><code {code}/><text>{text(detail.text)}</text>'
        f"<location>{text(detail.location)}</location></acknowledgementDetail>"
    )


def acknowledged(asked: Wrapper, code: str, detail: Detail | None = None) -> str:
    """The acknowledgement of a message: ``code`` is CA, CE, AA or AE."""
    return (
        f'<acknowledgement><typeCode code="{code}"/><targetMessage>{ii(asked.id)}</targetMessage>'
        f"{_detail(detail) if detail else ''}</acknowledgement>"
    )


def written(
    name: str, wrapper: Wrapper, content: str, *, own_id: Id, now: str, accept: str = "NE", interaction: str = ""
) -> bytes:
    """A message from the wrapper's sender to its receiver; ``now`` is a DTM, ``accept`` whether an answer is wanted."""
    mode = wrapper.processing_code if wrapper.processing_code in _MODES else "P"
    return (
        f'<{name} xmlns="{HL7}" ITSVersion="XML_1.0">{ii(own_id)}<creationTime value="{now}"/>'
        f'<interactionId root="{_INTERACTIONS}" extension="{interaction or name}"/>'
        f'<processingCode code="{mode}"/><processingModeCode code="T"/><acceptAckCode code="{accept}"/>'
        f"{_party('receiver', 'RCV', wrapper.receiver)}{_party('sender', 'SND', wrapper.sender)}"
        f"{content}</{name}>"
    ).encode()


def answer_to(asked: Wrapper) -> Wrapper:
    """The wrapper of an answer: who was asked sends it to who asked."""
    return Wrapper(asked.id, asked.processing_code, sender=asked.receiver, receiver=asked.sender)
