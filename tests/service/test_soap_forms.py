"""The forms in which messages come: what sloppy clients send is taken, what is broken is refused with a fault."""

from __future__ import annotations

import base64
import gzip
import quopri
import re
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import requests
from lxml import etree

from common.model import DocumentEntry
from common.standard.identifiers import SOAP
from common.standard.transactions import ITI_18, ITI_41, ITI_42, ITI_43
from tests.factories import a_document, a_patient_id, a_submission, a_uuid, submit_objects
from tests.running import a_pair, back_end
from tests.service.conftest import BACK_ENDS
from tests.wire import (
    NS,
    STATUS,
    Answer,
    Services,
    answer,
    document_elements,
    envelope,
    mtom,
    provide_body,
    query_body,
    retrieve_body,
)

CONTENT: Final = b"%PDF-1.7 a letter = caf\xc3\xa9 =3D\r\n"
B: Final = "a-boundary-of-the-tests"
SOAP_11: Final = "http://schemas.xmlsoap.org/soap/envelope/"


@dataclass
class Provision:
    """An ITI-41 in pieces, so that a test can change one of them."""

    entry: DocumentEntry = field(default_factory=lambda: a_document(hash=None, size=None, patient_id=a_patient_id()))
    content: bytes = CONTENT
    cid: str = "doc1@source.example"
    href: str = ""
    boundary: str = B
    kind: str = ""
    root_head: str = 'Content-Type: application/xop+xml; charset=UTF-8; type="application/soap+xml"'
    root_id: str = "Content-ID: <root@source.example>"
    part_head: str = "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary"
    part_id: str = ""
    root_last: bool = False
    before: bytes = b""
    after: bytes = b""
    encode: Callable[[bytes], bytes] = lambda message: message
    ends: str = "\r\n"

    @property
    def content_type(self) -> str:
        """Of the HTTP message."""
        default = 'multipart/related; type="application/xop+xml"; start="<root@source.example>"; '
        return self.kind or f'{default}start-info="application/soap+xml"; boundary="{self.boundary}"'

    @property
    def message(self) -> bytes:
        """The envelope."""
        documents = document_elements({self.entry.entry_uuid: self.cid})
        if self.href:
            documents = documents.replace(f"cid:{self.cid}".encode(), self.href.encode())
        return self.encode(envelope(ITI_41, provide_body(a_submission(self.entry), documents)))

    @cached_property
    def data(self) -> bytes:
        """The body of the HTTP message; the same bytes however often it is asked for."""
        end = self.ends
        root = f"{self.root_head}{end}{self.root_id}{end if self.root_id else ''}{end}".encode() + self.message
        part_id = self.part_id or f"Content-ID: <{self.cid}>"
        part = f"{self.part_head}{end if self.part_head else ''}{part_id}{end}{end}".encode() + self.content
        parts = [part, root] if self.root_last else [root, part]
        mark = f"--{self.boundary}".encode()
        joined = b"".join(mark + end.encode() + each + b"\r\n" for each in parts)
        return self.before + joined + mark + b"--\r\n" + self.after


def provide(services: Services, provision: Provision, **headers: str) -> Answer:
    return answer(services.post(services.repository, provision.data, provision.content_type, **headers))


def is_kept(services: Services, provision: Provision, content: bytes = CONTENT) -> bool:
    unique_id = provision.entry.unique_id or ""
    return services.retrieve(unique_id).documents() == {unique_id: content}


def is_nowhere(services: Services, provision: Provision) -> bool:
    retrieved = services.retrieve(provision.entry.unique_id or "")
    return retrieved.codes == ["XDSDocumentUniqueIdError"] and not services.everything(provision.entry.patient_id or "")


def utf_16(message: bytes) -> bytes:
    return message.decode().replace('encoding="UTF-8"', 'encoding="UTF-16"').encode("utf-16")


def undeclared(charset: str) -> Callable[[bytes], bytes]:
    return lambda message: message.decode().partition("?>")[2].encode(charset)


