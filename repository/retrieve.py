"""ITI-43: gives documents back, byte for byte (ITI TF-2 3.43)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from common.access import Act, Who
from common.audit import account
from common.ebxml.retrieve import DocumentRequest
from common.judging import Access
from common.model import RegistryError, RegistryResponse, Status
from common.observe import correlation, metrics
from common.standard.errors import ErrorCode
from repository.on_demand.definition import MIME_TYPE as ON_DEMAND
from repository.on_demand.definition import UnreadableDefinition
from repository.on_demand.source import NotGenerated, OnDemandSource, Seen
from repository.registry import RegistryUnclear
from repository.settling import Settling
from repository.storage import Blob, Busy, Damaged, DocumentStore, Missing, Reader, StorageError

log = logging.getLogger("portolan.retrieve")

NOBODY = Who()
SMALL = 1024 * 1024
"""Documents up to this size are read at once, as long as one answer holds few of them (bytes)."""
HELD = 8 * 1024 * 1024


@dataclass(slots=True)
class Outgoing:
    """A document on its way out: held in memory when small, else read while it is sent."""

    asked: DocumentRequest
    mime_type: str
    size: int
    content: bytes | None = None
    reader: Reader | None = None
    new_repository_unique_id: str | None = None
    new_document_unique_id: str | None = None

    def chunks(self) -> Iterator[bytes]:
        """Its bytes; a document that turns out damaged raises before its last chunk."""
        metrics.document_bytes("out", self.size)
        if self.content is not None:
            yield self.content
        elif self.reader is not None:
            yield from self.reader

    def close(self) -> None:
        """Let go of the file or connection."""
        if self.reader is not None:
            self.reader.close()


@dataclass(slots=True)
class Retrieved:
    """What can be sent, and what is told of the rest."""

    documents: list[Outgoing] = field(default_factory=list)
    errors: list[RegistryError] = field(default_factory=list)
    held: int = 0

    @property
    def response(self) -> RegistryResponse:
        """All: Success; some: PartialSuccess; none: Failure (ITI TF-2 3.43.4.2.3)."""
        partly = Status.PARTIAL_SUCCESS if self.documents else Status.FAILURE
        status = partly if self.errors else Status.SUCCESS
        return RegistryResponse(status, tuple(self.errors))


class Retrieve:
    """Gives documents out."""

    def __init__(
        self,
        store: DocumentStore,
        settling: Settling,
        on_demand: OnDemandSource,
        *,
        repository_unique_id: str,
        max_documents: int,
        access: Access | None = None,
    ) -> None:
        """With ``access`` everybody gets what they may read; without it everybody gets everything."""
        self._access = access
        self._store = store
        self._settling = settling
        self._on_demand = on_demand
        self._repository_unique_id = repository_unique_id
        self._max_documents = max_documents

    def retrieve(self, requests: list[DocumentRequest], who: Who = NOBODY) -> Retrieved:
        """Each document, or an error that names it; never both, never neither."""
        found = Retrieved()
        if not requests or len(requests) > self._max_documents:
            told = f"between 1 and {self._max_documents} documents can be asked for, and {len(requests)} were"
            code = ErrorCode.XDSTooManyResults if requests else ErrorCode.XDSRepositoryError
            found.errors.append(_error(code, told, ""))
            return found
        try:
            readable = self._readable(requests, who)
        except RegistryUnclear as unclear:
            log.warning("the registry does not say who may read: %s", unclear)
            told = "whether the document may be given cannot be told now: ask again later"
            found.errors += [_error(ErrorCode.XDSRepositoryError, told, asked.document_unique_id) for asked in requests]
            _tell(requests, found)
            return found
        try:
            for asked in requests:
                self._one(asked, found, who, readable)
            _tell(requests, found)
        except BaseException:
            for document in found.documents:
                document.close()
            raise
        return found

    def _readable(self, requests: list[DocumentRequest], who: Who) -> frozenset[str] | None:
        """The documents that may be given; None where all may. RegistryUnclear."""
        if self._access is None:
            return None
        ours = [each for each in requests if each.repository_unique_id == self._repository_unique_id]
        return self._access.documents(who, Act.READ, [each.document_unique_id for each in ours]) if ours else None

    def _one(self, asked: DocumentRequest, found: Retrieved, who: Who, readable: frozenset[str] | None) -> None:
        name = asked.document_unique_id
        if asked.repository_unique_id != self._repository_unique_id:
            told = f"this is the repository {self._repository_unique_id}, not the one asked for"
            found.errors.append(_error(ErrorCode.XDSUnknownRepositoryId, told, name))
            return
        try:
            # One that may not be read is looked for no less: how long that takes does not tell the two apart.
            blob = self._blob(name)
            hidden = readable is not None and name not in readable
            document = self._opened_or_gone(asked, blob, found, who) if blob and not hidden else None
            if document is None:
                told = "no such document can be had here"
                found.errors.append(_error(ErrorCode.XDSDocumentUniqueIdError, told, name))
                return
        except Busy:
            told = "the document store is busy: ask again later"
            found.errors.append(_error(ErrorCode.XDSRepositoryBusy, told, name))
        except RegistryUnclear:
            told = "whether the document is registered cannot be told now: ask again later"
            found.errors.append(_error(ErrorCode.XDSRepositoryError, told, name))
        except (NotGenerated, UnreadableDefinition):
            told = "the document is made on demand, and could not be made: ask again later, or tell the operator"
            found.errors.append(_error(ErrorCode.XDSRepositoryError, told, name))
        except StorageError as error:
            log.error("a stored document cannot be given out: %s", error)
            told = "the document is registered, but its stored bytes are damaged or gone: tell the operator"
            found.errors.append(_error(ErrorCode.XDSRepositoryError, told, name))
        else:
            found.documents.append(document)

    def _blob(self, unique_id: str) -> Blob | None:
        """The settled bytes; for marked ones the registry is asked first whether they count."""
        for blob in self._store.find(unique_id):
            if not blob.pending:
                return blob
            settled = self._settling.settle(blob)
            if settled is not None:
                return settled
        return None

    def _opened_or_gone(self, asked: DocumentRequest, blob: Blob, found: Retrieved, who: Who) -> Outgoing | None:
        """The document; ``None`` when it was removed since it was found, which only a second look can tell."""
        try:
            return self._opened(asked, blob, found, who)
        except (Missing, Damaged):
            if self._store.tombstone(asked.document_unique_id) is not None:
                return None
            raise

    def _opened(self, asked: DocumentRequest, blob: Blob, found: Retrieved, who: Who) -> Outgoing | None:
        if blob.mime_type == ON_DEMAND:
            return self._made(asked, blob, who)
        if blob.size <= SMALL and found.held + blob.size <= HELD:
            found.held += blob.size
            with self._store.read(blob) as reader:
                return Outgoing(asked, blob.mime_type, blob.size, content=reader.content())
        self._store.verify(blob)
        return Outgoing(asked, blob.mime_type, blob.size, reader=self._store.read(blob.bare()))

    def _seen_by(self, who: Who) -> Seen | None:
        """Which of some documents somebody may see, for those that are made of what others say."""
        access = self._access
        if access is None:
            return None
        return lambda unique_ids: access.documents(who, Act.SEARCH, unique_ids) if unique_ids else frozenset()

    def _made(self, asked: DocumentRequest, blob: Blob, who: Who) -> Outgoing | None:
        """A document made for this request; its own uniqueId tells which content it is (ITI TF-2 3.43.4.2.2)."""
        made = self._on_demand.make(blob, self._seen_by(who))
        if made is None:
            return None
        kept = self._repository_unique_id if made.kept else None
        return Outgoing(
            asked,
            made.mime_type,
            len(made.content),
            content=made.content,
            new_repository_unique_id=kept,
            new_document_unique_id=made.unique_id,
        )


def _tell(requests: list[DocumentRequest], found: Retrieved) -> None:
    """Tell the account which documents were asked for, and which of them are not given."""
    problems = {error.location: str(error.code) for error in found.errors}
    account.current().documents += [
        account.Document(
            each.document_unique_id,
            each.repository_unique_id,
            each.home_community_id or "",
            problems.get(each.document_unique_id[:256], ""),
        )
        for each in requests
    ]


def _error(code: ErrorCode, told: str, document_unique_id: str) -> RegistryError:
    context = f"{document_unique_id[:256]}: {told}" if document_unique_id else told
    return RegistryError(code, f"{context} [{correlation.current()}]", document_unique_id[:256])
