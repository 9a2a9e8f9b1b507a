"""Speaks SOAP to running services the way a foreign system would: bytes over HTTP, nothing of our client."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

import requests
from lxml import etree

from common.ebxml.removal import write_remove_documents, write_remove_objects
from common.ebxml.retrieve import DocumentRequest
from common.ebxml.submission import read_submission
from common.model import Submission
from common.standard.identifiers import QUERY, RIM, SOAP, XDS
from common.standard.queries import BY_NAME
from common.standard.transactions import ITI_18, ITI_41, ITI_42, ITI_43, ITI_57, ITI_62, ITI_86, Transaction
from tests.factories import submit_objects

NS = {
    "s": SOAP,
    "wsa": "http://www.w3.org/2005/08/addressing",
    "rim": RIM,
    "rs": "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0",
    "query": QUERY,
    "xds": XDS,
    "xop": "http://www.w3.org/2004/08/xop/include",
}
STATUS = "urn:oasis:names:tc:ebxml-regrep:StatusType:"


def envelope(
    transaction: Transaction | str,
    body: bytes,
    *,
    message_id: str | None = None,
    header: bytes = b"",
    reply_to: str | None = None,
) -> bytes:
    """A SOAP 1.2 message with the usual addressing headers."""
    action = transaction if isinstance(transaction, str) else transaction.action
    name = message_id or f"urn:uuid:{uuid.uuid4()}"
    return (
        (
            f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{SOAP}" xmlns:wsa="{NS["wsa"]}"><s:Header>'
            f'<wsa:Action s:mustUnderstand="1">{action}</wsa:Action><wsa:MessageID>{name}</wsa:MessageID>'
            f"<wsa:ReplyTo><wsa:Address>{escape(reply_to or NS['wsa'] + '/anonymous')}</wsa:Address></wsa:ReplyTo>"
        ).encode()
        + header
        + b"</s:Header><s:Body>"
        + body
        + b"</s:Body></s:Envelope>"
    )


@dataclass
class Answer:
    """An HTTP answer taken apart."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    root: etree._Element
    parts: dict[str, bytes] = field(default_factory=dict)

    @property
    def body(self) -> etree._Element:
        """The child of the SOAP Body."""
        return self.root.find("s:Body", NS)[0]

    @property
    def registry_status(self) -> str:
        """``Success``, ``PartialSuccess``, ``Failure``, or ``Fault``."""
        if self.body.tag == f"{{{SOAP}}}Fault":
            return "Fault"
        holder = self.body if self.body.get("status") else self.body.find("rs:RegistryResponse", NS)
        return str(holder.get("status")).rsplit(":", 1)[-1]

    @property
    def codes(self) -> list[str]:
        """The error codes, in order."""
        return [error.get("errorCode") for error in self.body.iter(f"{{{NS['rs']}}}RegistryError")]

    @property
    def contexts(self) -> list[str]:
        """The sentences of the errors."""
        return [error.get("codeContext") for error in self.body.iter(f"{{{NS['rs']}}}RegistryError")]

    @property
    def fault(self) -> str:
        """The fault's reason."""
        return self.body.findtext("s:Reason/s:Text", "", NS)

    def objects(self, name: str) -> list[etree._Element]:
        """Objects of a query's answer by element name."""
        return list(self.body.iter(f"{{{RIM}}}{name}"))

    def ids(self, name: str = "ObjectRef") -> list[str]:
        """The ids of those objects."""
        return [each.get("id") for each in self.objects(name)]

    def documents(self) -> dict[str, bytes]:
        """The bytes of retrieved documents by DocumentUniqueId."""
        found = {}
        for each in self.body.iter(f"{{{XDS}}}DocumentResponse"):
            include = each.find("xds:Document/xop:Include", NS)
            name = each.findtext("xds:DocumentUniqueId", "", NS)
            if include is not None:
                found[name] = self.parts[include.get("href")[4:]]
            else:
                found[name] = base64.b64decode(each.findtext("xds:Document", "", NS))
        return found


