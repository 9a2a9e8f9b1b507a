"""The Repository's SOAP address: opens bodies, calls the actions, writes bodies. Nothing is decided here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from common.ebxml.responses import write_registry_response
from common.ebxml.retrieve import DocumentResponse, read_retrieve, write_retrieve_response
from common.model import RegistryError, RegistryResponse, Status
from common.settings import Settings
from common.standard.errors import ErrorCode
from common.standard.transactions import ITI_41, ITI_43, ITI_86, Transaction
from common.web.answers import Reply, outcome
from common.web.door import Address, Door
from common.web.elsewhere import Outbox
from common.web.message import Message
from common.web.recording import Audit
from repository.intake import Intake
from repository.provide import Provide
from repository.remove import Remove
from repository.retrieve import Retrieve
from repository.storage import DocumentStore

log = logging.getLogger("portolan.repository")


class Routes:
    """The transactions, each by its function; one more is one more line of the table."""

    def __init__(self, provide: Provide, retrieve: Retrieve, remove: Remove) -> None:
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
        return self._actions[message.transaction](message, intake)

    def _provided(self, message: Message, intake: Intake) -> Reply:
        response = self._provide.provide(message.envelope.body, intake, message_id=message.envelope.message_id)
        return Reply((write_registry_response(response),), outcome=outcome(response))

    def _retrieved(self, message: Message, intake: Intake) -> Reply:
        found = self._retrieve.retrieve(read_retrieve(message.envelope.body))
        response = found.response
        told = [
            DocumentResponse(each.asked, each.mime_type, each.new_repository_unique_id, each.new_document_unique_id)
            for each in found.documents
        ]
        return Reply(write_retrieve_response(response, told), tuple(found.documents), outcome(response))

    def _removed(self, message: Message, intake: Intake) -> Reply:
        response = self._remove.remove(read_retrieve(message.envelope.body), message_id=message.envelope.message_id)
        return Reply((write_registry_response(response),), outcome=outcome(response))

    def fail(self, transaction: Transaction, error: Exception, correlation_id: str) -> Reply:
        """The answer for a breakdown of ours, which is logged."""
        log.error("broke down in %s", transaction.label, exc_info=error)
        told = f"the repository failed: send the same message again, or tell its operator [{correlation_id}]"
        response = RegistryResponse(Status.FAILURE, (RegistryError(ErrorCode.XDSRepositoryError, told),))
        if transaction is ITI_43:
            return Reply(write_retrieve_response(response, ()), outcome=outcome(response))
        return Reply((write_registry_response(response),), outcome=outcome(response))


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
