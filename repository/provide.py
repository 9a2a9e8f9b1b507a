"""ITI-41: stores documents, registers them, and settles what came of it (ITI TF-2 3.41)."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from common.access import Who
from common.audit import account
from common.ebxml.objects import Element
from common.ebxml.provide import Provided, ProvidedEntry, complete, read_provide, submission_bytes
from common.model import RegistryResponse, Status
from common.observe import correlation, metrics
from common.observe.stages import Stage, aside
from common.rules import Objection, as_errors
from common.standard.errors import ErrorCode
from repository.intake import Intake
from repository.registry import Registry, RegistryBroke, RegistryUnclear, RegistryUnreachable, derived_message_id
from repository.rules.provide import PROVIDE, Bytes, Delivery, Entry
from repository.storage import Blob, Buried, Busy, DocumentStore, OutOfSpace, StorageError, Upload

log = logging.getLogger("portolan.provide")

STORAGE_ERRORS = (
    (OutOfSpace, ErrorCode.XDSRepositoryOutOfResources, "there is no room for the documents: send again later"),
    (Busy, ErrorCode.XDSRepositoryBusy, "the document store is busy: send the same message again later"),
    (StorageError, ErrorCode.XDSRepositoryError, "the documents could not be stored: send the same message again"),
)


def storage_objection(error: StorageError) -> Objection:
    """What the source hears when the store fails."""
    code, told = next((code, told) for kind, code, told in STORAGE_ERRORS if isinstance(error, kind))
    return Objection(code, "", told)


@dataclass(frozen=True, slots=True)
class _Received:
    """A delivery with the upload of each Document element, and its SubmissionSets for the record."""

    provided: Provided
    uploads: dict[str, Upload]
    sets: list[tuple[str, str]]


class Provide:
    """Takes documents in."""

    def __init__(
        self, store: DocumentStore, registry: Registry, *, repository_unique_id: str, max_documents: int
    ) -> None:
        self._store = store
        self._registry = registry
        self._repository_unique_id = repository_unique_id
        self._max_documents = max_documents

    def provide(
        self, request: Element, intake: Intake, *, message_id: str | None, who: Who | None = None
    ) -> RegistryResponse:
        """The registry's own answer, or the repository's objections; ``who`` is judged, where access is decided."""
        with aside(Stage.PARSE):
            provided = read_provide(request)
        # Looked for only where somebody reads the account.
        sets = provided.submission_sets() if account.bound() is not None else []
        account.current().submits(sets)
        if (count := len(provided.documents)) > self._max_documents:
            told = f"the submission has {count} documents; at most {self._max_documents} are taken"
            return _failure([Objection(ErrorCode.XDSRepositoryOutOfResources, "", told)])
        received = self._received(provided, intake, sets)
        if intake.broken:
            return _failure([storage_objection(intake.broken)])
        if objections := PROVIDE.check(_delivery(received)):
            return _failure(objections)
        blobs: list[Blob] = []
        try:
            self._store_all(received, blobs)
        except Buried as error:
            self._drop(blobs)
            return _failure([self._removed(received, len(blobs), error)])
        except StorageError as error:
            log.error("could not store: %s", error)
            self._drop(blobs)
            return _failure([storage_objection(error)])
        return self._registered(received, blobs, message_id, who)

    @staticmethod
    def _removed(received: _Received, number: int, error: Buried) -> Objection:
        """A late retry does not bring back what was removed for good."""
        name = received.provided.entries[number].unique_id
        day = time.strftime("%Y-%m-%d", time.gmtime(error.buried_at))
        told = f"the document with this uniqueId was removed on {day}, and is not taken again"
        return Objection(ErrorCode.XDSRepositoryMetadataError, name, told)

    def _received(self, provided: Provided, intake: Intake, sets: list[tuple[str, str]]) -> _Received:
        uploads: dict[str, Upload] = {}
        for name, document in provided.documents:
            upload = intake.of(document)
            if upload is not None:
                uploads[name] = upload
        return _Received(provided, uploads, sets)

    def _store_all(self, received: _Received, blobs: list[Blob]) -> None:
        """Durable and marked, before the registry is told (ITI TF-2 3.41.4.1.3)."""
        for entry in received.provided.entries:
            upload = received.uploads[entry.id]
            sha1, size = upload.sha1(), upload.size
            blobs.append(upload.commit(entry.unique_id, entry.mime_type))
            complete(entry, sha1=sha1, size=size, repository_unique_id=self._repository_unique_id)
            metrics.document_bytes("in", size)

    def _registered(
        self, received: _Received, blobs: Sequence[Blob], message_id: str | None, who: Who | None
    ) -> RegistryResponse:
        assert received.provided.submit is not None  # a rule has seen to it
        with aside(Stage.SERIALISE):
            submission = submission_bytes(received.provided.submit)
        try:
            response = self._registry.register(
                submission, message_id=derived_message_id(message_id), sets=received.sets, who=who
            )
        except RegistryUnreachable:
            log.warning("the registry cannot be reached")
            self._drop(blobs)
            told = "the registry cannot be reached, and nothing was stored: send the same message again later"
            return _failure([Objection(ErrorCode.XDSRegistryNotAvailable, "", told)])
        except RegistryBroke as broke:
            log.warning("the registry failed: %s", broke)
            return broke.response  # and the bytes stay, as below
        except RegistryUnclear as unclear:
            # Unknown is not failed: the bytes stay, marked, until it is known whether an entry points at them.
            log.warning("the registry gave no clear answer: %s", unclear)
            told = "the registry gave no clear answer, so the outcome is unknown: send the same message again"
            return _failure([Objection(ErrorCode.XDSRepositoryError, "", told)])
        if response.status is Status.SUCCESS:
            self._settle(blobs)
        else:
            self._drop(blobs)
        return response

    def _settle(self, blobs: Sequence[Blob]) -> None:
        """A mark that cannot be taken away now is taken away by the sweeper: the documents are registered."""
        for blob in blobs:
            try:
                self._store.settle(blob)
            except Buried:
                log.info("a document was removed while it was registered")
                self._drop([blob])
            except StorageError as error:
                log.error("a registered document keeps its mark for now: %s", error)

    def _drop(self, blobs: Sequence[Blob]) -> None:
        for blob in blobs:
            try:
                self._store.remove(blob)
            except StorageError as error:
                log.error("bytes that nothing points at stay for the sweeper: %s", error)


def _delivery(received: _Received) -> Delivery:
    provided = received.provided
    return Delivery(
        has_submission=provided.submit is not None,
        entries=tuple(_entry(entry) for entry in provided.entries),
        documents=tuple(name for name, _ in provided.documents),
        received={name: Bytes(upload.sha1(), upload.size) for name, upload in received.uploads.items()},
    )


def _entry(entry: ProvidedEntry) -> Entry:
    return Entry(entry.id, entry.unique_id, entry.is_stable, entry.hash, entry.size, entry.mime_type)


def _failure(objections: Sequence[Objection]) -> RegistryResponse:
    return RegistryResponse(Status.FAILURE, as_errors(objections, correlation.current()))