ROOT: Final = "application/xop+xml"
SLOPPY: Final[dict[str, dict[str, Any]]] = {
    "as it should be": {},
    "start absent": {"kind": f'multipart/related; type="{ROOT}"; boundary="{B}"'},
    "start without brackets": {"kind": f'multipart/related; type="{ROOT}"; start="root@source.example"; boundary={B}'},
    "start unquoted": {"kind": f'multipart/related; type="{ROOT}"; start=<root@source.example>; boundary="{B}"'},
    "root last": {"root_last": True},
    "root last and Content-ID without brackets": {"root_last": True, "root_id": "Content-ID: root@source.example"},
    "root without Content-ID": {"root_id": "", "kind": f'multipart/related; type="{ROOT}"; boundary="{B}"'},
    "boundary unquoted": {"kind": f"multipart/related; type=application/xop+xml; boundary={B}"},
    "boundary with odd characters": {"boundary": "=_a:b(c)?+'_,./-="},
    "parameters in capitals": {"kind": f'Multipart/Related; TYPE="{ROOT}"; Boundary="{B}"'},
    "type parameter absent": {"kind": f'multipart/related; boundary="{B}"; start="<root@source.example>"'},
    "part's Content-ID without brackets": {"part_id": "Content-ID: doc1@source.example"},
    "header names in small letters": {"part_id": "content-id:<doc1@source.example>"},
    "percent-encoded cid": {"href": "cid:doc1%40source.example"},
    "percent-encoded cid and Content-ID": {
        "href": "cid:doc1%40source.example", "part_id": "Content-ID: <doc1%40source.example>",
    },
    "cid in capitals": {"href": "CID:doc1@source.example"},
    "odd cid": {"cid": "uuid:1-2", "href": "cid:uuid%3A1-2"},
    "no transfer encoding": {"part_head": "Content-Type: application/pdf"},
    "no headers but the id": {"part_head": ""},
    "8bit": {"part_head": "Content-Type: application/pdf\r\nContent-Transfer-Encoding: 8bit"},
    "base64": {
        "part_head": "Content-Type: application/pdf\r\nContent-Transfer-Encoding: BASE64",
        "content": base64.encodebytes(CONTENT * 20), "is": CONTENT * 20,
    },
    "quoted-printable": {
        "part_head": "Content-Transfer-Encoding: quoted-printable",
        "content": quopri.encodestring(CONTENT.rstrip(), quotetabs=True), "is": CONTENT.rstrip(),
    },
    "folded headers": {"part_head": "Content-Type: application/octet-stream;\r\n name=letter.pdf"},
    "line feeds only in part headers": {"ends": "\n", "part_head": "Content-Type: application/pdf"},
    "preamble and epilogue": {"before": b"This is MIME.\r\n", "after": b"\r\nThat was MIME.\r\n"},
    "root in UTF-16": {"encode": utf_16, "root_head": f"Content-Type: {ROOT}; charset=UTF-16"},
    "root in UTF-16, charset not declared": {"encode": utf_16, "root_head": f"Content-Type: {ROOT}"},
    "root with a byte order mark": {"encode": lambda message: b"\xef\xbb\xbf" + message},
    "root without XML declaration": {"encode": undeclared("utf-8")},
    "root of type text/xml": {"root_head": "Content-Type: text/xml; charset=utf-8"},
    "root without type": {"root_head": "X-Nothing: x"},
}  # fmt: skip


@pytest.mark.parametrize("form", SLOPPY)
def test_what_sloppy_clients_send_is_taken(services: Services, form: str) -> None:
    changes = dict(SLOPPY[form])
    content = changes.pop("is", CONTENT)
    provision = Provision(**changes)

    found = provide(services, provision)

    assert found.registry_status == "Success", (found.registry_status, found.contexts, found.fault)
    assert is_kept(services, provision, content)


@pytest.mark.parametrize(
    "headers",
    [{}, {"SOAPAction": f'"{ITI_41.action}"'}, {"SOAPAction": '""'}, {"SOAPAction": "urn:something:else"}],
    ids=str,
)
@pytest.mark.parametrize("told", ["", f'; action="{ITI_41.action}"', '; action="urn:something:else"'])
def test_routing_is_by_the_addressing_header_wherever_else_an_action_stands(
    services: Services, headers: dict[str, str], told: str
) -> None:
    provision = Provision()
    provision.kind = provision.content_type + told

    assert provide(services, provision, **headers).registry_status == "Success"


def cut(data: bytes) -> bytes:
    return data[: data.rindex(b"--" + B.encode())]


