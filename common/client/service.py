"""One service at one address: asks in transactions, with documents or without."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from common.audit.asking import Audits, Recorder
from common.client.channel import Channel, Reply, Tls
from common.client.contents import Content
from common.client.incoming import Answer, AnswerLimits
from common.client.operations import call
from common.client.receiver import Arrived, AsyncReceiver, Expected
from common.client.soap import CORRELATION
from common.observe import correlation, spans
from common.soap.envelope import ANONYMOUS
from common.soap.mtom import MtomWriter
from common.standard.transactions import Transaction

_ACCEPTED: Final = 202


@dataclass(frozen=True, slots=True)
class Attachment:
    """A document that goes with a message."""

    content_id: str
    mime_type: str
    content: Content


@dataclass(frozen=True, slots=True)
class _Simple:
    """A message that is its envelope."""

    envelope: bytes
    repeatable: bool = True

    @property
    def length(self) -> int:
        return len(self.envelope)

    def chunks(self) -> Iterator[bytes]:
        yield self.envelope


class _Mtom:
    """A message with its documents; their bytes are read while they are sent."""

    def __init__(self, writer: MtomWriter, envelope: bytes, attachments: Sequence[Attachment]) -> None:
        self._writer, self._envelope, self._attachments = writer, envelope, attachments

    @property
    def repeatable(self) -> bool:
        return all(each.content.repeatable for each in self._attachments)

    @property
    def length(self) -> int | None:
        parts = [(each.content_id, each.mime_type, each.content.size) for each in self._attachments]
        known = [(name, mime, size) for name, mime, size in parts if size is not None]
        return self._writer.content_length(len(self._envelope), known) if len(known) == len(parts) else None

    def chunks(self) -> Iterator[bytes]:
        pending = self._writer.head(self._envelope)
        for each in self._attachments:
            yield pending + self._writer.part_head(each.content_id, each.mime_type)
            yield from each.content.chunks()
            pending = b""
        yield pending + self._writer.tail


Assertion = Callable[[], bytes]
"""Gives a signed SAML 2.0 assertion as XML."""


class Service:
    """A Registry or a Repository, for use by any thread."""

    def __init__(
        self,
        url: str,
        *,
        connect_timeout: float,
        answer_timeout: float,
        tls: Tls | None = None,
        assertion: Assertion | None = None,
        limits: AnswerLimits | None = None,
        receiver: AsyncReceiver | None = None,
        audit: Audits | None = None,
    ) -> None:
        """Times in seconds. With a ``receiver`` the service is asked to send its answers there.

        ``assertion`` gives the signed SAML assertion that says who asks, anew for each message.
        """
        self._assertion = assertion
        self.recorder = Recorder(audit, url)
        self._url, self._host = url, urlsplit(url).hostname or ""
        self._receiver = receiver
        self._limits = limits or AnswerLimits()
        self._channel = Channel(url, connect_timeout=connect_timeout, answer_timeout=answer_timeout, tls=tls)

    @contextmanager
    def ask(
        self,
        transaction: Transaction,
        body: Mapping[str, Any],
        *,
        message_id: str,
        attachments: Sequence[Attachment] = (),
    ) -> Iterator[Answer]:
        """The answer, to be read within the block; NotReached, NoAnswer, FaultReceived, ValueError for a bad body."""
        with ExitStack() as stack:
            traced = stack.enter_context(spans.calling(transaction.label, self._host))
            expected = stack.enter_context(self._receiver.expecting()) if self._receiver is not None else None
            reply = self._asked(transaction, body, message_id, attachments, expected, traced)
            stack.callback(reply.close)
            answer = Answer(reply, self._limits, message_id, strict=isinstance(reply, Arrived))
            stack.callback(answer.close)
            yield answer

    def _asked(
        self,
        transaction: Transaction,
        body: Mapping[str, Any],
        message_id: str,
        attachments: Sequence[Attachment],
        expected: Expected | None,
        traced: dict[str, str],
    ) -> Reply | Arrived:
        """The answer in the HTTP response; or, where that only says that there will be one, the one that comes."""

        def post(envelope: bytes, content_type: str) -> Reply:
            if not transaction.always_mtom:
                return self._channel.post(_Simple(envelope), self._headers(content_type) | traced)
            writer = MtomWriter(transaction.action)
            return self._channel.post(_Mtom(writer, envelope, attachments), self._headers(writer.content_type) | traced)

        told = self._assertion() if self._assertion is not None else b""
        reply_to = expected.url if expected is not None else ANONYMOUS
        reply: Reply = call(transaction, self._url, message_id, body, post, reply_to=reply_to, assertion=told)
        if expected is None or reply.status != _ACCEPTED:
            return reply
        reply.close()
        return expected.wait()

    @staticmethod
    def _headers(content_type: str) -> dict[str, str]:
        return {"Content-Type": content_type, CORRELATION: correlation.current() or correlation.new()}

    def close(self) -> None:
        """Close the connections."""
        self._channel.close()
