"""One SOAP address: reads a message, has its transaction carried out, answers, and keeps count."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from flask import Blueprint, Response, request
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

from common import wsdl
from common.audit import account
from common.observe import correlation, metrics, slow, spans, stages
from common.observe.stages import Stage
from common.settings import Settings
from common.soap.addressing import way_of
from common.soap.content_type import ContentType, MimeError
from common.soap.faults import RECEIVER, SoapFault
from common.soap.mime import MimeLimits
from common.soap.mtom import DocumentBegin, DocumentData, MtomEvent, MtomReader, RootPart
from common.soap.xml import XmlLimits
from common.standard.transactions import Transaction
from common.tls import PEER
from common.web.address import Address, Parts
from common.web.answers import CORRELATION, HttpAnswer, Reply, Sending, send, send_fault
from common.web.body import TooLarge, TooSlow, read_body, whole
from common.web.callers import callers
from common.web.elsewhere import (
    MTOM_REQUEST,
    NotAnswerable,
    Outbox,
    Prepared,
    accepted,
    check,
    keep_answer,
    keep_fault,
    keep_request,
    prepared,
)
from common.web.kept import Asked, read_asked
from common.web.message import Message, content_type_of, open_envelope, refused, transaction_of
from common.web.pacing import Pacing, TooOften
from common.web.recording import Audit, Heard, Recording

log = logging.getLogger("portolan.door")

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_CORRELATION: Final = "HTTP_" + CORRELATION.upper().replace("-", "_")
_FEW_DIGITS: Final = 5  # of its length in bytes; the server takes in whole what is larger still
_PHRASES: Final[Mapping[int, str]] = {status.value: status.phrase for status in HTTPStatus}


class Door:
    """The HTTP face of an ``Address``."""

    def __init__(
        self, address: Address, settings: Settings, outbox: Outbox | None = None, audit: Audit | None = None
    ) -> None:
        """Without an ``outbox`` answers are sent in the HTTP response only; without ``audit`` nothing is recorded."""
        self._address = address
        self._recording = Recording(audit)
        self._outbox = outbox
        self._settings = settings
        self._callers = callers(settings, address.service, address.url)
        self._pacing = Pacing.of(settings.client_rate, settings.client_burst, settings.client_failures)
        self._served: Mapping[str, Transaction] = {row.action: row for row in address.transactions}
        self._xml = XmlLimits(
            max_bytes=settings.max_metadata_bytes,
            max_depth=settings.max_xml_depth,
            max_elements=settings.max_xml_elements,
            max_attributes=settings.max_xml_attributes,
        )
        self._mime = MimeLimits(
            max_header_bytes=settings.max_part_header_bytes,
            max_headers=settings.max_part_headers,
            max_parts=settings.max_documents + 1,
            max_root_bytes=settings.max_metadata_bytes,
        )

    def blueprint(self) -> Blueprint:
        """The routes: POST for messages, GET for the WSDL and its schemas."""
        made = Blueprint(self._address.service, __name__)
        made.add_url_rule(self._address.path, "soap", self.post, methods=["POST"])
        made.add_url_rule(self._address.path, "wsdl", self.get, methods=["GET"])
        return made

    def get(self) -> Response:
        """``?wsdl`` and ``?xsd=NAME``; anything else is told how this address is used."""
        asked = {name.lower(): value for name, value in request.args.items()}
        name = self._address.wsdl if "wsdl" in asked else asked.get("xsd", "")
        if name in wsdl.NAMES:
            return Response(wsdl.document(name, self._address.url), content_type="text/xml; charset=UTF-8")
        told = f"This address speaks SOAP 1.2 over POST. Its description: {self._address.path}?wsdl\n"
        return Response(told, 404 if asked else 200, content_type="text/plain; charset=UTF-8")

    def post(self) -> Response:
        """One message, where it has come by Flask's ways."""
        answer = self.answer(request.environ)
        if answer.sent is not None:
            answer.sent()
        made = Response(answer.body, answer.status, answer.headers)
        if "Content-Type" not in answer.headers:
            del made.headers["Content-Type"]
        return made

    def before(self, wsgi: Wsgi) -> Wsgi:
        """The application with a shorter way for messages, of which there are many: past what Flask does for pages."""
        path = self._address.path

        def entrance(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            if environ["REQUEST_METHOD"] != "POST" or environ["PATH_INFO"] != path:
                return wsgi(environ, start_response)
            answer = self.answer(environ)
            start_response(f"{answer.status} {_PHRASES[answer.status]}", list(answer.headers.items()))
            return Sending(answer) if answer.sent is not None else answer.pieces

        return entrance

    def answer(self, environ: dict[str, Any]) -> HttpAnswer:
        """The answer to one message; its `sent` is to be called when it is."""
        service = self._address.service
        with (
            correlation.bind(correlation.accepted(environ.get(_CORRELATION))),
            metrics.in_flight(service),
            self._recording.account(),
        ):
            started = time.perf_counter()
            watch = stages.sample(service, spans.asked(environ), small=_is_small(environ))
            try:
                response, label, outcome = self._answered(environ)
            except BaseException:
                if watch is not None:
                    watch.end()
                raise
            seconds = time.perf_counter() - started
            metrics.request(service, label, outcome, seconds)
            told = {"transaction": label, "outcome": outcome, "duration_ms": round(seconds * 1000, 2)}
            log.info("answered", extra=told)
            if watch is not None:
                watch.transaction, watch.outcome = label, outcome
                watch.enter(Stage.SEND)
                response.sent, seconds = watch.end, watch.ours
            if seconds >= slow.BOUNDS.request:
                slow.tell_request(label, outcome, seconds, watch)
            return response

    def _answered(self, environ: dict[str, Any]) -> tuple[HttpAnswer, str, str]:
        heard = Heard(peer=environ.get(PEER), address=environ.get("REMOTE_ADDR", ""))
        try:
            self._pacing.admit(environ)
            with self._address.parts() as parts:
                message = self._receive(environ, parts, heard)
                heard.label, heard.envelope, heard.way = message.transaction.label, message.envelope, message.way
                if message.way is not None and message.way.reply is not None:
                    response, outcome = self._elsewhere(message, parts, heard)
                    return response, heard.label, outcome
                reply = self._carried_out(message, parts, heard)
            stages.enter(Stage.SERIALISE)
            mtom = message.mtom
            packed = not mtom and _takes_gzip(environ.get("HTTP_ACCEPT_ENCODING", ""))
            relates_to = message.envelope.message_id
            response = send(reply, message.transaction, relates_to, mtom=mtom, packed=packed)
        except SoapFault as fault:
            log.warning("refused: %s", fault.reason)
            self._pacing.note(environ, fault)
            return self._faulted(self._recording.refused(fault, heard), heard), heard.label, "Fault"
        return response, heard.label, reply.outcome

    def _elsewhere(self, message: Message, parts: Parts, heard: Heard) -> tuple[HttpAnswer, str]:
        """202 for a request whose answer is kept, or dropped where nobody wants it; and what came of it."""
        assert message.way is not None
        assert message.way.reply is not None
        endpoint = message.way.reply
        if message.transaction in self._address.large:
            if not endpoint.is_nowhere:
                keep_request(self._kept_in(), message, endpoint, Asked(heard.peer, heard.address, message.caller))
            return accepted(), "Accepted"
        reply = self._carried_out(message, parts, heard)
        if endpoint.is_nowhere:
            for document in reply.documents:
                document.close()
        else:
            keep_answer(self._kept_in(), message, endpoint, reply)
        return accepted(), reply.outcome

    def _kept_in(self) -> Outbox:
        assert self._outbox is not None  # else no address would have been taken
        return self._outbox

    def _faulted(self, fault: SoapFault, heard: Heard) -> HttpAnswer:
        """The fault on its way: in the HTTP response, or 202 when it is kept for the address that wants it."""
        way, envelope = heard.way, heard.envelope
        if way is not None and way.fault is not None and envelope is not None and not isinstance(fault, NotAnswerable):
            if way.fault.is_nowhere:
                return accepted()
            try:
                keep_fault(self._kept_in(), envelope, way.fault, heard.label, fault)
                return accepted()
            except NotAnswerable as problem:
                fault = problem
        if envelope is not None:
            fault.relates_to = fault.relates_to or envelope.message_id
        response = send_fault(fault)
        if isinstance(fault, TooLarge | TooSlow):
            response.headers["Connection"] = "close"
        if isinstance(fault, TooOften):
            metrics.refused(self._address.service)
            response.headers["Retry-After"] = str(int(fault.seconds) + 1)
        return response

    def prepared(self, content_type: str, data: bytes, asked: str) -> Prepared:
        """Answer a request that was kept, now that the answer is wanted."""
        # Who asks was verified when it came; by now the assertion may have expired. Whether a system may act for
        # itself, and what anybody may do, is decided now.
        envelope = open_envelope(data, None, self._xml, self._callers.understood)
        came = read_asked(asked) if asked else Asked()
        message = Message(
            transaction_of(envelope, self._served),
            envelope,
            content_type == MTOM_REQUEST,
            way_of(envelope),
            came.caller,
            self._callers.system(came.peer, came.caller),
        )
        way = message.way
        assert way is not None  # else it would not have been kept
        heard = Heard(
            message.transaction.label,
            peer=came.peer,
            address=came.address,
            transaction=message.transaction,
            envelope=envelope,
            way=way,
            caller=message.caller,
        )
        with self._recording.account():
            try:
                with self._address.parts() as parts:
                    reply = self._carried_out(message, parts, heard)
            except SoapFault as fault:
                told = self._recording.refused(fault, heard)
                return prepared(send_fault(told, endpoint=way.fault or way.reply), way.fault or way.reply)
        relates_to = envelope.message_id
        transaction = message.transaction
        response = send(reply, transaction, relates_to, mtom=message.mtom, packed=False, endpoint=way.reply)
        return prepared(response, way.reply)

    def _carried_out(self, message: Message, parts: Parts, heard: Heard) -> Reply:
        """The transaction's answer, which is in the audit trail by then."""
        return self._recording.carried_out(
            message.transaction, heard, lambda: self._acted(message, parts), self._address.fail
        )

    def _acted(self, message: Message, parts: Parts) -> Reply:
        """The transaction's answer; a breakdown of ours becomes one too, without detail."""
        stages.enter(Stage.RULES)
        try:
            return self._address.act(message, parts)
        except SoapFault as fault:
            fault.relates_to = fault.relates_to or message.envelope.message_id
            raise
        except MimeError as error:
            told = refused(error)
            told.relates_to = message.envelope.message_id
            raise told from error
        except Exception as error:
            account.current().problems.append(RECEIVER.code)
            return self._address.fail(message.transaction, error, correlation.current())

    def _receive(self, environ: dict[str, Any], parts: Parts, heard: Heard) -> Message:
        content_type, mtom = content_type_of(environ.get("CONTENT_TYPE"))
        chunks = read_body(
            environ,
            limit=self._address.max_bytes if mtom else self._settings.max_metadata_bytes,
            seconds=self._settings.request_timeout,
            max_ratio=self._settings.max_gzip_ratio,
        )
        try:
            if mtom:
                return self._multipart(content_type, chunks, parts, heard)
            return self._opened(self._whole(chunks), content_type.charset, heard, mtom=False)
        except MimeError as error:
            raise refused(error) from error

    def _opened(self, data: bytes, charset: str | None, heard: Heard, *, mtom: bool) -> Message:
        """The message in these bytes, and the way that its answer goes; SoapFault."""
        with stages.aside(Stage.PARSE):
            envelope = open_envelope(data, charset, self._xml, self._callers.understood)
        heard.transaction = self._served.get(envelope.action)
        try:
            caller = heard.caller = self._callers.identify(envelope, heard.peer)
            way = way_of(envelope)
            if way is not None:
                check(way, self._outbox)
        except SoapFault as fault:
            fault.relates_to = envelope.message_id
            raise
        try:
            system = self._callers.system(heard.peer, caller)
            return Message(transaction_of(envelope, self._served), envelope, mtom, way, caller, system)
        except SoapFault:
            heard.envelope, heard.way = envelope, way
            raise

    def _whole(self, chunks: Iterator[bytes]) -> bytes:
        """A message as simple SOAP; who sends documents that way hears of the other."""
        try:
            return whole(chunks, self._settings.max_metadata_bytes)
        except TooLarge as fault:
            if any(row.always_mtom for row in self._address.transactions):
                fault.reason += " Large documents have to be sent with MTOM."
            raise

    def _multipart(self, content_type: ContentType, chunks: Iterator[bytes], parts: Parts, heard: Heard) -> Message:
        """The root part opened as soon as it is there, documents passed on while they come."""
        reader = MtomReader(content_type, self._mime)
        message: Message | None = None
        try:
            for event in _events(reader, chunks):
                if isinstance(event, DocumentData):
                    parts.data(event.data)
                elif isinstance(event, DocumentBegin):
                    parts.begin(event.content_id)
                elif isinstance(event, RootPart):
                    message = self._opened(event.data, event.charset, heard, mtom=True)
                else:
                    parts.end()
        except SoapFault as fault:
            raise _related(fault, message) from None
        except MimeError as error:
            raise _related(refused(error), message) from error
        assert message is not None  # the reader sees to it
        return message


def _related(fault: SoapFault, message: Message | None) -> SoapFault:
    """The fault of a message that broke off after its envelope had been read."""
    if message is not None:
        fault.relates_to = message.envelope.message_id
    return fault


def _is_small(environ: Mapping[str, Any]) -> bool:
    """Whether a message was there before its thread was, so that none of the thread's time is its sender's."""
    told = environ.get("CONTENT_LENGTH") or ""
    return len(told) <= _FEW_DIGITS and told.isdigit()


def _takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header names gzip, and does not give it the weight 0 (RFC 9110 section 12.5.3)."""
    return "gzip" in accepted and (";" not in accepted or parse_accept_header(accepted, Accept)["gzip"] > 0)


def _events(reader: MtomReader, chunks: Iterator[bytes]) -> Iterator[MtomEvent]:
    for chunk in chunks:
        yield from reader.feed(chunk)
    yield from reader.close()
