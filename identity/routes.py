"""The service's SOAP address: opens bodies, calls the actions, writes bodies. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from common.db import told_of
from common.hl7v3.wrapper import Element
from common.observe import correlation
from common.settings import Settings
from common.standard.transactions import (
    ITI_44_ADD,
    ITI_44_MERGE,
    ITI_44_REVISE,
    ITI_45,
    ITI_47,
    ITI_47_CANCEL,
    ITI_47_CONTINUE,
    Transaction,
)
from common.web.answers import Reply
from common.web.door import Address, Door
from common.web.message import Message
from common.web.recording import Audit
from identity.demographics_query import DemographicsQuery
from identity.feed_v3 import FeedV3
from identity.identifiers_query import Answered, IdentifiersQuery

_FEEDS: Final = (ITI_44_ADD, ITI_44_REVISE, ITI_44_MERGE)


class Routes:
    """The transactions, each by its function; one more is one more line of the table."""

    def __init__(self, feed: FeedV3, identifiers: IdentifiersQuery, demographics: DemographicsQuery) -> None:
        self._feed = feed
        self._identifiers = identifiers
        self._demographics = demographics
        self._queries: Mapping[Transaction, Callable[[Element, str], Answered]] = {
            ITI_45: identifiers.answer,
            ITI_47: demographics.answer,
            ITI_47_CONTINUE: demographics.go_on,
            ITI_47_CANCEL: demographics.cancel,
        }

    @property
    def transactions(self) -> tuple[Transaction, ...]:
        """What is served."""
        return (*_FEEDS, *self._queries)

    def act(self, message: Message, _parts: object) -> Reply:
        """Carry out one message."""
        body, current = message.envelope.body, correlation.current()
        if message.transaction in _FEEDS:
            fed = self._feed.answer(message.transaction, body, current)
            return Reply((fed.body,), outcome="Success" if fed.accepted else "Failure")
        answered = self._queries[message.transaction](body, current)
        return Reply((answered.body,), outcome=answered.response.value)

    def fail(self, transaction: Transaction, error: Exception, correlation_id: str) -> Reply:
        """The answer for a breakdown of ours, which is logged."""
        told = f"{told_of(error, 'identity service', transaction.label)} [{correlation_id}]"
        if transaction in (*_FEEDS, ITI_47_CANCEL):
            return Reply((self._feed.failed(transaction, told).body,), outcome="Failure")
        action = self._identifiers if transaction is ITI_45 else self._demographics
        return Reply((action.failed(told).body,), outcome="Failure")


def door(routes: Routes, settings: Settings, audit: Audit | None = None) -> Door:
    """The address and all that is served at it."""
    return Door(
        Address(
            service="identity",
            path="/identity",
            wsdl="identity.wsdl",
            url=settings.identity_url,
            transactions=routes.transactions,
            max_bytes=settings.max_metadata_bytes + 64 * 1024,
            act=routes.act,
            fail=routes.fail,
        ),
        settings,
        audit=audit,
    )
