"""What the tests of asynchronous exchange share: requests whose answers go elsewhere."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import requests

from common.model import DocumentEntry
from common.standard.transactions import ITI_18, ITI_42, ITI_43, ITI_51, Transaction
from tests.factories import a_document, a_patient_id, a_submission, a_uuid, submit_objects
from tests.wire import NS, STATUS, Answer, Services, answer, envelope, mtom, mtom_provide, query_body, retrieve_body

SIMPLE: Final = "application/soap+xml; charset=UTF-8"


def an_id() -> str:
    """A wsa:MessageID."""
    return f"urn:uuid:{uuid.uuid4()}"


def a_letter(size: int = 100) -> tuple[DocumentEntry, bytes]:
    """A new patient's document and its bytes."""
    entry = a_document(hash=None, size=None, entry_uuid=a_uuid(), patient_id=a_patient_id())
    return entry, (entry.unique_id or "").encode() * size


def find_body(patient_id: str) -> bytes:
    """FindDocuments of one patient."""
    slots = [("$XDSDocumentEntryPatientId", f"'{patient_id}'"), ("$XDSDocumentEntryStatus", f"('{STATUS}Approved')")]
    return query_body("FindDocuments", slots, leaf=True)


def a_request(kind: Transaction, entry: DocumentEntry, content: bytes, services: Services) -> tuple[str, bytes]:
    """Address and body of a request of this transaction."""
    if kind is ITI_18:
        return services.registry, find_body(entry.patient_id or "")
    if kind is ITI_51:
        slots = [("$XDSDocumentEntryPatientId", f"('{entry.patient_id}')")]
        slots += [("$XDSDocumentEntryStatus", f"('{STATUS}Approved')")]
        slots += [("$XDSDocumentEntryClassCode", f"('{entry.class_code.code}^^{entry.class_code.scheme}')")]  # type: ignore[union-attr]
        return services.registry, query_body("FindDocumentsForMultiplePatients", slots, leaf=True)
    if kind is ITI_42:
        return services.registry, submit_objects(a_submission(replace(entry, hash="0" * 40, size="1")))
    assert kind is ITI_43
    return services.repository, retrieve_body([entry.unique_id or ""], services.repository_id)


def end(name: str, address: str, parameters: str = "") -> bytes:
    """An endpoint reference as a header."""
    held = f"<wsa:ReferenceParameters>{parameters}</wsa:ReferenceParameters>" if parameters else ""
    return f"<wsa:{name}><wsa:Address>{address}</wsa:Address>{held}</wsa:{name}>".encode()


def with_ends(message: bytes, *ends: bytes) -> bytes:
    """A message with other endpoints than the anonymous ReplyTo."""
    usual = end("ReplyTo", NS["wsa"] + "/anonymous")
    assert usual in message
    return message.replace(usual, b"".join(ends))


def send(
    services: Services, url: str, message: bytes, *, kind: str = SIMPLE, headers: Mapping[str, str] | None = None
) -> requests.Response:
    """Over a connection of its own."""
    return requests.post(url, data=message, headers={"Content-Type": kind, **(headers or {})}, timeout=60)


def is_accepted(response: requests.Response) -> bool:
    """202 with nothing in it."""
    assert response.status_code == 202, response.text
    return response.content == b"" and "Content-Type" not in response.headers


def provide(services: Services, reply_to: str, *, message_id: str, size: int = 100) -> tuple[DocumentEntry, bytes]:
    """ITI-41 that asks for its answer at an address."""
    entry, content = a_letter(size)
    kind, data = mtom_provide(
        a_submission(entry), {entry.entry_uuid: content}, message_id=message_id, reply_to=reply_to
    )
    assert is_accepted(send(services, services.repository, data, kind=kind))
    return entry, content


def ask(
    services: Services,
    kind: Transaction,
    entry: DocumentEntry,
    reply_to: str,
    *,
    message_id: str,
    as_mtom: bool = False,
) -> requests.Response:
    """A request about an entry that asks for its answer at an address."""
    url, body = a_request(kind, entry, b"", services)
    message = envelope(kind, body, message_id=message_id, reply_to=reply_to)
    if not as_mtom:
        return send(services, url, message)
    content_type, data = mtom(message, {})
    return send(services, url, data, kind=content_type)


def fault_of(response: requests.Response) -> Answer:
    """A fault that came in the HTTP response."""
    found = answer(response)
    assert found.registry_status == "Fault"
    return found