def answer(response: requests.Response) -> Answer:
    """Take an HTTP answer apart, MTOM or simple."""
    kind = response.headers.get("Content-Type", "")
    content = response.content
    parts: dict[str, bytes] = {}
    if kind.startswith("multipart/related"):
        mark = re.search(r'boundary="([^"]+)"', kind)
        start = re.search(r'start="<([^>]+)>"', kind)
        assert mark, kind
        assert start, kind
        for piece in content.split(b"--" + mark[1].encode())[1:-1]:
            head, _, data = piece.partition(b"\r\n\r\n")
            cid = re.search(rb"(?i)content-id: <([^>]+)>", head)
            assert cid, head
            parts[cid[1].decode()] = data[:-2]
        root = etree.fromstring(parts[start[1]])
    else:
        root = etree.fromstring(content)
    return Answer(response.status_code, response.headers, content, root, parts)


@dataclass
class Services:
    """A running Registry and Repository."""

    registry: str
    repository: str
    repository_id: str = "2.999.826.1.1"
    mllp: int = 0
    session: requests.Session = field(default_factory=requests.Session)

    def apart(self) -> Services:
        """The same addresses over connections of their own, for a thread of its own."""
        return Services(self.registry, self.repository, self.repository_id, self.mllp)

    def post(self, url: str, data: Any, content_type: str, **headers: str) -> requests.Response:
        """One HTTP POST."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.post(url, data=data, headers={"Content-Type": content_type, **named}, timeout=60)

    def simple(self, url: str, message: bytes, **headers: str) -> Answer:
        """A message as simple SOAP."""
        return answer(self.post(url, message, "application/soap+xml; charset=UTF-8", **headers))

    def register(self, submission: Submission | bytes, *, message_id: str | None = None) -> Answer:
        """ITI-42."""
        body = submission if isinstance(submission, bytes) else submit_objects(submission)
        return self.simple(self.registry, envelope(ITI_42, body, message_id=message_id))

    def update(
        self, submission: Submission | bytes, *, action: Transaction = ITI_57, message_id: str | None = None
    ) -> Answer:
        """ITI-57 or ITI-92."""
        body = submission if isinstance(submission, bytes) else submit_objects(submission)
        return self.simple(self.registry, envelope(action, body, message_id=message_id))

    def query(
        self,
        name: str,
        slots: Mapping[str, str | Sequence[str]] | Sequence[tuple[str, str]],
        *,
        leaf: bool = False,
        action: Transaction = ITI_18,
    ) -> Answer:
        """ITI-18 by the query's name; values are written as on the wire, quotes and all."""
        pairs = slots.items() if isinstance(slots, Mapping) else slots
        return self.simple(self.registry, envelope(action, query_body(name, list(pairs), leaf=leaf)))

    def provide(
        self, submission: Submission, contents: Mapping[str, bytes], *, message_id: str | None = None
    ) -> Answer:
        """ITI-41 with MTOM; contents by the entries' ids."""
        kind, data = mtom_provide(submission, contents, message_id=message_id)
        return answer(self.post(self.repository, data, kind))

    def retrieve(self, *unique_ids: str, repository_id: str | None = None) -> Answer:
        """ITI-43 with MTOM."""
        body = retrieve_body(unique_ids, repository_id or self.repository_id)
        kind, data = mtom(envelope(ITI_43, body), {})
        return answer(self.post(self.repository, data, kind))

    def remove(self, *ids: str, message_id: str | None = None, comment: str = "") -> Answer:
        """ITI-62."""
        body = write_remove_objects(ids, comment)
        return self.simple(self.registry, envelope(ITI_62, body, message_id=message_id))

    def remove_documents(
        self, *unique_ids: str, repository_id: str | None = None, message_id: str | None = None
    ) -> Answer:
        """ITI-86."""
        asked = [DocumentRequest(repository_id or self.repository_id, each) for each in unique_ids]
        return self.simple(self.repository, envelope(ITI_86, write_remove_documents(asked), message_id=message_id))

    def find(self, patient_id: str, *, leaf: bool = False, **slots: str) -> Answer:
        """FindDocuments of Approved documents of one patient."""
        named = {f"$XDSDocumentEntry{name}": value for name, value in slots.items()}
        given = {
            "$XDSDocumentEntryPatientId": f"'{patient_id}'",
            "$XDSDocumentEntryStatus": f"('{STATUS}Approved')",
            **named,
        }
        return self.query("FindDocuments", given, leaf=leaf)

    def everything(self, patient_id: str) -> list[str]:
        """The ids of all that the registry has of a patient, whatever its status."""
        both = f"('{STATUS}Approved','{STATUS}Deprecated')"
        slots = {"$patientId": f"'{patient_id}'", "$MetadataLevel": "2", "$XDSAssociationStatus": both}
        slots |= {f"$XDS{kind}Status": both for kind in ("DocumentEntry", "SubmissionSet", "Folder")}
        return self.query("GetAll", slots).ids()

    def objects(self, name: str, slots: Mapping[str, str]) -> Submission:
        """The objects that a stored query finds, read back."""
        answer = self.query(name, slots, leaf=True)
        assert answer.registry_status == "Success", answer.contexts
        return read_submission(answer.body)


