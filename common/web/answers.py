"""Answers and faults as HTTP responses: simple SOAP, or MTOM with documents that are streamed."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from common.audit import account
from common.model import RegistryResponse
from common.observe import correlation, metrics
from common.soap.addressing import Endpoint
from common.soap.envelope import envelope_parts
from common.soap.faults import SoapFault, write_fault
from common.soap.mtom_writer import MtomWriter
from common.standard.transactions import Transaction
from common.web import packing

Pieces = Iterable[bytes]

CORRELATION: Final = "X-Correlation-Id"
_WORTH_PACKING: Final = 1400  # what fits into one packet is not worth the work


class Content(Protocol):
    """A document on its way out; ``close`` is called however the sending ends."""

    size: int
    mime_type: str

    def chunks(self) -> Iterator[bytes]:
        """Its bytes."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


@dataclass(slots=True)
class HttpAnswer:
    """An HTTP response; its body is bytes, or pieces that are made while they are sent."""

    body: bytes | Pieces
    status: int
    headers: dict[str, str]
    sent: Callable[[], object] | None = None

    @property
    def pieces(self) -> Pieces:
        """The body as WSGI wants it."""
        return (self.body,) if isinstance(self.body, bytes) else self.body

    def whole(self) -> bytes:
        """The body in one piece."""
        return b"".join(self.pieces)

    def close(self) -> None:
        """Let go of what the body holds."""
        close = getattr(self.body, "close", None)
        if close is not None:
            close()


class Sending:
    """An answer's pieces as WSGI wants them; its server says by ``close`` that they are sent, or will not be."""

    __slots__ = ("_answer",)

    def __init__(self, answer: HttpAnswer) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._answer.pieces)

    def close(self) -> None:
        """Called by the server (PEP 3333), also when the client has gone."""
        self._answer.close()
        if self._answer.sent is not None:
            self._answer.sent()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a transaction answers: the body's child, and documents whose places in it are marked.

    ``body`` holds ``pieces`` of bytes; between piece n and n+1 belongs document n.
    """

    pieces: tuple[bytes, ...]
    documents: tuple[Content, ...] = ()
    outcome: str = "Success"


def outcome(response: RegistryResponse) -> str:
    """One word for logs and metrics; each error is counted, and told to the account."""
    problems = account.current().problems
    for error in response.errors:
        metrics.error(error.code)
        problems.append(error.code)
    return response.status.name.title().replace("_", "")


def message_id() -> str:
    """The answer's wsa:MessageID carries the correlation id, so that it reaches whoever keeps answers."""
    current = correlation.current()
    try:
        return f"urn:uuid:{UUID(current)}"
    except ValueError:
        return f"urn:uuid:{UUID(correlation.new())}"


def send(
    reply: Reply,
    transaction: Transaction,
    relates_to: str | None,
    *,
    mtom: bool,
    packed: bool,
    endpoint: Endpoint | None = None,
) -> HttpAnswer:
    """The HTTP response for an answer; with an ``endpoint`` the message that is to be posted there."""
    before, after = envelope_parts(
        transaction.answer_action,
        message_id=message_id(),
        relates_to=relates_to,
        to=endpoint.address if endpoint else None,
        parameters=endpoint.parameters if endpoint else b"",
    )
    if mtom:
        return _mtom(reply, transaction, before, after)
    action = transaction.answer_action
    content_type = f'application/soap+xml; charset=UTF-8; action="{action}"'
    if reply.documents:
        return _inline(reply, content_type, before, after)
    data = b"".join((before, *reply.pieces, after))
    return _response(data, content_type, packed=packed)


def _response(data: bytes, content_type: str, *, status: int = 200, packed: bool = False) -> HttpAnswer:
    headers = {CORRELATION: correlation.current(), "Content-Type": content_type}
    if packed and len(data) > _WORTH_PACKING:
        data = packing.packed(data)
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    headers["Content-Length"] = str(len(data))
    return HttpAnswer(data, status, headers)


