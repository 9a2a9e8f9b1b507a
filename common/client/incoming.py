"""SOAP answers on their way in: the body first, then the documents, in whatever order they were sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from lxml import etree

from common.client.errors import FaultReceived, NoAnswer
from common.client.spool import Spool
from common.ebxml.objects import Element
from common.soap.content_type import ContentType, MimeError, is_mtom, parse_content_type
from common.soap.encoding import XmlRefused
from common.soap.envelope import read_envelope
from common.soap.faults import SoapFault, read_fault
from common.soap.mime import MimeLimits
from common.soap.mtom import DocumentBegin, DocumentData, DocumentEnd, MtomEvent, MtomReader, RootPart
from common.soap.xml import XmlLimits, parse

_UNREADABLE: Final = (MimeError, XmlRefused, SoapFault, etree.LxmlError)


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """How large an answer may be: bytes of XML, and documents."""

    max_xml: int = 64 * 2**20
    max_documents: int = 10_000

    @property
    def xml(self) -> XmlLimits:
        """For the parser: an entry has some 60 elements and 120 attributes in 8 KiB."""
        return XmlLimits(max_bytes=self.max_xml, max_elements=self.max_xml // 16, max_attributes=self.max_xml // 8)

    @property
    def mime(self) -> MimeLimits:
        """For the multipart."""
        return MimeLimits(max_parts=self.max_documents + 1, max_root_bytes=self.max_xml)


class Source(Protocol):
    """Where an answer is read from: an HTTP response, or what was put aside."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def content_type(self) -> str:
        """The Content-Type."""
        ...

    def read(self) -> bytes:
        """The next piece, nothing at the end."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


class Part:
    """One document of an answer; what is not read of it is skipped."""

    def __init__(self, content_id: str | None, chunks: Iterator[bytes | memoryview]) -> None:
        self.content_id = content_id
        self.chunks = chunks


class Answer:
    """One answer. ``body`` is the child of the SOAP Body; NoAnswer for what is no answer, FaultReceived for a fault."""

    def __init__(self, reply: Source, limits: AnswerLimits, message_id: str, *, strict: bool = False) -> None:
        """With ``strict`` an answer that does not say which message it answers is none."""
        self._strict = strict
        self._reply = reply
        self._limits = limits
        self._message_id = message_id
        self._events: Iterator[MtomEvent] = iter(())
        self._early: list[tuple[str | None, Spool]] = []
        try:
            self.body = self._begin()
        except _UNREADABLE as error:
            raise NoAnswer(f"what came back is not a SOAP 1.2 message (HTTP status {reply.status})") from error

    def parts(self) -> Iterator[Part]:
        """The documents, each to be read before the next is asked for; NoAnswer when the answer breaks off."""
        for content_id, spool in self._early:
            yield Part(content_id, spool.chunks())
            spool.close()
        try:
            for event in self._events:
                if isinstance(event, DocumentBegin):
                    part = Part(event.content_id, self._chunks())
                    yield part
                    for _ in part.chunks:
                        pass
        except MimeError as error:
            raise NoAnswer(f"the answer cannot be read: {error.reason}") from error

    def _chunks(self) -> Iterator[bytes | memoryview]:
        try:
            for event in self._events:
                if isinstance(event, DocumentData):
                    yield event.data
                elif isinstance(event, DocumentEnd):
                    return
        except MimeError as error:
            raise NoAnswer(f"the answer cannot be read: {error.reason}") from error

    def _begin(self) -> Element:
        content_type = parse_content_type(self._reply.content_type)
        if not is_mtom(content_type):
            return self._opened(self._whole(), content_type.charset)
        root = self._root(content_type)
        return self._opened(root.data, root.charset)

    def _root(self, content_type: ContentType) -> RootPart:
        """The root part; documents that were sent before it are put aside."""
        self._events = _events(self._reply, MtomReader(content_type, self._limits.mime))
        for event in self._events:
            if isinstance(event, RootPart):
                return event
            if isinstance(event, DocumentBegin):
                self._early.append((event.content_id, Spool()))
            elif isinstance(event, DocumentData):
                self._early[-1][1].write(event.data)
        raise MimeError("there is no root part")

    def _whole(self) -> bytes:
        pieces: list[bytes] = []
        total = 0
        while piece := self._reply.read():
            total += len(piece)
            if total > self._limits.max_xml:
                raise NoAnswer(f"the answer is larger than {self._limits.max_xml} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    def _opened(self, data: bytes, charset: str | None) -> Element:
        envelope = read_envelope(parse(data, self._limits.xml, charset))
        fault = read_fault(envelope.body)
        if fault is not None:
            subcode = fault.subcode.local if fault.subcode else None
            raise FaultReceived(fault.code, subcode, fault.reason)
        if envelope.relates_to != self._message_id and (self._strict or envelope.relates_to is not None):
            raise NoAnswer("what came back answers another message")
        return envelope.body

    def close(self) -> None:
        """Give the connection back, and what was put aside."""
        self._reply.close()
        for _, spool in self._early:
            spool.close()


def _events(reply: Source, reader: MtomReader) -> Iterator[MtomEvent]:
    while piece := reply.read():
        yield from reader.feed(piece)
    yield from reader.close()
