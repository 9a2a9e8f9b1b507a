"""Answers that do not go into the HTTP response (WS-Addressing 1.0): carried out now, kept, and sent later.

The order is what matters: the action first, then the answer durable, then 202. Who is told 202 will hear; who is told
anything else may send the same message again, and gets the same answer.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from lxml import etree

from common.observe import correlation
from common.soap import faults
from common.soap.addressing import Endpoint, Way
from common.soap.envelope import Envelope
from common.soap.faults import SoapFault
from common.web.answers import CORRELATION, HttpAnswer, Reply, send, send_fault
from common.web.kept import Asked
from common.web.message import Message

log = logging.getLogger("portolan.door")

MTOM_REQUEST: Final = "application/xop+xml"
SIMPLE_REQUEST: Final = "application/soap+xml"


class Outbox(Protocol):
    """Keeps what is sent later."""

    @property
    def is_full(self) -> bool:
        """Whether there is no room for more."""
        ...

    def check(self, addresses: Iterable[str]) -> None:
        """SoapFault where something may not be sent to one of these."""
        ...

    def keep(
        self,
        *,
        message_id: str,
        digest: str,
        transaction: str,
        correlation: str,
        kind: str,
        outcome: str,
        address: str,
        content_type: str,
        content: bytes,
        asked: str,
    ) -> None:
        """Keep it durably, or raise; ``asked`` is whatever has to be known of who asked when it is answered."""
        ...


class NotAnswerable(SoapFault):
    """What is wrong with the way back itself: that is told in the HTTP response, there is no other way."""


def accepted() -> HttpAnswer:
    """202, and nothing else."""
    return HttpAnswer(b"", 202, {CORRELATION: correlation.current(), "Content-Length": "0"})


def check(way: Way, outbox: Outbox | None) -> None:
    """NotAnswerable for a way back that cannot be gone, before anything is done for the request."""
    if not way.addresses:
        return
    if outbox is None:
        told = "Answers are sent only in the HTTP response; the setting async_reply_to would allow other addresses."
        raise NotAnswerable(faults.ONLY_ANONYMOUS, told)
    try:
        outbox.check(way.addresses)
    except SoapFault as fault:
        raise NotAnswerable(fault.kind, fault.reason, detail=fault.detail) from fault
    if outbox.is_full:
        told = "Too many answers wait for their receivers: send the same message again later."
        raise NotAnswerable(faults.RECEIVER, told)


def keep_answer(outbox: Outbox, message: Message, endpoint: Endpoint, reply: Reply) -> None:
    """Keep an answer as the bytes that it will be sent in; NotAnswerable where that fails."""
    response = send(
        reply, message.transaction, message.envelope.message_id, mtom=message.mtom, packed=False, endpoint=endpoint
    )
    _keep(outbox, message.envelope, endpoint, message.transaction.label, "answer", reply.outcome, response)


def keep_fault(outbox: Outbox, envelope: Envelope, endpoint: Endpoint, label: str, fault: SoapFault) -> None:
    """Keep a fault; NotAnswerable where that fails."""
    _keep(outbox, envelope, endpoint, label, "fault", "Fault", send_fault(fault, endpoint=endpoint))


def keep_request(outbox: Outbox, message: Message, endpoint: Endpoint, asked: Asked) -> None:
    """Keep a request whose answer is too large to be kept; it is carried out when the answer is sent."""
    root = etree.tostring(message.envelope.body.getroottree(), encoding="UTF-8", xml_declaration=True)
    kind = MTOM_REQUEST if message.mtom else SIMPLE_REQUEST
    request = HttpAnswer(root, 200, {"Content-Type": kind})
    _keep(outbox, message.envelope, endpoint, message.transaction.label, "request", "Accepted", request, asked)


def _keep(
    outbox: Outbox,
    envelope: Envelope,
    endpoint: Endpoint,
    label: str,
    kind: str,
    outcome: str,
    response: HttpAnswer,
    asked: Asked | None = None,
) -> None:
    try:
        outbox.keep(
            message_id=envelope.message_id or "",
            digest=_digest(envelope, endpoint, asked),
            transaction=label,
            correlation=correlation.current(),
            kind=kind,
            outcome=outcome,
            address=endpoint.address,
            content_type=response.headers["Content-Type"],
            content=response.whole(),
            asked=asked.written() if asked is not None else "",
        )
    except Exception as error:
        log.exception("an answer could not be kept")
        told = f"The answer could not be kept: send the same message again later. [{correlation.current()}]"
        raise NotAnswerable(faults.RECEIVER, told) from error


def _digest(envelope: Envelope, endpoint: Endpoint, asked: Asked | None) -> str:
    """What tells a request that is sent again from another with the same id; what somebody else sends is another."""
    told = hashlib.sha256()
    names = [name.encode() for name in asked.names] if asked is not None else []
    for part in (envelope.action.encode(), endpoint.address.encode(), endpoint.parameters, *filter(None, names)):
        told.update(len(part).to_bytes(4) + part)
    told.update(etree.tostring(envelope.body, with_tail=False))
    return told.hexdigest()


@dataclass(slots=True)
class Prepared:
    """An answer that is made when it is sent; ``address`` is ``None`` where it is to be dropped."""

    address: str | None
    response: HttpAnswer

    @property
    def content_type(self) -> str:
        """Its Content-Type."""
        return self.response.headers["Content-Type"]

    @property
    def length(self) -> int:
        """In bytes."""
        return int(self.response.headers["Content-Length"])

    def chunks(self) -> Iterator[bytes]:
        """Its bytes as they are read; a document that turns out damaged raises before its end."""
        for chunk in self.response.pieces:
            if chunk:
                yield chunk

    def close(self) -> None:
        """Let go of its documents."""
        self.response.close()


def prepared(response: HttpAnswer, wanted: Endpoint | None) -> Prepared:
    """An answer for an endpoint."""
    return Prepared(None if wanted is None or wanted.is_nowhere else wanted.address, response)
