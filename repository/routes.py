"""The Repository's SOAP address: opens bodies, calls the actions, writes bodies. Nothing is decided here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from common.access import Act
from common.ebxml.patients import patients_in
from common.ebxml.responses import write_registry_response
from common.ebxml.retrieve import DocumentResponse, read_retrieve, write_retrieve_response
from common.judging import NOT_ALLOWED, NOT_TOLD, Access, RegistryUnclear
from common.model import RegistryError, RegistryResponse, Status
from common.observe import correlation
from common.settings import Settings
from common.standard.errors import ErrorCode
from common.standard.transactions import ITI_41, ITI_43, ITI_86, Transaction
from common.web.address import Address
from common.web.answers import Reply, outcome
from common.web.asking import who_asks
from common.web.door import Door
from common.web.elsewhere import Outbox
from common.web.message import Message
from common.web.recording import Audit
from repository.intake import Intake
from repository.provide import Provide
from repository.remove import Remove
from repository.retrieve import NOBODY, Retrieve
from repository.storage import DocumentStore

_ACTS: Final = {ITI_41: Act.SUBMIT, ITI_86: Act.REMOVE}
"""What is judged as a whole; of ITI-43 each document is judged."""

log = logging.getLogger("portolan.repository")


class Routes:
    """The transactions, each by its function; one more is one more line of the table."""

    def __init__(
        self, provide: Provide, retrieve: Retrieve, remove: Remove, access: Access | None = None, reason: str = ""
    ) -> None:
        """With ``access`` the Registry is asked who may do what; ``reason`` is the attribute that says why."""
        self._access, self._reason = access, reason
        self._provide = provide
        self._retrieve = retrieve
        self._remove = remove
        self._actions: Mapping[Transaction, Callable[[Message, Intake], Reply]] = {
            ITI_41: self._provided,
            ITI_43: self._retrieved,
            ITI_86: self._removed,
        }

    @property
    def transactions(self) -> tuple[Transaction, ...]:
        """What is served at this address."""
        return tuple(self._actions)

    def act(self, message: Message, intake: Intake) -> Reply:
        """Carry out the transaction that a message asks for."""
        act = _ACTS.get(message.transaction)
        refused = self._refused(self._access, message, act) if self._access is not None and act is not None else None
        if refused is not None:
            return Reply((write_registry_response(refused),), outcome=outcome(refused))
        return self._actions[message.transaction](message, intake)

    def _refused(self, access: Access, message: Message, act: Act) -> RegistryResponse | None:
        """The answer to what may not be done, or to what nobody can say of whether it may."""
        try:
            if access.may(who_asks(message, self._reason), act, patients_in(message.envelope.body)):
                return None
            return _failure(NOT_ALLOWED)
        except RegistryUnclear as unclear:
            return _not_told(unclear)

    def _provided(self, message: Message, intake: Intake) -> Reply:
        who = who_asks(message, self._reason) if self._access is not None else None
        response = self._provide.provide(message.envelope.body, intake, message_id=message.envelope.message_id, who=who)
        return Reply((write_registry_response(response),), outcome=outcome(response))

    def _retrieved(self, message: Message, intake: Intake) -> Reply:
        who = who_asks(message, self._reason) if self._access is not None else NOBODY
        found = self._retrieve.retrieve(read_retrieve(message.envelope.body), who)
        response = found.response
        told = [
            DocumentResponse(each.asked, each.mime_type, each.new_repository_unique_id, each.new_document_unique_id)
            for each in found.documents
        ]
        return Reply(write_retrieve_response(response, told), tuple(found.documents), outcome(response))

    def _removed(self, message: Message, intake: Intake) -> Reply:
        asked = read_retrieve(message.envelope.body)
        try:
            hidden = self._hidden(message, [each.document_unique_id for each in asked])
        except RegistryUnclear as unclear:
            failed = _not_told(unclear)
            return Reply((write_registry_response(failed),), outcome=outcome(failed))
        response = self._remove.remove(asked, message_id=message.envelope.message_id, hidden=hidden)
        return Reply((write_registry_response(response),), outcome=outcome(response))

    def _hidden(self, message: Message, unique_ids: list[str]) -> frozenset[str]:
        """Those documents that are as if unknown to who wants them removed; RegistryUnclear."""
        if self._access is None or not 0 < len(unique_ids) <= self._remove.max_documents:
            return frozenset()
        return self._access.hidden(who_asks(message, self._reason), Act.REMOVE, unique_ids)

    def fail(self, transaction: Transaction, error: Exception, correlation_id: str) -> Reply:
        """The answer for a breakdown of ours, which is logged."""
        log.error("broke down in %s", transaction.label, exc_info=error)
        told = f"the repository failed: send the same message again, or tell its operator [{correlation_id}]"
        response = RegistryResponse(Status.FAILURE, (RegistryError(ErrorCode.XDSRepositoryError, told),))
        if transaction is ITI_43:
            return Reply(write_retrieve_response(response, ()), outcome=outcome(response))
        return Reply((write_registry_response(response),), outcome=outcome(response))


def _not_told(unclear: RegistryUnclear) -> RegistryResponse:
    log.warning("the registry does not say who may: %s", unclear)
    return _failure(NOT_TOLD)


def _failure(told: str) -> RegistryResponse:
    error = RegistryError(ErrorCode.XDSRepositoryError, f"{told} [{correlation.current()}]")
    return RegistryResponse(Status.FAILURE, (error,))


def door(
    routes: Routes,
    store: DocumentStore,
    settings: Settings,
    outbox: Outbox | None = None,
    audit: Audit | None = None,
) -> Door:
    """The address and all that is served at it."""
    return Door(
        Address(
            service="repository",
            path="/repository",
            wsdl="repository.wsdl",
            url=settings.repository_url,
            transactions=routes.transactions,
            max_bytes=settings.max_submission_bytes,
            parts=lambda: Intake(store, max_document=settings.max_document_bytes),
            act=routes.act,
            fail=routes.fail,
            large=frozenset({ITI_43}),
        ),
        settings,
        outbox,
        audit,
    )
