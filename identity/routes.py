"""The service's SOAP address: opens bodies, calls the actions, writes bodies. Nothing is decided here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from common.access import Act
from common.db import told_of
from common.hl7v3.wrapper import Element
from common.judging import NOT_ALLOWED, NOT_TOLD, Access, RegistryUnclear
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
from common.web.address import Address
from common.web.answers import Reply
from common.web.asking import who_asks
from common.web.door import Door
from common.web.message import Message
from common.web.recording import Audit
from identity.demographics_query import DemographicsQuery
from identity.feed_v3 import FeedV3
from identity.identifiers_query import Answered, IdentifiersQuery

log = logging.getLogger("portolan.identity")

_MOST_ASKED: Final = 100
"""Of more patients than one some are another one, so that no more have to be asked about."""
_FEEDS: Final = (ITI_44_ADD, ITI_44_REVISE, ITI_44_MERGE)


class Routes:
    """The transactions, each by its function; one more is one more line of the table."""

    def __init__(
        self,
        feed: FeedV3,
        identifiers: IdentifiersQuery,
        demographics: DemographicsQuery,
        access: Access | None = None,
        reason: str = "",
    ) -> None:
        """With ``access`` the Registry is asked who may do what; ``reason`` is the attribute that says why."""
        self._access, self._reason = access, reason
        self._feed = feed
        self._identifiers = identifiers
        self._demographics = demographics
        self._queries: Mapping[Transaction, Callable[[Element, str], Answered]] = {
            ITI_45: identifiers.answer,
            ITI_47: demographics.answer,
            ITI_47_CONTINUE: demographics.go_on,
            ITI_47_CANCEL: demographics.cancel,
        }
        self._refusals: Mapping[Transaction, Callable[[Element, str, str], Answered]] = {
            ITI_45: identifiers.not_allowed,
            ITI_47: demographics.not_allowed,
            ITI_47_CONTINUE: demographics.not_continued,
            ITI_47_CANCEL: demographics.not_cancelled,
        }

    @property
    def transactions(self) -> tuple[Transaction, ...]:
        """What is served."""
        return (*_FEEDS, *self._queries)

    def act(self, message: Message, _parts: object) -> Reply:
        """Carry out one message."""
        body, current = message.envelope.body, correlation.current()
        if message.transaction in _FEEDS:
            if refused := self._refused(message, Act.FEED):
                failed = self._feed.failed(message.transaction, f"{refused} [{current}]")
                return Reply((failed.body,), outcome="Failure")
            fed = self._feed.answer(message.transaction, body, current)
            return Reply((fed.body,), outcome="Success" if fed.accepted else "Failure")
        if refused := self._refused(message, Act.IDENTIFY):
            answered = self._refusals[message.transaction](body, refused, current)
            return Reply((answered.body,), outcome=answered.response.value)
        answered = self._queries[message.transaction](body, current)
        if refused := self._refused_of(message, answered.patients):
            answered = self._refusals[message.transaction](body, refused, current)
        return Reply((answered.body,), outcome=answered.response.value)

    def _refused(self, message: Message, act: Act, patients: tuple[str, ...] = ()) -> str:
        """Why something is not done, in words that do not tell more than that; empty where it is."""
        if self._access is None:
            return ""
        try:
            return "" if self._access.may(who_asks(message, self._reason), act, patients) else NOT_ALLOWED
        except RegistryUnclear as unclear:
            log.warning("the registry does not say who may: %s", unclear)
            return NOT_TOLD

    def _refused_of(self, message: Message, patients: tuple[str, ...]) -> str:
        """As ``_refused``, of an answer that is known; only who is bound to one patient is asked about again."""
        bound = message.caller is not None and bool(message.caller.patient_id)
        return self._refused(message, Act.IDENTIFY, patients[:_MOST_ASKED]) if bound and patients else ""

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
