"""Whole HTTP requests of a made-up hospital, ready to be sent."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from common.ebxml.query import AdhocQuery, ReturnType, write_query
from common.ebxml.retrieve import DocumentRequest, write_retrieve
from common.model import Submission
from common.soap.envelope import write_envelope
from common.soap.mtom_writer import MtomWriter
from common.standard.queries import BY_NAME, STATUSES
from common.standard.transactions import ITI_18, ITI_41, ITI_42, ITI_43, Transaction
from tests.factories import a_document, a_patient_id, a_submission, an_oid, submit_objects
from tests.wire import document_elements, provide_body

_APPROVED = next(status for status in STATUSES if status.endswith("Approved"))


@dataclass(frozen=True, slots=True)
class Request:
    """The bytes of one HTTP request in pieces, and what a right answer holds."""

    pieces: tuple[bytes, ...]
    expect: bytes


def _http(url: str, content_type: str, pieces: Sequence[bytes], expect: bytes) -> Request:
    parts = urlsplit(url)
    length = sum(map(len, pieces))
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()
    small = length < 1_000_000
    return Request((head + b"".join(pieces),) if small else (head, *pieces), expect)


def _simple(url: str, transaction: Transaction, body: bytes, expect: bytes) -> Request:
    message = write_envelope(transaction.action, body, message_id=f"urn:uuid:{uuid.uuid4()}", to=url)
    kind = f'application/soap+xml; charset=UTF-8; action="{transaction.action}"'
    return _http(url, kind, (message,), expect)


def register(url: str, patient_id: str, count: int = 1) -> Request:
    """ITI-42 of a SubmissionSet with so many DocumentEntries."""
    documents = [a_document(patient_id=patient_id) for _ in range(count)]
    body = submit_objects(a_submission(*documents))
    return _simple(url, ITI_42, body, b"ResponseStatusType:Success")


def query(url: str, name: str, slots: Sequence[tuple[str, str]], expect: bytes, *, leaf: bool = True) -> Request:
    """ITI-18."""
    kind = ReturnType.LEAF_CLASS if leaf else ReturnType.OBJECT_REF
    asked = AdhocQuery(BY_NAME[name].id, kind, tuple((slot, (value,)) for slot, value in slots))
    return _simple(url, ITI_18, write_query(asked), expect)


def find(url: str, patient_id: str, *, leaf: bool = True) -> Request:
    """FindDocuments of all Approved documents of a patient."""
    slots = (
        ("$XDSDocumentEntryPatientId", f"'{patient_id}'"),
        ("$XDSDocumentEntryStatus", f"('{_APPROVED}')"),
    )
    return query(url, "FindDocuments", slots, b"ResponseStatusType:Success", leaf=leaf)


def get(url: str, unique_id: str) -> Request:
    """GetDocuments by uniqueId."""
    return query(url, "GetDocuments", (("$XDSDocumentEntryUniqueId", f"('{unique_id}')"),), unique_id.encode())


@dataclass(frozen=True, slots=True)
class Document:
    """A document that was, or is to be, submitted: its first bytes are its own, the rest is shared."""

    unique_id: str
    first: bytes
    rest: bytes

    @property
    def sha1(self) -> str:
        """In hex."""
        digest = hashlib.sha1(self.first)
        digest.update(self.rest)
        return digest.hexdigest()

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.first) + len(self.rest)


_TAILS: dict[int, bytes] = {}


def document(size: int) -> Document:
    """Fresh content of so many bytes."""
    tail = _TAILS.setdefault(size, os.urandom(size - 64))
    return Document(an_oid(), uuid.uuid4().hex.encode() * 2, tail)


def provided(url: str, contents: Sequence[Document]) -> tuple[list[Request], list[str]]:
    """ITI-41 of each, and the patients that they are of."""
    patients = [a_patient_id() for _ in contents]
    return [provide(url, each, patient) for each, patient in zip(contents, patients, strict=True)], patients


def provide(url: str, content: Document, patient_id: str = "") -> Request:
    """ITI-41 of one document, MTOM; of a patient of its own where none is told."""
    entry = a_document(
        patient_id=patient_id or a_patient_id(), unique_id=content.unique_id, hash=content.sha1, size=str(content.size)
    )
    submission: Submission = a_submission(entry)
    name = f"{entry.entry_uuid}@source.example"
    body = provide_body(submission, document_elements({entry.entry_uuid: name}))
    writer = MtomWriter(ITI_41.action)
    message = write_envelope(ITI_41.action, body, message_id=f"urn:uuid:{uuid.uuid4()}", to=url)
    start = writer.head(message) + writer.part_head(name, "application/pdf") + content.first
    return _http(url, writer.content_type, (start, content.rest, writer.tail), b"ResponseStatusType:Success")


def retrieve(url: str, unique_id: str, repository_id: str) -> Request:
    """ITI-43 of one document, MTOM."""
    writer = MtomWriter(ITI_43.action)
    body = write_retrieve([DocumentRequest(repository_id, unique_id)])
    message = write_envelope(ITI_43.action, body, message_id=f"urn:uuid:{uuid.uuid4()}", to=url)
    return _http(url, writer.content_type, (writer.head(message) + writer.tail,), b"ResponseStatusType:Success")