REFUSED: Final[dict[str, Callable[[Provision], tuple[str, bytes]]]] = {
    "no final boundary": lambda p: (p.content_type, cut(p.data)),
    "cut in the final boundary": lambda p: (p.content_type, p.data.rstrip()[:-1]),
    "cut in the document": lambda p: (p.content_type, p.data[: p.data.index(CONTENT) + 5]),
    "cut in the root": lambda p: (p.content_type, p.data[:900]),
    "nothing at all": lambda p: (p.content_type, b""),
    "no boundary parameter": lambda p: (f'multipart/related; type="{ROOT}"', p.data),
    "another boundary": lambda p: (p.content_type.replace(B, "another"), p.data),
    "a cid without part": lambda p: (p.content_type, p.data.replace(b"cid:doc1@", b"cid:doc2@")),
    "a start without part": lambda p: (p.content_type.replace("root@", "toor@"), p.data),
    "a Content-ID twice": lambda p: (
        p.content_type,
        cut(p.data) + p.data[p.data.rindex(b"--" + B.encode() + b"\r\n") :],
    ),
    "a reference to http": lambda p: (
        p.content_type,
        p.data.replace(b"cid:doc1@source.example", b"http://127.0.0.1:9/x"),
    ),
    "a reference to a file": lambda p: (
        p.content_type,
        p.data.replace(b"cid:doc1@source.example", b"file:///etc/passwd"),
    ),
    "a relative reference": lambda p: (
        p.content_type,
        p.data.replace(b"cid:doc1@source.example", b"doc1@source.example"),
    ),
    "an empty reference": lambda p: (p.content_type, p.data.replace(b"cid:doc1@source.example", b"")),
    "a malformed percent sign": lambda p: (p.content_type, p.data.replace(b"cid:doc1@", b"cid:doc1%4g")),
    "unknown transfer encoding": lambda p: (p.content_type, p.data.replace(b"Encoding: binary", b"Encoding: x-odd", 2)),
    "broken base64": lambda p: (p.content_type, p.data.replace(b"Encoding: binary", b"Encoding: base64")),
    "an envelope that is no XML": lambda p: (p.content_type, p.data.replace(b"</s:Body>", b"</Body>")),
    "plain multipart": lambda p: (p.content_type.replace("related", "form-data"), p.data),
    "plain text": lambda p: ("text/plain", p.data),
    "no content type": lambda p: ("", p.data),
}


@pytest.mark.parametrize("form", REFUSED)
def test_what_is_broken_is_refused_with_a_fault_and_leaves_nothing(services: Services, form: str) -> None:
    provision = Provision()
    kind, data = REFUSED[form](provision)

    found = answer(services.post(services.repository, data, kind))

    assert (found.status, found.registry_status) == (400, "Fault")
    assert found.fault
    assert is_nowhere(services, provision)


def test_m4_a_part_that_is_claimed_twice_is_refused(services: Services) -> None:
    one, other = (a_document(hash=None, size=None) for _ in range(2))
    patient = a_patient_id()
    documents = document_elements({one.entry_uuid: "1@x", other.entry_uuid: "1@x"})
    body = provide_body(a_submission(one, other, patient_id=patient), documents)

    kind, data = mtom(envelope(ITI_41, body), {"1@x": b"x"})
    found = answer(services.post(services.repository, data, kind))

    assert (found.status, found.registry_status) == (400, "Fault")
    assert services.everything(patient) == []


def test_parts_that_nothing_refers_to_are_ignored(services: Services) -> None:
    provision = Provision()
    stray = b"--" + B.encode() + b"\r\nContent-ID: <stray@x>\r\n\r\nstray\r\n"
    data = (
        cut(provision.data) + stray + stray.replace(b"Content-ID: <stray@x>", b"X-No: id") + b"--" + B.encode() + b"--"
    )

    assert answer(services.post(services.repository, data, provision.content_type)).registry_status == "Success"
    assert is_kept(services, provision)


# Over HTTP


def test_a_chunked_body_is_taken_in_any_slices(services: Services) -> None:
    provision = Provision(content=CONTENT * 3000)
    data = provision.data
    for size in (700, 65536):
        slices = (data[at : at + size] for at in range(0, len(data), size))
        assert answer(services.post(services.repository, slices, provision.content_type)).registry_status == "Success"
    assert is_kept(services, provision, CONTENT * 3000)


