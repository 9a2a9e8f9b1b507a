"""ITI-86: removes documents for good, each by itself (ITI TF-2 3.86, supplement RMD)."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from common.audit import account
from common.ebxml.retrieve import DocumentRequest
from common.model import RegistryError, RegistryResponse, Status
from common.observe import correlation
from common.standard.errors import ErrorCode
from repository.registry import Registry, RegistryUnclear
from repository.settling import Settling
from repository.storage import Blob, DocumentStore, StorageError

log = logging.getLogger("portolan.remove")


class Remove:
    """Puts tombstones in the places of documents."""

    def __init__(
        self,
        store: DocumentStore,
        registry: Registry,
        settling: Settling,
        *,
        repository_unique_id: str,
        max_documents: int,
    ) -> None:
        self._store = store
        self._registry = registry
        self._settling = settling
        self._repository_unique_id = repository_unique_id
        self.max_documents = max_documents

    def remove(
        self, requests: Sequence[DocumentRequest], *, message_id: str | None, hidden: Collection[str] = ()
    ) -> RegistryResponse:
        """All removed: Success; some: PartialSuccess; none: Failure. The same message again gets the same answer.

        What is ``hidden`` is as if unknown.
        """
        if not requests or len(requests) > self.max_documents:
            told = f"between 1 and {self.max_documents} documents can be removed at a time, not {len(requests)}"
            return RegistryResponse(Status.FAILURE, (_error(ErrorCode.XDSRemoveDocumentsError, told, ""),))
        asked = list(dict.fromkeys((each.repository_unique_id, each.document_unique_id) for each in requests))
        errors: list[RegistryError] = []
        found: list[Blob] = []
        done = 0
        for repository, name in asked:
            if repository != self._repository_unique_id:
                told = f"this is the repository {self._repository_unique_id}, not the one named"
                errors.append(_error(ErrorCode.XDSUnknownRepositoryId, told, name))
                continue
            try:
                blob = self._blob(name)
                if blob is not None and name not in hidden:
                    found.append(blob)
                elif blob is None and self._was_removed_by(name, message_id):
                    done += 1
                else:
                    errors.append(_error(ErrorCode.XDSDocumentUniqueIdError, "no such document is here", name))
            except (RegistryUnclear, StorageError) as error:
                errors.append(_failed(error, name))
        done += self._bury(found, errors, message_id)
        problems = {error.location: str(error.code) for error in errors}
        account.current().documents += [
            account.Document(name, repository, problem=problems.get(name[:256], "")) for repository, name in asked
        ]
        partly = Status.PARTIAL_SUCCESS if done else Status.FAILURE
        return RegistryResponse(partly if errors else Status.SUCCESS, tuple(errors))

    def _blob(self, unique_id: str) -> Blob | None:
        """The document; a copy whose registration is in doubt is one if the registry says so."""
        for blob in self._store.find(unique_id):
            settled = self._settling.settle(blob) if blob.pending else blob
            if settled is not None:
                return settled
        return None

    def _was_removed_by(self, unique_id: str, message_id: str | None) -> bool:
        """Whether this very message removed it before, and its answer was lost; what it has left goes now."""
        tombstone = self._store.tombstone(unique_id)
        if tombstone is None:
            return False
        self._store.clear_copies(unique_id)
        return bool(message_id) and tombstone.message_id == message_id

    def _bury(self, found: Sequence[Blob], errors: list[RegistryError], message_id: str | None) -> int:
        """Remove what is not on hold; how many were."""
        if not found:
            return 0
        try:
            held = self._registry.held([blob.unique_id for blob in found])
        except RegistryUnclear as unclear:
            log.warning("the registry does not say what is on hold: %s", unclear)
            told = "it cannot be told now whether the document is on hold, so it was not removed: send again later"
            errors += [_error(ErrorCode.XDSRemoveDocumentsError, told, blob.unique_id) for blob in found]
            return 0
        done = 0
        for blob in found:
            if blob.unique_id in held:
                told = "the document is under a legal hold, and is not removed before that is lifted"
                errors.append(_error(ErrorCode.XDSRemoveDocumentsError, told, blob.unique_id))
                continue
            try:
                self._store.bury(blob, message_id or "")
                done += 1
            except StorageError as error:
                errors.append(_failed(error, blob.unique_id))
        log.info("removed", extra={"documents": done})
        return done


def _failed(error: Exception, unique_id: str) -> RegistryError:
    log.error("a document could not be removed: %s", error)
    told = "the document could not be removed now: send again later"
    return _error(ErrorCode.XDSRemoveDocumentsError, told, unique_id)


def _error(code: ErrorCode, told: str, document_unique_id: str) -> RegistryError:
    context = f"{document_unique_id[:256]}: {told}" if document_unique_id else told
    return RegistryError(code, f"{context} [{correlation.current()}]", document_unique_id[:256])
