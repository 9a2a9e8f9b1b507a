"""What is asked in bad faith, or badly, stays within bounds and is answered to the point."""

from __future__ import annotations

import base64
import socket
from urllib.parse import urlsplit

import pytest
import requests

from common.model import SubmissionSet
from common.rules.objection import MOST_TOLD
from common.standard.transactions import ITI_18, ITI_41, ITI_42
from tests.factories import a_document, a_submission, a_submission_set, a_uuid, submit_objects
from tests.wire import NS, Services, answer, envelope, mtom_provide, provide_body, query_body

SIMPLE = "application/soap+xml"
QUESTION = envelope(ITI_18, query_body("GetDocuments", [("$XDSDocumentEntryUniqueId", "('1.2')")], leaf=False))
HEAD = b"POST /registry HTTP/1.1\r\nHost: x\r\nContent-Type: application/soap+xml\r\n"


def refused_everywhere(owner: SubmissionSet, values: int) -> bytes:
    """A submission whose SubmissionSet has so many values that are none."""
    bad = f'<rim:Slot name="intendedRecipient"><rim:ValueList>{"<rim:Value>|</rim:Value>" * values}'
    whole = submit_objects(a_submission(a_document(), owner=owner)).decode()
    head, mark, tail = whole.partition("<rim:RegistryPackage")
    own, end, rest = tail.partition(">")
    return f"{head}{mark}{own}{end}{bad}</rim:ValueList></rim:Slot>{rest}".encode()


def test_x13_a_long_id_is_not_repeated_in_full_with_each_objection(services: Services) -> None:
    found = services.register(refused_everywhere(a_submission_set(entry_uuid="x" * 50_000), 500))

    assert found.registry_status == "Failure"
    assert len(found.codes) >= 500
    assert len(found.content) < 500_000


def test_x15_an_answer_lists_so_many_objections_and_counts_the_rest(services: Services) -> None:
    found = services.register(refused_everywhere(a_submission_set(), MOST_TOLD + 500))

    assert len(found.codes) == MOST_TOLD + 1
    assert "more objections are not listed" in found.contexts[-1]


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + b"Content-Length: %d\r\n\r\n" % (len(QUESTION) + 100) + QUESTION,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n" + QUESTION,
    ],
    ids=["length", "no chunk"],
)
def test_x9_a_body_that_http_calls_incomplete_is_its_senders_fault(services: Services, sent: bytes) -> None:
    place = urlsplit(services.registry)
    with socket.create_connection((place.hostname or "", place.port or 0), 10) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        received = b""
        while piece := client.recv(65536):
            received += piece

    assert received.startswith(b"HTTP/1.1 400 ")
    assert b"s:Sender" in received


@pytest.mark.parametrize(
    ("accepted", "packed"), [("gzip", True), ("gzip;q=0, identity", False), ("br, gzip;q=1.0", True)]
)
def test_an_answer_is_packed_only_for_who_wants_it(services: Services, accepted: str, packed: bool) -> None:
    message = envelope(ITI_42, refused_everywhere(a_submission_set(), 50))

    response = services.post(services.registry, message, SIMPLE, Accept_Encoding=accepted)

    assert (response.headers.get("Content-Encoding") == "gzip") is packed


@pytest.mark.parametrize("broken", ["cut", "two parts of one name", "unknown encoding"])
def test_a_multipart_that_breaks_off_after_its_envelope_is_answered_to_that(services: Services, broken: str) -> None:
    entry, name = a_document(hash=None, size=None), a_uuid()
    kind, data = mtom_provide(a_submission(entry), {entry.entry_uuid: b"content"}, message_id=name)
    if broken == "cut":
        data = data[:-10]
    elif broken == "unknown encoding":
        data = b"rot13".join(data.rsplit(b"binary", 1))
    else:
        data = b"root@source.example>".join(data.rsplit(entry.entry_uuid.encode() + b"@source.example>", 1))

    found = answer(services.post(services.repository, data, kind))

    assert found.registry_status == "Fault"
    assert found.root.findtext(".//wsa:RelatesTo", "", NS) == name


def test_an_envelope_with_two_bodies_is_answered_to_its_message_id(services: Services) -> None:
    name = a_uuid()

    found = services.simple(services.registry, envelope(ITI_18, b"", message_id=name).replace(
        b"</s:Body>", b"</s:Body><s:Body/>"
    ))  # fmt: skip

    assert found.root.findtext(".//wsa:RelatesTo", "", NS) == name


def test_x8_who_sends_too_much_is_answered_each_time_and_never_left_hanging(services: Services) -> None:
    for _ in range(30):
        with requests.Session() as session:
            found = session.post(services.repository, bytes(12_600_000), headers={"Content-Type": SIMPLE}, timeout=5)

        assert found.status_code == 400
        assert found.headers["Connection"] == "close"


@pytest.mark.parametrize("form", ["simple", "mtom"])
def test_m11_an_inline_document_that_is_too_large_is_told_of_mtom(services: Services, form: str) -> None:
    entry = a_document(hash=None, size=None)
    inline = base64.b64encode(bytes(9 * 2**20))
    document = f'<xds:Document id="{entry.entry_uuid}">'.encode() + inline + b"</xds:Document>"
    message = envelope(ITI_41, provide_body(a_submission(entry), document))
    if form == "simple":
        found = services.simple(services.repository, message)
    else:
        kind, data = mtom_provide(a_submission(entry), {})
        head, _, _ = data.partition(b"<?xml")
        tail = data[data.rindex(b"\r\n--") :]
        found = answer(services.post(services.repository, head + message + tail, kind))

    assert found.registry_status == "Fault"
    assert "MTOM" in found.fault