def test_compressed_requests_are_taken_at_both_services(services: Services) -> None:
    provision = Provision()

    found = answer(
        services.post(
            services.repository, gzip.compress(provision.data), provision.content_type, Content_Encoding="gzip"
        )
    )
    asked = services.simple(services.registry, gzip.compress(a_query(provision.entry)), Content_Encoding="gzip")

    assert found.registry_status == "Success"
    assert len(asked.ids()) == 1


def a_query(entry: DocumentEntry, *, leaf: bool = False) -> bytes:
    slots = [
        ("$XDSDocumentEntryPatientId", f"'{entry.patient_id}'"),
        ("$XDSDocumentEntryStatus", f"('{STATUS}Approved')"),
    ]
    return envelope(ITI_18, query_body("FindDocuments", slots, leaf=leaf))


def test_x8_what_unpacks_hugely_is_refused_soon(services: Services) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    provision = Provision()
    for url, kind in ((services.registry, "application/soap+xml"), (services.repository, provision.content_type)):
        started = time.monotonic()
        found = answer(services.post(url, bomb, kind, Content_Encoding="gzip"))
        assert (found.status, found.registry_status) == (400, "Fault")
        assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("gzip", b"no gzip"),
        ("gzip", gzip.compress(b"x" * 1000)[:-9]),
        ("gzip", gzip.compress(b"<x/>") + b"more"),
        ("br", b"x"),
        ("gzip, gzip", b"x"),
        ("deflate", b"x"),
    ],
    ids=["no gzip", "cut short", "more behind it", "br", "twice", "deflate"],
)
def test_what_is_badly_packed_is_refused(services: Services, encoding: str, data: bytes) -> None:
    found = services.simple(services.registry, data, Content_Encoding=encoding)

    assert (found.status, found.registry_status) == (400, "Fault")


def test_a_long_answer_is_packed_for_who_takes_it(services: Services) -> None:
    provision = Provision()
    provide(services, provision)
    message = a_query(provision.entry, leaf=True)

    packed = services.post(services.registry, message, "application/soap+xml", Accept_Encoding="gzip")
    plain = services.post(services.registry, message, "application/soap+xml", Accept_Encoding="identity")

    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert len(answer(packed).objects("ExtrinsicObject")) == len(answer(plain).objects("ExtrinsicObject")) == 1


