"""The Registry's SOAP address: opens bodies, calls the actions, writes bodies. Nothing is decided here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Final

from lxml import etree

from common.audit import bound
from common.db import DatabaseBusy, DatabaseFull, told_of
from common.ebxml.objects import Element
from common.ebxml.query import read_query
from common.ebxml.removal import read_remove_objects
from common.ebxml.responses import write_query_response, write_registry_response
from common.ebxml.submission import read_submission
from common.model import RegistryError, RegistryResponse, Status, Submission
from common.observe import correlation
from common.observe.stages import Stage, aside
from common.settings import Settings
from common.standard.errors import ErrorCode
from common.standard.transactions import (
    ITI_18,
    ITI_42,
    ITI_44_ADD,
    ITI_44_MERGE,
    ITI_44_REVISE,
    ITI_51,
    ITI_57,
    ITI_61,
    ITI_62,
    ITI_92,
    Transaction,
)
from common.web.address import Address
from common.web.answers import Reply, outcome
from common.web.door import Door
from common.web.elsewhere import Outbox
from common.web.message import Message
from common.web.recording import Audit
from registry.access.acts import Access
from registry.access.touching import Hidden, nothing_hidden
from registry.feed_v3 import FeedV3
from registry.register import ON_DEMAND, STABLE, Register
from registry.remove import Remove
from registry.search import NOBODY, Search
from registry.update import Update

_QUERIES: Final = (ITI_18, ITI_51)
_FEEDS: Final = (ITI_44_ADD, ITI_44_REVISE, ITI_44_MERGE)
_CODES: Final = (
    (DatabaseBusy, ErrorCode.XDSRegistryBusy),
    (DatabaseFull, ErrorCode.XDSRegistryOutOfResources),
    (Exception, ErrorCode.XDSRegistryError),
)


class Routes:
    """The transactions, each by its function; one more is one more line of the table."""

    def __init__(
        self,
        register: Register,
        search: Search,
        update: Update,
        remove: Remove,
        feed: FeedV3,
        access: Access | None = None,
    ) -> None:
        """With ``access`` each act needs the right to it."""
        self._access = access
        self._register = register
        self._remove = remove
        self._search = search
        self._update = update
        self._feed = feed
        self._actions: Mapping[Transaction, Callable[[Message], Reply]] = {
            ITI_18: self._answered,
            ITI_42: self._registered,
            ITI_51: self._answered,
            ITI_57: self._updated,
            ITI_61: self._registered,
            ITI_62: self._removed,
            ITI_92: self._updated,
            **dict.fromkeys(_FEEDS, self._fed),
        }

    @property
    def transactions(self) -> tuple[Transaction, ...]:
        """What is served at this address."""
        return tuple(self._actions)

    def act(self, message: Message, _parts: object) -> Reply:
        """Carry out the transaction that a message asks for."""
        if self._access is not None and (refused := self._access.refused(message)) is not None:
            return self._refused(message.transaction, refused)
        return self._actions[message.transaction](message)

    def _hidden(self, message: Message) -> Hidden:
        return self._access.hidden(message) if self._access is not None else nothing_hidden

    def _refused(self, transaction: Transaction, told: str) -> Reply:
        told = f"{told} [{correlation.current()}]"
        if transaction in _FEEDS:
            return Reply((self._feed.failed(transaction, told).body,), outcome="Failure")
        return _told(RegistryResponse(Status.FAILURE, (RegistryError(ErrorCode.XDSRegistryError, told),)))

    def _registered(self, message: Message) -> Reply:
        body = message.envelope.body
        response = self._register.register(
            lambda: _read(body),
            message_id=message.envelope.message_id,
            digest=digest(body),
            correlation=correlation.current(),
            rules=ON_DEMAND if message.transaction is ITI_61 else STABLE,
            hidden=self._hidden(message),
        )
        return _told(response)

    def _updated(self, message: Message) -> Reply:
        body = message.envelope.body
        response = self._update.update(
            lambda: _read(body),
            restricted=message.transaction is ITI_92,
            message_id=message.envelope.message_id,
            digest=digest(body),
            correlation=correlation.current(),
            hidden=self._hidden(message),
        )
        return _told(response)

    def _removed(self, message: Message) -> Reply:
        response = self._remove.remove(
            read_remove_objects(message.envelope.body),
            message_id=message.envelope.message_id,
            correlation=correlation.current(),
            hidden=self._hidden(message),
        )
        return _told(response)

    def _answered(self, message: Message) -> Reply:
        multi_patient = message.transaction is ITI_51
        body = message.envelope.body
        asked = read_query(body)
        if (account := bound()) is not None:
            account.asks(asked.id, etree.tostring(body, encoding="UTF-8", with_tail=False), asked.home)
        who = self._access.who(message) if self._access is not None else NOBODY
        answer = self._search.answer(asked, multi_patient=multi_patient, correlation=correlation.current(), who=who)
        return Reply((answer.body,), outcome=outcome(answer.response))

    def _fed(self, message: Message) -> Reply:
        answered = self._feed.answer(message.transaction, message.envelope.body, correlation.current())
        return Reply((answered.body,), outcome="Success" if answered.accepted else "Failure")

    def fail(self, transaction: Transaction, error: Exception, correlation_id: str) -> Reply:
        """The answer for a breakdown of ours, which is logged."""
        told = f"{told_of(error, 'registry', transaction.label)} [{correlation_id}]"
        if transaction in _FEEDS:
            return Reply((self._feed.failed(transaction, told).body,), outcome="Failure")
        code = next(code for kind, code in _CODES if isinstance(error, kind))
        response = RegistryResponse(Status.FAILURE, (RegistryError(code, told),))
        write = write_query_response if transaction in _QUERIES else write_registry_response
        return Reply((write(response),), outcome=outcome(response))


def _read(body: Element) -> Submission:
    with aside(Stage.PARSE):
        return read_submission(body)


def digest(body: Element) -> str:
    """What tells a message that is sent again from another with the same id: SHA-256 of its body, in hex."""
    return hashlib.sha256(etree.tostring(body, with_tail=False)).hexdigest()


def _told(response: RegistryResponse) -> Reply:
    return Reply((write_registry_response(response),), outcome=outcome(response))


def door(routes: Routes, settings: Settings, outbox: Outbox | None = None, audit: Audit | None = None) -> Door:
    """The address and all that is served at it."""
    return Door(
        Address(
            service="registry",
            path="/registry",
            wsdl="registry.wsdl",
            url=settings.registry_url,
            transactions=routes.transactions,
            max_bytes=settings.max_metadata_bytes + 64 * 1024,
            act=routes.act,
            fail=routes.fail,
        ),
        settings,
        outbox,
        audit,
    )
