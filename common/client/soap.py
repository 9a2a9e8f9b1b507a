"""Simple SOAP 1.2 exchanges with a registry."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit
from uuid import uuid4

from lxml import etree

from common.client.connections import Connections, NoAnswer
from common.client.errors import TooBusy
from common.ebxml.objects import Element
from common.observe import correlation, spans
from common.observe.stages import Stage, aside
from common.soap.content_type import MimeError, parse_content_type
from common.soap.encoding import XmlRefused
from common.soap.envelope import ANONYMOUS, read_envelope, write_envelope
from common.soap.faults import SoapFault, read_fault
from common.soap.xml import XmlLimits, parse
from common.standard.transactions import Transaction

CORRELATION = "X-Correlation-Id"


class SoapClient:
    """Sends messages to one SOAP address."""

    def __init__(self, url: str, connections: Connections, limits: XmlLimits) -> None:
        self._url, self._host = url, urlsplit(url).hostname or ""
        self._connections = connections
        self._limits = limits

    def call(
        self, transaction: Transaction, body: bytes, *, message_id: str | None = None, header: bytes = b""
    ) -> Element:
        """The body of the answer; SoapFault, NotReached, TooBusy, or NoAnswer where what came back is no answer.

        ``header`` is one more header block.
        """
        envelope = write_envelope(
            transaction.action,
            body,
            message_id=message_id or f"urn:uuid:{uuid4()}",
            to=self._url,
            reply_to=ANONYMOUS,
            security=header,
        )
        headers = {
            "Content-Type": f'application/soap+xml; charset=UTF-8; action="{transaction.action}"',
            CORRELATION: correlation.current() or correlation.new(),
        }
        with aside(Stage.REGISTRY, None), spans.calling(transaction.label, self._host) as more:
            answer = self._connections.post(envelope, headers | more)
        if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
            raise TooBusy("HTTP 503")
        return self._body(answer.body, answer.content_type)

    def _body(self, data: bytes, content_type: str) -> Element:
        try:
            charset = parse_content_type(content_type).charset
            body = read_envelope(parse(data, self._limits, charset)).body
        except (MimeError, XmlRefused, SoapFault, etree.LxmlError) as error:
            raise NoAnswer("what came back is not a SOAP 1.2 message") from error
        fault = read_fault(body)
        if fault is not None:
            raise fault
        return body

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()