class Socket:
    """HTTP/1.1 by hand."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.path = parts.path
        self.host = parts.netloc
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=15)
        self.left = b""

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes, kind: str, *, body: bool = True, **headers: str) -> None:
        told = {"Host": self.host, "Content-Type": kind, "Content-Length": str(len(data))}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"POST {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items() if value), "", ""]
        self.socket.sendall("\r\n".join(lines).encode("latin-1") + (data if body else b""))

    def head(self) -> tuple[int, dict[str, str]]:
        while b"\r\n\r\n" not in self.left:
            piece = self.socket.recv(65536)
            if not piece:
                raise ConnectionResetError("closed")
            self.left += piece
        head, _, self.left = self.left.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        return int(first.split()[1]), {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        status, headers = self.head()
        length = int(headers["content-length"])
        while len(self.left) < length:
            self.left += self.socket.recv(65536)
        body, self.left = self.left[:length], self.left[length:]
        return status, headers, body


def test_a_connection_is_kept_for_many_messages(services: Services) -> None:
    entry = a_document(patient_id=a_patient_id())
    with Socket(services.registry) as connection:
        for _ in range(20):
            connection.send(a_query(entry), "application/soap+xml")
            status, headers, body = connection.answer()
            assert (status, headers.get("connection", "keep-alive").lower()) == (200, "keep-alive")
            assert b"Success" in body


def test_messages_sent_one_behind_the_other_are_answered_in_their_order(services: Services) -> None:
    names = [a_uuid() for _ in range(8)]
    slots = [("$XDSDocumentEntryUniqueId", "'1.2'")]
    with Socket(services.registry) as connection:
        for name in names:
            body = query_body("GetDocuments", slots, leaf=False)
            connection.send(envelope(ITI_18, body, message_id=name), "application/soap+xml")
        found = [connection.answer()[2] for _ in names]

    assert [etree.fromstring(each).findtext(".//wsa:RelatesTo", "", NS) for each in found] == names


def test_a_client_that_waits_for_100_continue_is_told_to_go_on(services: Services) -> None:
    provision = Provision()
    data = provision.data
    with Socket(services.repository) as connection:
        connection.send(data, provision.content_type, body=False, Expect="100-continue")
        status, _ = connection.head()
        assert status == 100
        connection.socket.sendall(data)
        status, _, body = connection.answer()

    assert status == 200
    assert b"ResponseStatusType:Success" in body
    assert is_kept(services, provision)


def test_a_refused_message_that_was_read_leaves_the_connection_usable(services: Services) -> None:
    entry = a_document(patient_id=a_patient_id())
    with Socket(services.registry) as connection:
        connection.send(b"<x/>", "application/soap+xml")
        assert connection.answer()[0] == 400
        connection.send(a_query(entry), "application/soap+xml")
        assert connection.answer()[0] == 200


def test_m12_a_client_that_goes_in_the_middle_leaves_nothing(services: Services) -> None:
    provision = Provision(content=CONTENT * 20_000)
    data = provision.data
    with Socket(services.repository) as connection:
        connection.send(data, provision.content_type, body=False)
        connection.socket.sendall(data[: len(data) // 2])

    assert is_nowhere(services, provision)
    assert provide(services, provision).registry_status == "Success"


@pytest.mark.parametrize(
    "headers",
    [{"Content_Length": "-5"}, {"Content_Length": "1x"}, {"Content_Length": "5, 6"}, {"Transfer_Encoding": "odd"}],
    ids=str,
)
def test_x9_wrong_lengths_are_refused(services: Services, headers: dict[str, str]) -> None:
    provision = Provision()
    with Socket(services.repository) as connection:
        try:
            connection.send(provision.data, provision.content_type, **headers)
            status, _ = connection.head()
        except (ConnectionResetError, BrokenPipeError):
            status = 400  # closed without a word, which is a refusal too

    assert status in (400, 411, 413, 501)
    assert is_nowhere(services, provision)


def test_x10_a_dripping_connection_does_not_hold_up_the_others(services: Services) -> None:
    provision = Provision()
    drips = [Socket(services.repository) for _ in range(20)]
    try:
        for drip in drips:
            drip.send(provision.data, provision.content_type, body=False)
            drip.socket.sendall(provision.data[:50])
        started = time.monotonic()
        assert services.retrieve("1.2.3").codes == ["XDSDocumentUniqueIdError"]
        assert time.monotonic() - started < 2
    finally:
        for drip in drips:
            drip.socket.close()


# SOAP and WS-Addressing


def an_envelope(header: str, body: str, soap: str = SOAP) -> bytes:
    return (
        f'<s:Envelope xmlns:s="{soap}" xmlns:wsa="{NS["wsa"]}"><s:Header>{header}</s:Header>'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


ACTION: Final = f"<wsa:Action>{ITI_18.action}</wsa:Action>"
ID: Final = "<wsa:MessageID>urn:uuid:7e1d4c36-52a5-4b0b-8a5e-1f6f3a0c9d11</wsa:MessageID>"
QUERY: Final = query_body("GetDocuments", [("$XDSDocumentEntryUniqueId", "'1.2'")], leaf=False).decode()


@pytest.mark.parametrize("soap_11", [an_envelope(ACTION, QUERY, SOAP_11)])
@pytest.mark.parametrize("kind", ["text/xml; charset=utf-8", "application/soap+xml"])
def test_x6_soap_1_1_gets_a_fault_that_says_so(services: Services, soap_11: bytes, kind: str) -> None:
    for url in (services.registry, services.repository):
        found = answer(services.post(url, soap_11, kind, SOAPAction='"x"'))
        assert found.registry_status == "Fault"
        assert "1.2" in found.fault


FAULTS: Final[dict[str, tuple[bytes, str, str]]] = {
    "unknown action": (an_envelope("<wsa:Action>urn:x</wsa:Action>", QUERY), "Sender", "wsa:ActionNotSupported"),
    "action of the neighbour": (
        an_envelope(f"<wsa:Action>{ITI_43.action}</wsa:Action>", QUERY), "Sender", "wsa:ActionNotSupported",
    ),
    "no action": (an_envelope("", QUERY), "Sender", "wsa:MessageAddressingHeaderRequired"),
    "two actions": (an_envelope(ACTION * 2, QUERY), "Sender", "wsa:InvalidAddressingHeader"),
    "not understood": (an_envelope(f'{ACTION}<x s:mustUnderstand="1"/>', QUERY), "MustUnderstand", ""),
    "not understood, true": (an_envelope(f'{ACTION}<x s:mustUnderstand="true"/>', QUERY), "MustUnderstand", ""),
    "another body": (an_envelope(ACTION, "<x/>"), "Sender", ""),
    "no body": (an_envelope(ACTION, ""), "Sender", ""),
    "two bodies": (an_envelope(ACTION, QUERY * 2), "Sender", ""),
    "no envelope": (b"<x/>", "VersionMismatch", ""),
    "an envelope of nobody's": (an_envelope(ACTION, QUERY, "urn:x"), "VersionMismatch", ""),
    "reply elsewhere": (
        an_envelope(f"{ACTION}{ID}<wsa:ReplyTo><wsa:Address>http://192.0.2.1/</wsa:Address></wsa:ReplyTo>", QUERY),
        "Sender", "wsa:InvalidAddressingHeader",
    ),
    "fault elsewhere": (
        an_envelope(f"{ACTION}{ID}<wsa:FaultTo><wsa:Address>http://192.0.2.1/</wsa:Address></wsa:FaultTo>", QUERY),
        "Sender", "wsa:InvalidAddressingHeader",
    ),
    "reply elsewhere, and no id": (
        an_envelope(f"{ACTION}<wsa:ReplyTo><wsa:Address>http://127.0.0.1:9/</wsa:Address></wsa:ReplyTo>", QUERY),
        "Sender", "wsa:MessageAddressingHeaderRequired",
    ),
    "no XML": (b"hello", "Sender", ""),
    "nothing": (b"", "Sender", ""),
    "a DOCTYPE": (b"<!DOCTYPE x>" + an_envelope(ACTION, QUERY), "Sender", ""),
    "an external entity": (
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + an_envelope(ACTION, QUERY.replace("1.2", "&e;")),
        "Sender", "",
    ),
    "an external DTD": (b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">' + an_envelope(ACTION, QUERY), "Sender", ""),
    "a DOCTYPE in UTF-16": (
        ("<!DOCTYPE x>" + an_envelope(ACTION, QUERY).decode()).encode("utf-16"), "Sender", "",
    ),
    "billion laughs": (
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
            b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)
        ) + b"]>" + an_envelope(ACTION, QUERY.replace("1.2", "&j;")), "Sender", "",
    ),
    "UTF-7": (b'<?xml version="1.0" encoding="UTF-7"?>' + an_envelope(ACTION, QUERY), "Sender", ""),
    "Latin-1 that is none of ours": (
        b'<?xml version="1.0" encoding="ISO-8859-1"?>' + an_envelope(ACTION, QUERY), "Sender", "",
    ),
    "bytes that are no UTF-8": (an_envelope(ACTION, QUERY).replace(b"1.2", b"\xff\xfe"), "Sender", ""),
    "deep nesting": (an_envelope(ACTION, "<x>" * 300 + "</x>" * 300), "Sender", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
def test_x1_to_x6_what_is_no_message_of_ours_gets_the_right_fault(services: Services, case: str) -> None:
    data, code, subcode = FAULTS[case]
    started = time.monotonic()

    # Without a charset parameter, which would be right whatever the XML says of itself (RFC 7303).
    found = answer(services.post(services.registry, data, "application/soap+xml"))

    assert found.registry_status == "Fault"
    assert found.status == (500 if code == "Receiver" else 400)
    assert found.body.findtext("s:Code/s:Value", "", NS).rpartition(":")[2] == code
    assert found.body.findtext("s:Code/s:Subcode/s:Value", "", NS) == subcode
    assert found.body.find("s:Reason/s:Text", NS).get("{http://www.w3.org/XML/1998/namespace}lang")
    wsa = subcode.startswith("wsa:")
    assert found.root.findtext(".//wsa:Action", "", NS) == f"{NS['wsa']}{'' if wsa else '/soap'}/fault"
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("declared", ["", '<?xml version="1.0"?>', "\ufeff"])
@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_utf_8_and_utf_16_are_read_in_every_form(services: Services, charset: str, declared: str) -> None:
    if charset.startswith("utf-16-") and not declared:
        declared = "\ufeff"
    if charset == "utf-16":
        declared = declared.replace("\ufeff", "")
    data = (declared + an_envelope(ACTION, QUERY).decode()).encode(charset)

    found = services.simple(services.registry, data) if charset == "utf-8" else answer(
        services.post(services.registry, data, f"application/soap+xml; charset={charset[:6]}")
    )  # fmt: skip

    assert found.registry_status == "Success", found.fault


@pytest.mark.parametrize(
    "header",
    [
        '<x s:mustUnderstand="0"/>',
        "<x/>",
        '<x s:mustUnderstand="1" s:role="urn:somebody:else"/>',
        '<wsa:To s:mustUnderstand="1">http://somewhere</wsa:To>',
        f'<wsa:ReplyTo s:mustUnderstand="1"><wsa:Address>{NS["wsa"]}/anonymous</wsa:Address></wsa:ReplyTo>',
        "<wsa:From><wsa:Address>http://127.0.0.1:9/</wsa:Address></wsa:From>",
    ],
)
def test_headers_that_need_not_be_understood_are_ignored(services: Services, header: str) -> None:
    assert services.simple(services.registry, an_envelope(ACTION + header, QUERY)).registry_status == "Success"


def test_x4_instructions_and_schema_locations_are_ignored(services: Services) -> None:
    told = b'<?xml-stylesheet href="http://127.0.0.1:9/x.xsl"?>'
    located = 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:schemaLocation="urn:x http://127.0.0.1:9/x.xsd"'
    data = told + an_envelope(ACTION, QUERY).replace(b"<s:Body>", f"<s:Body {located}>".encode())

    assert services.simple(services.registry, data).registry_status == "Success"


def test_comments_inside_values_cut_nothing_off(services: Services) -> None:
    entry = a_document(patient_id=a_patient_id())
    services.register(a_submission(entry))
    cut_up = (entry.unique_id or "")[:4] + "<!-- a --><?b c?>" + (entry.unique_id or "")[4:]

    found = services.simple(services.registry, an_envelope(ACTION, QUERY.replace("1.2'", f"{cut_up}'")))

    assert len(found.ids()) == 1


@pytest.mark.parametrize(
    ("service", "transaction"), [("registry", ITI_18), ("registry", ITI_42), ("repository", ITI_43)]
)
def test_every_answer_relates_to_its_question_and_carries_its_correlation(
    services: Services, service: str, transaction: Any
) -> None:
    body = {
        18: QUERY.encode(),
        42: submit_objects(a_submission(a_document(hash="x"))),
        43: retrieve_body(["1.2.3"], services.repository_id),
    }[transaction.iti]
    name, mine = a_uuid(), str(uuid.uuid4())

    found = services.simple(
        getattr(services, service), envelope(transaction, body, message_id=name), X_Correlation_Id=mine
    )

    assert found.root.findtext(".//wsa:RelatesTo", "", NS) == name
    assert found.root.findtext(".//wsa:Action", "", NS) == transaction.answer_action
    assert found.root.findtext(".//wsa:MessageID", "", NS) == f"urn:uuid:{mine}"
    assert found.headers["X-Correlation-Id"] == mine
    assert all(mine in context for context in found.contexts)
    assert transaction.answer_action in found.headers["Content-Type"]


def test_a_correlation_id_is_made_where_none_was_given_and_the_same_everywhere(services: Services) -> None:
    found = services.register(a_submission(a_document(hash="x")))

    own = found.headers["X-Correlation-Id"]
    assert re.fullmatch(r"[0-9a-f]{32}", own)
    assert own in found.contexts[0]
    assert uuid.UUID(own).urn == found.root.findtext(".//wsa:MessageID", "", NS)


@pytest.mark.parametrize("hostile", ["x" * 500, "a b", "<script>", "é"])
def test_w11_a_hostile_correlation_id_is_replaced(services: Services, hostile: str) -> None:
    found = services.simple(
        services.registry, an_envelope(ACTION, QUERY), X_Correlation_Id=hostile.encode().decode("latin-1")
    )

    assert found.registry_status == "Success"
    assert re.fullmatch(r"[0-9A-Za-z._-]{1,128}", found.headers["X-Correlation-Id"])


def test_the_registrys_correlation_is_the_repositorys(services: Services) -> None:
    provision = Provision()
    provision.entry.creation_time = "20261301"
    mine = str(uuid.uuid4())

    found = provide(services, provision, X_Correlation_Id=mine)

    assert found.codes == ["XDSRegistryMetadataError"]
    assert mine in found.contexts[0]


def test_a_fault_relates_to_the_message_where_that_could_be_read(services: Services) -> None:
    name = a_uuid()

    found = services.simple(services.registry, envelope("urn:x:unknown", QUERY.encode(), message_id=name))

    assert found.root.findtext(".//wsa:RelatesTo", "", NS) == name
    assert found.headers["X-Correlation-Id"]


def test_an_mtom_question_is_answered_in_mtom_also_at_the_registry(services: Services) -> None:
    kind, data = mtom(envelope(ITI_18, QUERY.encode()), {})

    found = answer(services.post(services.registry, data, kind))

    assert found.registry_status == "Success"
    assert found.headers["Content-Type"].startswith("multipart/related")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_not_allowed(services: Services, method: str) -> None:
    for url in (services.registry, services.repository):
        assert requests.request(method, url, data=b"x", timeout=10).status_code == 405


def test_an_unknown_path_is_not_found_and_tells_nothing(services: Services) -> None:
    for url in (services.registry, services.repository):
        response = requests.get(url + "/../x", timeout=10)
        assert response.status_code == 404
        assert "Traceback" not in response.text


def test_o8_health_and_metrics_hold_no_patients(services: Services) -> None:
    provision = Provision()
    provide(services, provision)
    number = (provision.entry.patient_id or "").split("^")[0]
    for base in (services.registry.rpartition("/")[0], services.repository.rpartition("/")[0]):
        for path in ("/live", "/ready", "/metrics"):
            response = requests.get(base + path, timeout=10)
            assert response.status_code == 200
            assert number not in response.text


# Limits on XML


@pytest.fixture(scope="module", params=BACK_ENDS)
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A pair with small limits on XML and packing."""
    limits = {
        "MAX_XML_DEPTH": "16",
        "MAX_XML_ELEMENTS": "300",
        "MAX_XML_ATTRIBUTES": "300",
        "MAX_GZIP_RATIO": "10",
        "REQUEST_TIMEOUT": "2s",
        "IDLE_TIMEOUT": "1s",
    }
    pair = a_pair(tmp_path_factory.mktemp("small"), back_end(request.param, request) | limits)
    pair.start()
    yield pair.services
    pair.stop()


