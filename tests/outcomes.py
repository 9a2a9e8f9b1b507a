"""What each transaction answers to each kind of caller: real messages to running services, told in a word or two."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import requests
from lxml import etree

from common.ebxml.removal import write_remove_documents, write_remove_objects
from common.ebxml.retrieve import DocumentRequest
from common.model import DocumentEntry, ObjectType
from common.standard.transactions import (
    ITI_18,
    ITI_41,
    ITI_42,
    ITI_43,
    ITI_44_ADD,
    ITI_45,
    ITI_47,
    ITI_51,
    ITI_57,
    ITI_61,
    ITI_62,
    ITI_86,
    ITI_92,
    Transaction,
)
from tests.factories import a_document, a_new_version, a_submission, a_uuid, an_update, submit_objects, text
from tests.service.identity_kit import NGH, by_id, pdq_query, pix_query
from tests.service.test_iti44_feed import message as feed_message
from tests.wire import (
    NS,
    STATUS,
    Answer,
    answer,
    document_elements,
    envelope,
    mtom,
    provide_body,
    query_body,
    retrieve_body,
)

V3: Final = {"v3": "urn:hl7-org:v3"}
APPROVED: Final = f"('{STATUS}Approved')"
SIMPLE: Final = "application/soap+xml; charset=UTF-8"


@dataclass(frozen=True)
class Ground:
    """What is there before: a patient's letters to be read, updated twice, and taken out of the Repository, and a whole
    submission that is to go."""

    patient_id: str
    letters: tuple[DocumentEntry, ...]
    whole: tuple[str, ...]
    repository_id: str = "2.999.826.1.1"


@dataclass(frozen=True)
class Ask:
    """One message of a transaction: the service it goes to, its body, and the documents that come with it."""

    transaction: Transaction
    service: str
    body: Callable[[Ground], bytes]
    parts: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def is_mtom(self) -> bool:
        """Whether it is written so."""
        return self.transaction in (ITI_41, ITI_43)


def _find(ground: Ground) -> bytes:
    slots = [("$XDSDocumentEntryPatientId", f"'{ground.patient_id}'"), ("$XDSDocumentEntryStatus", APPROVED)]
    return query_body("FindDocuments", slots, leaf=False)


def _find_of_many(ground: Ground) -> bytes:
    slots = [("$XDSDocumentEntryPatientId", f"('{ground.patient_id}')"), ("$XDSDocumentEntryStatus", APPROVED)]
    return query_body("FindDocumentsForMultiplePatients", slots, leaf=False)


def _registered(ground: Ground, **differs: Any) -> bytes:
    return submit_objects(a_submission(a_document(entry_uuid=a_uuid(), patient_id=ground.patient_id, **differs)))


def _on_demand(ground: Ground) -> bytes:
    return _registered(ground, object_type=ObjectType.ON_DEMAND, creation_time=None, hash=None, size=None)


def _provided(ground: Ground) -> bytes:
    entry = a_document(entry_uuid="letter", patient_id=ground.patient_id, hash=None, size=None)
    return provide_body(a_submission(entry), document_elements({"letter": "letter@source.example"}))


def _updated(number: int) -> Callable[[Ground], bytes]:
    """Of one of the letters."""
    return lambda ground: submit_objects(an_update(a_new_version(ground.letters[number], title=text("Corrected"))))


def _removed(ground: Ground) -> bytes:
    return write_remove_documents([DocumentRequest(ground.repository_id, ground.letters[3].unique_id or "")])


ASKS: Final = (
    Ask(ITI_18, "registry", _find),
    Ask(ITI_51, "registry", _find_of_many),
    Ask(ITI_43, "repository", lambda ground: retrieve_body([ground.letters[0].unique_id or ""], ground.repository_id)),
    Ask(ITI_41, "repository", _provided, {"letter@source.example": b"A letter."}),
    Ask(ITI_42, "registry", _registered),
    Ask(ITI_61, "registry", _on_demand),
    Ask(ITI_57, "registry", _updated(1)),
    Ask(ITI_92, "registry", _updated(2)),
    Ask(ITI_62, "registry", lambda ground: write_remove_objects(ground.whole)),
    Ask(ITI_86, "repository", _removed),
    Ask(ITI_44_ADD, "registry", lambda ground: feed_message(ITI_44_ADD, ground.patient_id)),
    Ask(ITI_45, "identity", lambda ground: pix_query(ground.patient_id, NGH)),
    Ask(ITI_47, "identity", lambda ground: pdq_query(by_id(ground.patient_id))),
)


def sent(
    session: requests.Session, urls: Mapping[str, str], ask: Ask, ground: Ground, header: bytes = b""
) -> Answer | None:
    """The answer to one message; None where TLS lets nobody through."""
    message = envelope(ask.transaction, ask.body(ground), header=header)
    kind, data = mtom(message, ask.parts) if ask.is_mtom else (SIMPLE, message)
    try:
        return answer(session.post(urls[ask.service], data=data, headers={"Content-Type": kind}, timeout=60))
    except requests.exceptions.ConnectionError:
        return None


def told(came: Answer | None) -> str:
    """An outcome in a word or two: of TLS, of SOAP, of the registry, or of HL7 v3."""
    if came is None:
        return "TLS alert"
    if came.body.tag == f"{{{NS['s']}}}Fault":
        value = came.body.findtext("s:Code/s:Subcode/s:Value", "", NS) or came.body.findtext("s:Code/s:Value", "", NS)
        return f"{came.status} {value.strip()}"
    if came.body.tag.startswith("{urn:hl7-org:v3}"):
        return _told_v3(came.body)
    codes = sorted(set(came.codes))
    if came.registry_status == "Success" and came.body.tag.endswith("AdhocQueryResponse"):
        found = len(came.ids())
        return f"Success, {found or 'nothing'}"
    return came.registry_status + (f" {', '.join(codes)}" if codes else "")


def _told_v3(body: etree._Element) -> str:
    code = body.find("v3:acknowledgement/v3:typeCode", V3).get("code")
    asked = body.find("v3:controlActProcess/v3:queryAck/v3:queryResponseCode", V3)
    return f"{code} {asked.get('code')}" if asked is not None else str(code)


def wrapped_header(root: etree._Element) -> bytes:
    """The header blocks of a message made for a wrapping attack; what was hidden in its body is hidden in one more."""
    blocks = b"".join(etree.tostring(each) for each in root.find("s:Header", NS))
    hidden = [each for each in root.find("s:Body", NS) if not each.tag.endswith("q")]
    return blocks + b"".join(b'<o:Kept xmlns:o="urn:other">%b</o:Kept>' % etree.tostring(each) for each in hidden)


def table(columns: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """A page's table, of one column where each row's cells are alike."""
    if all(len(set(cells)) == 1 for _, cells in rows):
        columns, rows = ["each of them"], [(name, cells[:1]) for name, cells in rows]
    lines = [f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows)]) + "\n"