def _mtom(reply: Reply, transaction: Transaction, before: bytes, after: bytes) -> HttpAnswer:
    writer = MtomWriter(transaction.answer_action)
    names = [f"document-{number}@portolan" for number in range(1, len(reply.documents) + 1)]
    includes = [_include(name) for name in names]
    root = b"".join((before, _interleaved(reply.pieces, includes), after))
    headers = {CORRELATION: correlation.current(), "Content-Type": writer.content_type}
    if not reply.documents:
        data = writer.head(root) + writer.tail
        headers["Content-Length"] = str(len(data))
        return HttpAnswer(data, 200, headers)
    heads = [writer.part_head(name, item.mime_type) for name, item in zip(names, reply.documents, strict=True)]
    length = len(writer.head(b"")) + len(root) + len(writer.tail)
    length += sum(len(head) + item.size for head, item in zip(heads, reply.documents, strict=True))
    headers["Content-Length"] = str(length)
    return HttpAnswer(_Stream(writer.head(root), heads, reply.documents, writer.tail), 200, headers)


def _include(name: str) -> bytes:
    return f'<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:{name}"/>'.encode()


def _interleaved(pieces: Sequence[bytes], between: Sequence[bytes]) -> bytes:
    out = [pieces[0]]
    for piece, inserted in zip(pieces[1:], between, strict=True):
        out += [inserted, piece]
    return b"".join(out)


class _Stream:
    """An answer that is sent while it is read; whatever ends it, every document is closed.

    A document that breaks off raises in the middle: the server then closes the connection before the
    promised length is reached, so that nobody takes a part for the whole.
    """

    def __init__(self, first: bytes, heads: Sequence[bytes], documents: Sequence[Content], last: bytes) -> None:
        self._first, self._heads, self._documents, self._last = first, heads, documents, last

    def __iter__(self) -> Iterator[bytes]:
        pending = self._first
        for head, document in zip(self._heads, self._documents, strict=True):
            pending += head
            for chunk in document.chunks():
                if pending and len(chunk) < _SMALL:
                    pending += chunk
                    continue
                if pending:
                    yield pending
                    pending = b""
                yield chunk
        yield pending + self._last

    def close(self) -> None:
        """Called by the server (PEP 3333), also when the client has gone."""
        for document in self._documents:
            document.close()


_SMALL: Final = 128 * 1024


def _inline(reply: Reply, content_type: str, before: bytes, after: bytes) -> HttpAnswer:
    """Documents as base64 in the envelope, for who asked without MTOM."""
    length = len(before) + len(after) + sum(map(len, reply.pieces))
    length += sum(-(-item.size // 3) * 4 for item in reply.documents)
    headers = {CORRELATION: correlation.current(), "Content-Type": content_type, "Content-Length": str(length)}
    pieces = (before + reply.pieces[0], *reply.pieces[1:-1], reply.pieces[-1] + after)
    return HttpAnswer(_Inline(pieces, reply.documents), 200, headers)


class _Inline:
    """As ``_Stream``, with base64 between the pieces."""

    def __init__(self, pieces: Sequence[bytes], documents: Sequence[Content]) -> None:
        self._pieces, self._documents = pieces, documents

    def __iter__(self) -> Iterator[bytes]:
        yield self._pieces[0]
        for piece, document in zip(self._pieces[1:], self._documents, strict=True):
            left = b""
            for chunk in document.chunks():
                left += chunk
                whole = len(left) // 3 * 3
                yield b64encode(left[:whole])
                left = left[whole:]
            yield b64encode(left) + piece

    def close(self) -> None:
        """Called by the server (PEP 3333)."""
        for document in self._documents:
            document.close()


def send_fault(fault: SoapFault, *, endpoint: Endpoint | None = None) -> HttpAnswer:
    """The HTTP response for a fault (SOAP 1.2 part 2 section 7.5.2.2), or the message to be posted to an endpoint."""
    to, parameters = (endpoint.address, endpoint.parameters) if endpoint else (None, b"")
    data = write_fault(fault, message_id=message_id(), to=to, parameters=parameters)
    content_type = f'application/soap+xml; charset=UTF-8; action="{fault.action}"'
    return _response(data, content_type, status=fault.http_status)
