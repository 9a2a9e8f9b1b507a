"""One Retrieve Document Set (ITI-43): the documents of some entries from the one repository that holds them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from common.audit.account import Document
from common.client.answers import Given, retrieve_answer
from common.client.errors import DocumentUnavailable, NoAnswer
from common.client.incoming import Answer
from common.client.message_ids import new_message_id
from common.client.service import Service
from common.model import DocumentEntry, RegistryError, Severity
from common.soap.content_type import MimeError
from common.soap.mtom import Include
from common.standard.transactions import ITI_43


def request_body(entries: Sequence[DocumentEntry]) -> dict[str, Any]:
    """The body of ITI-43; each document once, however many entries point at it."""
    asked = {(entry.repository_unique_id, entry.unique_id): entry.home_community_id for entry in entries}
    return {
        "DocumentRequest": [
            {"HomeCommunityId": home, "RepositoryUniqueId": repository, "DocumentUniqueId": unique_id}
            for (repository, unique_id), home in asked.items()
        ]
    }


@dataclass(frozen=True, slots=True)
class Arriving:
    """A document whose bytes can be read now."""

    unique_id: str
    mime_type: str
    chunks: Iterator[bytes | memoryview]
    new_unique_id: str = ""
    kept: bool = False


def _arriving(given: Given, chunks: Iterator[bytes | memoryview]) -> Arriving:
    kept = bool(given.new_repository_unique_id)
    return Arriving(given.document_unique_id, given.mime_type, chunks, given.new_document_unique_id, kept)


class Retrieval:
    """The answer of one repository."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        told = retrieve_answer(answer.body)
        self.response = told.response
        self._given = told.documents
        self.errors = tuple(error for error in told.response.errors if error.severity is Severity.ERROR)

    def documents(self) -> Iterator[Arriving]:
        """The documents in the order in which they come, each to be read before the next; NoAnswer where it breaks."""
        parts: dict[str, Given] = {}
        for given in self._given:
            if isinstance(given.content, Include):
                parts[given.content.cid] = parts[given.content.href.strip()[4:]] = given
            else:
                yield _arriving(given, _refusing(given.content.pieces()))
        for part in self._answer.parts():
            found = parts.pop(part.content_id, None) if part.content_id else None
            if found is not None:
                yield _arriving(found, part.chunks)

    def error_for(self, entry: DocumentEntry) -> RegistryError | None:
        """Why there is no such document: the error that names it, or else one that names none of the documents."""
        named = [error for error in self.errors if error.location.strip() == entry.unique_id]
        loose = [error for error in self.errors if not error.location.strip()]
        mentioned = [error for error in self.errors if entry.unique_id and entry.unique_id in error.context]
        return next(iter(named or mentioned or loose), None)


def _refusing(pieces: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from pieces
    except MimeError as error:
        raise NoAnswer(f"the answer cannot be read: {error.reason}") from error


@contextmanager
def retrieval(service: Service, entries: Sequence[DocumentEntry]) -> Iterator[Retrieval]:
    """Ask a repository for the documents of entries; NotReached, NoAnswer, FaultReceived."""
    body = request_body(entries)
    with (
        service.recorder.asking(ITI_43) as asking,
        service.ask(ITI_43, body, message_id=new_message_id()) as answer,
    ):
        found = Retrieval(answer)
        for entry in entries:
            error = found.error_for(entry) if found.errors else None
            told = (entry.unique_id or "", entry.repository_unique_id or "", entry.home_community_id or "")
            asking.account.documents.append(Document(*told, error.code if error else "", entry.patient_id or ""))
        asking.answered(found.response)
        yield found


def missing(found: Retrieval, entry: DocumentEntry) -> DocumentUnavailable | RegistryError:
    """What to say of a document that did not come."""
    error = found.error_for(entry)
    return error or DocumentUnavailable([_unanswered(entry)])


def _unanswered(entry: DocumentEntry) -> RegistryError:
    return RegistryError("", "the repository neither gave the document nor said why", entry.unique_id or "")
