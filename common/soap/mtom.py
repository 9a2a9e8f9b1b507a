"""MTOM messages (SOAP MTOM 1.0, XOP 1.0) as a stream: the root part whole and bounded, documents in slices."""

from collections.abc import Iterator
from dataclasses import dataclass

from common.soap.content_type import MTOM, ContentType, MimeError, parse_content_type
from common.soap.mime import Event, MessageEnd, MimeLimits, MultipartDecoder, PartBegin, PartData
from common.soap.mtom_writer import MtomWriter
from common.soap.transfer import Plain, TransferDecoder, decoder_for
from common.soap.xop import Claims, Include, Inline, cid_of, document_content, href_for, normalise_content_id

__all__ = [
    "Claims",
    "DocumentBegin",
    "DocumentData",
    "DocumentEnd",
    "Include",
    "Inline",
    "MimeError",
    "MimeLimits",
    "MtomEvent",
    "MtomReader",
    "MtomWriter",
    "RootPart",
    "cid_of",
    "document_content",
    "href_for",
]


@dataclass(frozen=True, slots=True)
class RootPart:
    """The SOAP envelope's bytes and the charset its part declares."""

    data: bytes
    charset: str | None


@dataclass(frozen=True, slots=True)
class DocumentBegin:
    """A document starts; without a Content-ID nothing can refer to it."""

    content_id: str | None
    content_type: str


@dataclass(frozen=True, slots=True)
class DocumentData:
    """Some of the document's bytes, transfer encoding undone."""

    data: bytes | memoryview


@dataclass(frozen=True, slots=True)
class DocumentEnd:
    """The document is complete."""


MtomEvent = RootPart | DocumentBegin | DocumentData | DocumentEnd


class MtomReader:
    """Reads one multipart/related message; MimeError at the first thing wrong, after which it must not be used.

    The root part is the one that `start` names, wherever it stands, and the first part when there is no `start`.
    """

    def __init__(self, content_type: ContentType, limits: MimeLimits | None = None) -> None:
        if content_type.media_type != MTOM:
            raise MimeError(f"the Content-Type must be {MTOM}")
        self._limits = limits or MimeLimits()
        self._decoder = MultipartDecoder(content_type.params.get("boundary", ""), self._limits)
        start = content_type.params.get("start", "").strip()
        self._start = normalise_content_id(start) if start else None
        self._seen: set[str] = set()
        self._has_root = False
        self._root: bytearray | None = None
        self._charset: str | None = None
        self._transfer: TransferDecoder = Plain()

    def feed(self, data: bytes | memoryview) -> Iterator[MtomEvent]:
        """The events that the next bytes complete; the iterator must be used up before the next call."""
        for event in self._decoder.feed(data):
            yield from self._take(event)

    def close(self) -> Iterator[MtomEvent]:
        """The last events; MimeError when the message is incomplete or has no root part."""
        for event in self._decoder.close():
            yield from self._take(event)

    def _take(self, event: Event) -> Iterator[MtomEvent]:
        """One event of the multipart, as the message's."""
        if isinstance(event, PartData):
            yield from self._content(self._transfer.feed(event.data))
        elif isinstance(event, PartBegin):
            yield from self._begin(event.headers)
        elif isinstance(event, MessageEnd):
            if not self._has_root:
                raise MimeError("no part has the Content-ID that the start parameter names")
        else:
            yield from self._content(self._transfer.close())
            yield self._end()

    def _begin(self, headers: dict[str, str]) -> Iterator[MtomEvent]:
        """Decide what the part is."""
        self._transfer = decoder_for(headers.get("content-transfer-encoding", ""))
        content_id = self._content_id(headers.get("content-id"))
        content_type = headers.get("content-type", "")
        if not self._has_root and (self._start is None or content_id == self._start):
            self._has_root = True
            self._root = bytearray()
            self._charset = parse_content_type(content_type).charset if content_type else None
        else:
            yield DocumentBegin(content_id, content_type or "application/octet-stream")

    def _content_id(self, value: str | None) -> str | None:
        """The part's Content-ID, which no other part has."""
        if value is None:
            return None
        content_id = normalise_content_id(value)
        if content_id in self._seen:
            raise MimeError("two parts have the same Content-ID")
        self._seen.add(content_id)
        return content_id

    def _content(self, data: bytes | memoryview) -> Iterator[MtomEvent]:
        """Content of the part that is open."""
        if not data:
            return
        if self._root is None:
            yield DocumentData(data)
            return
        self._root += data
        if len(self._root) > self._limits.max_root_bytes:
            told = f"the root part is larger than {self._limits.max_root_bytes} bytes"
            raise MimeError(f"{told}; large documents have to be MTOM parts of their own")

    def _end(self) -> MtomEvent:
        """The open part is complete."""
        if self._root is None:
            return DocumentEnd()
        root, self._root = bytes(self._root), None
        return RootPart(root, self._charset)
