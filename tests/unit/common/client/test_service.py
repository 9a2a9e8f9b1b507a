"""Messages as they go out, and answers as they come in, of every form a foreign service may give them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from common.client.contents import Content, content_of
from common.client.errors import ContentUnreadable, FaultReceived, NoAnswer
from common.client.incoming import Answer, AnswerLimits
from common.client.retrieving import Retrieval, request_body, retrieval
from common.client.service import Attachment, Service
from common.model import DocumentEntry
from common.soap.envelope import read_envelope
from common.standard.transactions import ITI_18, ITI_41, ITI_43
from tests.factories import a_document
from tests.unit.common.client.peer import SOAP, a_peer, answering, envelope, http, multipart

RETRIEVE = request_body([a_document()])
SUCCESS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"


@contextmanager
def asking(answer: bytes, content_type: str, transaction: Any = ITI_43, **more: Any) -> Iterator[Answer]:
    limits = more.pop("limits", None)
    with a_peer(answering(http(answer, content_type))) as peer:
        service = Service(peer.url, connect_timeout=1, answer_timeout=2, limits=limits)
        with closing(service), service.ask(transaction, RETRIEVE, message_id="urn:m", **more) as got:
            yield got


def sent(transaction: Any, body: Any, *attachments: Attachment) -> tuple[bytes, bytes]:
    """Head and body of a request."""
    with a_peer(answering(http(envelope("<x/>")))) as peer:
        service = Service(peer.url, connect_timeout=1, answer_timeout=2)
        with closing(service), service.ask(transaction, body, message_id="urn:m", attachments=attachments):
            pass
        head, _, rest = peer.received[0].partition(b"\r\n\r\n")
        assert peer.url.encode() in rest
    return head, rest


QUERY = {
    "ResponseOption": {"returnComposedObjects": True, "returnType": "LeafClass"},
    "AdhocQuery": {"id": "urn:q", "home": None, "Slot": [{"name": "$a", "ValueList": {"Value": ["'<&'", "7"]}}]},
}


def test_the_message_that_zeep_makes_has_the_headers_that_the_transactions_want() -> None:
    head, body = sent(ITI_18, QUERY)

    root = etree.fromstring(body)
    read = read_envelope(root)
    assert (read.action, read.message_id) == (ITI_18.action, "urn:m")
    assert read.reply_to == "http://www.w3.org/2005/08/addressing/anonymous"
    action = root[0].find("{*}Action")
    assert action is not None
    assert action.get(f"{{{SOAP}}}mustUnderstand") == "1"
    assert f'action="{ITI_18.action}"'.encode() in head
    assert b"application/soap+xml" in head


def test_a_query_is_written_by_the_types_of_the_wsdl() -> None:
    _, body = sent(ITI_18, QUERY)

    request = read_envelope(etree.fromstring(body)).body
    assert request.tag == ITI_18.root
    assert [value.text for value in request.iter("{*}Value")] == ["'<&'", "7"]
    assert request[0].get("returnComposedObjects") == "true"


def test_a_body_that_is_not_of_the_schema_is_refused_before_anything_is_sent() -> None:
    service = Service("http://127.0.0.1:1/", connect_timeout=1, answer_timeout=2)
    with pytest.raises(ValueError, match="ITI-43"), service.ask(ITI_43, {"DocumentRequest": []}, message_id="urn:m"):
        pass


def a_part(content: Content) -> Attachment:
    return Attachment("c1@x", "text/plain", content)


PROVIDE = {"SubmitObjectsRequest": {"RegistryObjectList": {}}, "Document": []}


@pytest.mark.parametrize("data", [b"", b"\r\n", b"some text", b"\r\n--part", bytes(600_000)])
def test_documents_go_out_as_parts_with_a_known_length(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "document"
    file.write_bytes(data)
    with file.open("rb") as opened:
        for given in (data, file, opened, io.BytesIO(data)):
            head, body = sent(ITI_41, PROVIDE, a_part(content_of(given)))
            assert f"Content-Length: {len(body)}".encode() in head
            assert b"\r\nContent-ID: <c1@x>\r\n\r\n" + data + b"\r\n--" in body


class Unseekable(io.BytesIO):
    """A pipe."""

    def seekable(self) -> bool:
        return False


def test_a_document_of_unknown_length_goes_out_in_chunks() -> None:
    head, body = sent(ITI_41, PROVIDE, a_part(content_of(Unseekable(b"from a pipe"))))

    assert b"Transfer-Encoding: chunked" in head
    assert b"\r\n\r\nfrom a pipe\r\n--" in body


def test_an_open_file_is_read_from_where_it_stands_as_often_as_needed() -> None:
    file = io.BytesIO(b"head and body")
    file.seek(9)

    content = content_of(file)

    assert content.size == 4
    assert [b"".join(content.chunks()) for _ in range(2)] == [b"body"] * 2


def test_a_file_that_cannot_be_read_is_told_by_its_name_alone(tmp_path: Path) -> None:
    for missing in (tmp_path / "none", tmp_path):
        with pytest.raises(ContentUnreadable, match=missing.name) as told:
            content_of(missing)
        assert str(tmp_path.parent) not in str(told.value)


@pytest.mark.parametrize("now", [b"", b"longer than it was"])
def test_a_file_that_changes_while_it_is_sent_breaks_the_message_off(tmp_path: Path, now: bytes) -> None:
    file = tmp_path / "document"
    file.write_bytes(b"at first")
    content = content_of(file)
    file.write_bytes(now)

    with pytest.raises(ContentUnreadable, match="changed"):
        list(content.chunks())


PARTS = [("a@x", b"first\r\n"), ("b@x", b"x" * 2_000_000)]


@pytest.mark.parametrize("brackets", [True, False])
@pytest.mark.parametrize("root_at", [0, 1, 2])
def test_documents_come_in_wherever_the_root_part_stands(root_at: int, brackets: bool) -> None:
    content_type, body = multipart(envelope("<ok/>"), PARTS, root_at=root_at, brackets=brackets)

    with asking(body, content_type) as answer:
        assert answer.body.tag == "ok"
        assert [(part.content_id, b"".join(part.chunks)) for part in answer.parts()] == PARTS


def test_parts_that_nobody_reads_are_skipped() -> None:
    content_type, body = multipart(envelope("<ok/>"), PARTS)

    with asking(body, content_type) as answer:
        assert [part.content_id for part in answer.parts()] == ["a@x", "b@x"]


@pytest.mark.parametrize(
    ("answer", "content_type"),
    [
        (b"", "application/soap+xml"),
        (b"<html>Bad Gateway</html>", "text/html"),
        (b"Bad Gateway", ""),
        (envelope("<ok/>")[:-1], "application/soap+xml"),
        (b'<!DOCTYPE x SYSTEM "http://x.invalid/x.dtd"><x/>', "application/soap+xml"),
        (b'<!DOCTYPE x [<!ENTITY e "e">]>' + envelope("&e;"), "application/soap+xml"),
        (envelope("<ok/>", relates_to="urn:another"), "application/soap+xml"),
        (multipart(envelope("<ok/>"), [], root_at=0)[1][:-10], multipart(b"", [])[0]),
        (b"--mark--\r\n", 'multipart/related; boundary="mark"'),
        (b"", 'multipart/related; boundary=""'),
    ],
)
def test_what_is_no_soap_answer_is_none(answer: bytes, content_type: str) -> None:
    with pytest.raises(NoAnswer), asking(answer, content_type) as got:
        list(got.parts())


def test_an_answer_over_the_limit_is_none() -> None:
    large = envelope("<ok>" + "x" * 5000 + "</ok>")
    content_type, body = multipart(large, [])
    for answer, kind in ((large, "application/soap+xml"), (body, content_type)):
        with pytest.raises(NoAnswer), asking(answer, kind, limits=AnswerLimits(max_xml=4000)):
            pass


def test_a_fault_is_told_by_its_code_and_reason() -> None:
    fault = (
        f'<s:Fault xmlns:s="{SOAP}"><s:Code><s:Value>s:Sender</s:Value><s:Subcode>'
        '<s:Value xmlns:a="http://www.w3.org/2005/08/addressing">a:ActionNotSupported</s:Value></s:Subcode></s:Code>'
        '<s:Reason><s:Text xml:lang="en">No such action.</s:Text></s:Reason></s:Fault>'
    )
    with pytest.raises(FaultReceived, match="No such action") as told, asking(envelope(fault), "application/soap+xml"):
        pass
    assert (told.value.code, told.value.subcode) == ("Sender", "ActionNotSupported")


def retrieve_response(documents: str, errors: str = "") -> bytes:
    return envelope(
        '<x:RetrieveDocumentSetResponse xmlns:x="urn:ihe:iti:xds-b:2007" '
        'xmlns:rs="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0">'
        f'<rs:RegistryResponse status="{SUCCESS}">{errors}</rs:RegistryResponse>'
        f"{documents}</x:RetrieveDocumentSetResponse>"
    )


def response_of(unique_id: str, document: str) -> str:
    return (
        f"<x:DocumentResponse><x:RepositoryUniqueId>1.1</x:RepositoryUniqueId><x:DocumentUniqueId>{unique_id}"
        f"</x:DocumentUniqueId><x:mimeType>text/plain</x:mimeType><x:Document>{document}</x:Document>"
        "</x:DocumentResponse>"
    )


def include(href: str) -> str:
    return f'<i:Include xmlns:i="http://www.w3.org/2004/08/xop/include" href="{href}"/>'


def retrieved(root: bytes, parts: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    content_type, body = multipart(root, parts)
    with a_peer(answering(http(body, content_type))) as peer:
        service = Service(peer.url, connect_timeout=1, answer_timeout=2)
        with closing(service), retrieval(service, [a_document()]) as found:
            return [(each.unique_id, b"".join(each.chunks)) for each in found.documents()]


def test_documents_are_found_inline_and_in_parts_however_the_reference_is_written() -> None:
    documents = (
        response_of("1", "aGVs\nbG8=") + response_of("2", include("cid:a%40x")) + response_of("3", include("cid:b@x"))
    )

    assert retrieved(retrieve_response(documents), [("b@x", b"three"), ("unasked@x", b"?"), ("a@x", b"two")]) == [
        ("1", b"hello"),
        ("3", b"three"),
        ("2", b"two"),
    ]


@pytest.mark.parametrize(
    "documents",
    [
        response_of("1", "not base64!"),
        response_of("1", include("http://x.invalid/")),
        response_of("1", "<other/>"),
        "<x:DocumentResponse/>",
    ],
)
def test_a_document_that_cannot_be_read_is_no_answer(documents: str) -> None:
    with pytest.raises(NoAnswer):
        retrieved(retrieve_response(documents), [])


def test_an_answer_of_another_kind_is_none() -> None:
    for root in (envelope("<ok/>"), envelope('<x:RetrieveDocumentSetResponse xmlns:x="urn:ihe:iti:xds-b:2007"/>')):
        with pytest.raises(NoAnswer):
            retrieved(root, [])


def test_an_error_is_the_one_that_names_the_document_before_one_that_names_none() -> None:
    errors = "".join(
        f'<rs:RegistryError errorCode="{code}" codeContext="{context}" location="{location}" severity="urn:x:Error"/>'
        for code, context, location in (("loose", "all is lost", ""), ("mine", "", "1"), ("told", "about 2 it is", "q"))
    )
    root = retrieve_response("", f"<rs:RegistryErrorList>{errors}</rs:RegistryErrorList>")
    with asking(*reversed(multipart(root, []))) as answer:
        found = Retrieval(answer)

        def code(unique_id: str) -> str:
            error = found.error_for(DocumentEntry("", unique_id=unique_id))
            assert error is not None
            return error.code

        assert [code("1"), code("2"), code("3")] == ["mine", "told", "loose"]
