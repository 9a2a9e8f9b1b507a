"""The Document Administrator: amends metadata (ITI-57, ITI-92), removes them (ITI-62) and documents (ITI-86)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from common.audit.account import Account, Document
from common.audit.asking import Audits
from common.client.amending import Occasion, new_association, new_status, new_version
from common.client.answers import registry_response
from common.client.channel import Tls
from common.client.errors import NoAnswer, OutcomeUnknown, Refused, UnknownRepository
from common.client.message_ids import Names, new_message_id, time_of
from common.client.operations import Raw
from common.client.results import errors_of, warnings_of
from common.client.service import Assertion, Service
from common.client.submission import objects_element
from common.clock import utc_now
from common.closing import Closing
from common.ebxml import names as n
from common.model import (
    AssociationType,
    Author,
    AvailabilityStatus,
    Code,
    DocumentEntry,
    Folder,
    RegistryError,
    RegistryObject,
    RegistryResponse,
    Status,
    Submission,
)
from common.standard.transactions import ITI_57, ITI_62, ITI_86, ITI_92, Transaction


class RemovalRefused(Refused):
    """The removal was refused, and changed nothing."""


class UpdateRefused(Refused):
    """The update was refused, and changed nothing."""


@dataclass(frozen=True, slots=True)
class Updated:
    """An update that was carried out; ``entry_uuid`` names the new version, or the new Association."""

    submission_set_unique_id: str
    message_id: str
    entry_uuid: str = ""
    warnings: tuple[RegistryError, ...] = ()


@dataclass(frozen=True, slots=True)
class RemovedDocuments:
    """What became of documents that were to be removed, each named by its uniqueId."""

    removed: tuple[str, ...]
    errors: tuple[RegistryError, ...] = ()

    def error_of(self, unique_id: str) -> RegistryError | None:
        """Why a document was not removed."""
        return next((each for each in self.errors if each.location == unique_id), None)


class DocumentAdministrator(Closing):
    """Speaks with one registry and with repositories by their repositoryUniqueId; for use by any thread."""

    def __init__(
        self,
        registry_url: str,
        repositories: Mapping[str, str],
        *,
        source_id: str = "",
        connect_timeout: float = 2.0,
        answer_timeout: float = 300.0,
        tls: Tls | None = None,
        assertion: Assertion | None = None,
        audit: Audits | None = None,
    ) -> None:
        """``repositories`` are URLs by repositoryUniqueId; times in seconds, the second of silence while waiting.

        ``source_id`` is the OID under which updates are filed. With ``audit`` everything is recorded.
        """

        def service(url: str) -> Service:
            return Service(
                url,
                connect_timeout=connect_timeout,
                answer_timeout=answer_timeout,
                tls=tls,
                assertion=assertion,
                audit=audit,
            )

        self._registry = service(registry_url)
        self._repositories = {name: service(url) for name, url in repositories.items()}
        self._source_id = source_id

    def amend(
        self,
        before: DocumentEntry | Folder,
        after: DocumentEntry | Folder,
        *,
        by: Author,
        reason: str = "",
        content_type: Code | None = None,
        propagate: bool = True,
        restricted: bool = False,
        message_id: str | None = None,
    ) -> Updated:
        """Make ``after`` the version that follows ``before``, an object as a query gave it (ITI-57; or ITI-92).

        Raises UpdateRefused (XDSMetadataVersionError where somebody else was first), NotReached when nothing was sent,
        OutcomeUnknown when the same call with the same ``message_id`` settles it, FaultReceived, ValueError.
        """
        name = message_id or new_message_id()
        told = content_type or (before.type_code if isinstance(before, DocumentEntry) else None)
        occasion = self._occasion(name, by, reason, told)
        submission = new_version(before, after, occasion, propagate=propagate)
        changed = (*submission.entries, *submission.folders)[0]
        return self._updated(ITI_92 if restricted else ITI_57, submission, occasion, name, changed.entry_uuid)

    def change_status(
        self,
        item: RegistryObject,
        status: AvailabilityStatus,
        *,
        patient_id: str,
        by: Author,
        content_type: Code,
        reason: str = "",
        message_id: str | None = None,
    ) -> Updated:
        """Deprecate or approve an object, as a query gave it (ITI-57); raises what ``amend`` does."""
        name = message_id or new_message_id()
        occasion = self._occasion(name, by, reason, content_type)
        submission = new_status(item, status, occasion, patient_id=patient_id)
        return self._updated(ITI_57, submission, occasion, name, item.entry_uuid)

    def associate(
        self,
        kind: AssociationType,
        source: str,
        target: str,
        *,
        patient_id: str,
        by: Author,
        content_type: Code,
        reason: str = "",
        message_id: str | None = None,
    ) -> Updated:
        """Join two registered objects by their entryUUIDs (ITI-57); raises what ``amend`` does."""
        name = message_id or new_message_id()
        occasion = self._occasion(name, by, reason, content_type)
        submission = new_association(kind, source, target, occasion, patient_id=patient_id)
        return self._updated(ITI_57, submission, occasion, name, submission.associations[0].entry_uuid)

    def _occasion(self, message_id: str, by: Author, reason: str, content_type: Code | None) -> Occasion:
        if content_type is None:
            raise ValueError("a content_type is needed: it says what the update is about")
        told = time_of(message_id) or utc_now()
        return Occasion(self._source_id, reason, content_type, by, told, Names(message_id))

    def _updated(
        self, transaction: Transaction, submission: Submission, occasion: Occasion, message_id: str, entry_uuid: str
    ) -> Updated:
        objects = Raw({}, list(objects_element(submission, occasion.names)))
        told = Account()
        told.submits((each.patient_id, each.unique_id) for each in submission.submission_sets)
        response = self._sent(self._registry, transaction, {"RegistryObjectList": objects}, message_id, told)
        if response.status is not Status.SUCCESS:
            refused = UpdateRefused(response.errors)
            refused.message_id = message_id
            raise refused
        unique_id = submission.submission_set.unique_id or ""
        return Updated(unique_id, message_id, entry_uuid, warnings_of(response.errors))

    def remove_metadata(
        self, entry_uuids: Iterable[str], *, by: str = "", reason: str = "", message_id: str | None = None
    ) -> None:
        """Remove objects for good by their entryUUIDs, all of them or none (ITI TF-2 3.62).

        Who removes them and why goes into the registry's evidence. Raises RemovalRefused, NotReached when nothing was
        sent, OutcomeUnknown when the same call with the same ``message_id`` settles it, FaultReceived.
        """
        comment = f"{by.replace(': ', ' ')}: {reason}" if by else reason
        names = list(entry_uuids)
        body = {"comment": comment or None, "ObjectRefList": {"ObjectRef": [{"id": each} for each in names]}}
        told = Account(objects=names)
        response = self._sent(self._registry, ITI_62, body, message_id or new_message_id(), told)
        if response.status is not Status.SUCCESS:
            raise RemovalRefused(response.errors)

    def remove_documents(
        self, repository_unique_id: str, unique_ids: Sequence[str], *, message_id: str | None = None
    ) -> RemovedDocuments:
        """Remove documents for good from the repository that holds them, each by itself (ITI TF-2 3.86).

        Raises RemovalRefused for what is not about single documents, UnknownRepository, and what ``remove_metadata``
        raises.
        """
        service = self._repositories.get(repository_unique_id)
        if service is None:
            raise UnknownRepository(f"no address is known for the repository {repository_unique_id}")
        asked = [{"RepositoryUniqueId": repository_unique_id, "DocumentUniqueId": each} for each in unique_ids]
        told = Account(documents=[Document(each, repository_unique_id) for each in unique_ids])
        response = self._sent(service, ITI_86, {"DocumentRequest": asked}, message_id or new_message_id(), told)
        errors = errors_of(response.errors)
        named = {each.location for each in errors}
        if response.status is Status.FAILURE and not named >= set(unique_ids):
            raise RemovalRefused(errors)
        return RemovedDocuments(tuple(each for each in unique_ids if each not in named), errors)

    def _sent(
        self,
        service: Service,
        transaction: Transaction,
        body: Mapping[str, object],
        message_id: str,
        told: Account,
    ) -> RegistryResponse:
        try:
            with service.recorder.asking(transaction) as asking:
                asking.account = told
                with service.ask(transaction, body, message_id=message_id) as answer:
                    response = registry_response(answer.body, n.REGISTRY_RESPONSE)
                asking.answered(response)
                problems = {each.location: each.code for each in response.errors}
                told.documents = [replace(each, problem=problems.get(each.unique_id, "")) for each in told.documents]
                return response
        except NoAnswer as error:
            raise OutcomeUnknown(message_id, str(error)) from error

    def close(self) -> None:
        """Close the connections."""
        for service in (self._registry, *self._repositories.values()):
            service.close()