def query_body(name: str, slots: Sequence[tuple[str, str | Sequence[str]]], *, leaf: bool) -> bytes:
    """An AdhocQueryRequest, its values as given."""

    def slot(slot_name: str, values: str | Sequence[str]) -> str:
        listed = [values] if isinstance(values, str) else values
        inner = "".join(f"<rim:Value>{escape(value)}</rim:Value>" for value in listed)
        return f'<rim:Slot name="{slot_name}"><rim:ValueList>{inner}</rim:ValueList></rim:Slot>'

    query_id = BY_NAME[name].id if name in BY_NAME else name
    return (
        f'<query:AdhocQueryRequest xmlns:query="{QUERY}" xmlns:rim="{RIM}">'
        f'<query:ResponseOption returnComposedObjects="true" returnType="{"LeafClass" if leaf else "ObjectRef"}"/>'
        f'<rim:AdhocQuery id="{query_id}">{"".join(slot(*each) for each in slots)}</rim:AdhocQuery>'
        "</query:AdhocQueryRequest>"
    ).encode()


def retrieve_body(unique_ids: Sequence[str], repository_id: str) -> bytes:
    """A RetrieveDocumentSetRequest."""
    inner = "".join(
        f"<xds:DocumentRequest><xds:RepositoryUniqueId>{repository_id}</xds:RepositoryUniqueId>"
        f"<xds:DocumentUniqueId>{escape(name)}</xds:DocumentUniqueId></xds:DocumentRequest>"
        for name in unique_ids
    )
    return f'<xds:RetrieveDocumentSetRequest xmlns:xds="{XDS}">{inner}</xds:RetrieveDocumentSetRequest>'.encode()


def provide_body(submission: Submission, documents: bytes) -> bytes:
    """A ProvideAndRegisterDocumentSetRequest around Document elements."""
    return (
        f'<xds:ProvideAndRegisterDocumentSetRequest xmlns:xds="{XDS}">'.encode()
        + submit_objects(submission)
        + documents
        + b"</xds:ProvideAndRegisterDocumentSetRequest>"
    )


def document_elements(cids: Mapping[str, str]) -> bytes:
    """Document elements with xop:Include, Content-ID by entry id."""
    return "".join(
        f'<xds:Document id="{name}"><xop:Include xmlns:xop="{NS["xop"]}" href="cid:{cid}"/></xds:Document>'
        for name, cid in cids.items()
    ).encode()


def mtom_provide(
    submission: Submission,
    contents: Mapping[str, bytes],
    *,
    message_id: str | None = None,
    reply_to: str | None = None,
) -> tuple[str, bytes]:
    """Content-Type and bytes of an ITI-41."""
    cids = {name: f"{name}@source.example" for name in contents}
    body = provide_body(submission, document_elements(cids))
    message = envelope(ITI_41, body, message_id=message_id, reply_to=reply_to)
    return mtom(message, {cids[name]: data for name, data in contents.items()})


def mtom(message: bytes, parts: Mapping[str, bytes], boundary: str = "a-boundary-of-the-tests") -> tuple[str, bytes]:
    """A multipart/related message, root part first."""
    mark = boundary.encode()
    out = [b"--" + mark + b'\r\nContent-Type: application/xop+xml; charset=UTF-8; type="application/soap+xml"\r\n'
           b"Content-Transfer-Encoding: binary\r\nContent-ID: <root@source.example>\r\n\r\n", message]  # fmt: skip
    for cid, data in parts.items():
        out += [b"\r\n--" + mark + b"\r\nContent-Type: application/octet-stream\r\n"
                b"Content-Transfer-Encoding: binary\r\nContent-ID: <" + cid.encode() + b">\r\n\r\n", data]  # fmt: skip
    out.append(b"\r\n--" + mark + b"--\r\n")
    kind = (
        f'multipart/related; type="application/xop+xml"; start="<root@source.example>"; '
        f'start-info="application/soap+xml"; boundary="{boundary}"'
    )
    return kind, b"".join(out)
