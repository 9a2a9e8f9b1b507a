"""One document as a stream that is verified when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from common.client.errors import ContentMismatch, DocumentUnavailable
from common.client.retrieving import Arriving, Retrieval, missing, retrieval
from common.client.service import Service
from common.client.verifying import Tally, expected_size
from common.model import DocumentEntry


class DocumentStream:
    """The bytes of a document, once, in pieces; never whole in memory.

    ``size_expected`` is in bytes, ``None`` where the entry says nothing of it.
    """

    def __init__(self, entry: DocumentEntry, arriving: Arriving, rest: Iterator[Arriving]) -> None:
        """``rest`` is what else the answer holds, read so that an answer that is cut short is noticed."""
        self.entry = entry
        self.mime_type = arriving.mime_type
        self.size_expected = expected_size(entry)
        self._chunks = self._verified(arriving, rest)

    def __iter__(self) -> Iterator[bytes]:
        """The pieces; ContentMismatch at the end when they are not those of the entry, NoAnswer where it breaks off."""
        return self._chunks

    def _verified(self, arriving: Arriving, rest: Iterator[Arriving]) -> Iterator[bytes]:
        tally = Tally()
        for chunk in arriving.chunks:
            tally.add(chunk)
            yield bytes(chunk)
        for _ in rest:
            pass
        if problem := tally.problem(self.entry):
            raise ContentMismatch(problem)


@contextmanager
def document_stream(service: Service, entry: DocumentEntry) -> Iterator[DocumentStream]:
    """The document of an entry; DocumentUnavailable with what the repository says, NotReached, NoAnswer."""
    with retrieval(service, [entry]) as found:
        documents = found.documents()
        first = _first(found, documents, entry)
        yield DocumentStream(entry, first, documents)


def _first(found: Retrieval, documents: Iterator[Arriving], entry: DocumentEntry) -> Arriving:
    for each in documents:
        if each.unique_id == entry.unique_id:
            return each
    told = missing(found, entry)
    raise told if isinstance(told, DocumentUnavailable) else DocumentUnavailable([told])