def test_a_usual_message_is_within_small_limits(small: Services) -> None:
    provision = Provision()

    assert provide(small, provision).registry_status == "Success"
    assert is_kept(small, provision)


@pytest.mark.parametrize(
    "body",
    ["<x>" * 17 + "</x>" * 17, "<x/>" * 301, "<x>" + "".join(f'<y a{n}=""/>' for n in range(301)) + "</x>"],
    ids=["depth", "elements", "attributes"],
)
def test_x3_masses_of_xml_are_refused(small: Services, body: str) -> None:
    data = an_envelope(ACTION, QUERY).replace(b"</s:Header>", f"{body}</s:Header>".encode())

    for url in (small.registry, small.repository):
        found = small.simple(url, data)
        assert (found.status, found.registry_status) == (400, "Fault")


def test_x8_the_ratio_of_a_packed_message_is_bounded(small: Services) -> None:
    data = an_envelope(ACTION, QUERY + " " * 400_000)

    found = small.simple(small.registry, gzip.compress(data), Content_Encoding="gzip")

    assert (found.status, found.registry_status) == (400, "Fault")


@pytest.mark.slow
def test_a_message_that_takes_too_long_is_given_up_and_leaves_nothing(small: Services) -> None:
    provision = Provision(content=b"x" * 5000)
    data = provision.data
    started = time.monotonic()
    with Socket(small.repository) as connection:
        connection.send(data, provision.content_type, body=False)
        try:
            for at in range(0, len(data), 200):
                connection.socket.sendall(data[at : at + 200])
                time.sleep(0.2)
            status = connection.head()[0]
        except (ConnectionResetError, BrokenPipeError, TimeoutError):
            status = 408

    assert status in (400, 408)
    assert time.monotonic() - started < 15
    assert is_nowhere(small, provision)


def test_many_clients_at_once_are_all_answered(services: Services) -> None:
    provisions = [Provision(content=bytes([number]) * 2000) for number in range(24)]

    with ThreadPoolExecutor(12) as threads:
        found = list(threads.map(lambda each: provide(services.apart(), each), provisions))

    assert [each.registry_status for each in found] == ["Success"] * 24
    assert all(is_kept(services, each, each.content) for each in provisions)
