"""MTOM messages: each tolerated form is read to the same documents, everything else is refused."""

import base64
import contextlib
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.soap.content_type import parse_content_type
from common.soap.envelope import read_envelope
from common.soap.mime import MimeLimits
from common.soap.mtom import Claims, Include, MimeError, MtomReader, MtomWriter, cid_of, document_content, href_for
from common.soap.xml import XmlLimits, parse
from tests.unit.common.soap.messages import (
    EXAMPLES,
    Part,
    a_multipart,
    an_envelope,
    an_example,
    cut,
    needs_examples,
    read_mtom,
)

MULTIPART = "multipart/related; boundary=b"
ROOT: Part = ({"Content-Type": "application/xop+xml; charset=UTF-8", "Content-ID": "<root>"}, b"<root/>")
DOCUMENT: Part = (
    {"Content-Type": "text/plain", "Content-ID": "<doc@x>", "Content-Transfer-Encoding": "binary"},
    b"\x00caf\xc3\xa9\r\n",
)
EXPECTED = [("doc@x", "text/plain", DOCUMENT[1])]


def with_header(part: Part, name: str, value: str | None) -> Part:
    headers = {key: text for key, text in part[0].items() if key != name}
    return ({**headers, name: value} if value is not None else headers), part[1]


def refusal(content_type: str, *parts: Part, limits: MimeLimits | None = None) -> str:
    with pytest.raises(MimeError) as caught:
        read_mtom(content_type, [a_multipart(parts)], limits)
    return caught.value.reason


@pytest.mark.parametrize(
    ("content_type", "parts"),
    [
        (MULTIPART, [ROOT, DOCUMENT]),
        (MULTIPART + '; start="<root>"', [ROOT, DOCUMENT]),
        (MULTIPART + '; start="root"', [ROOT, DOCUMENT]),
        (MULTIPART + "; start=<root>", [ROOT, DOCUMENT]),
        (MULTIPART + '; start="<root>"; action="urn:x"', [DOCUMENT, ROOT]),
        (MULTIPART + "; start=root", [DOCUMENT, with_header(ROOT, "Content-ID", "root")]),
        (MULTIPART, [with_header(ROOT, "Content-ID", None), DOCUMENT]),
        (MULTIPART, [ROOT, with_header(DOCUMENT, "Content-ID", " doc@x ")]),
        (MULTIPART, [ROOT, with_header(DOCUMENT, "Content-Transfer-Encoding", None)]),
        (MULTIPART, [ROOT, with_header(DOCUMENT, "Content-Transfer-Encoding", "8bit")]),
        (
            MULTIPART,
            [
                ROOT,
                (
                    with_header(DOCUMENT, "Content-Transfer-Encoding", "base64")[0],
                    base64.encodebytes(DOCUMENT[1]),
                ),
            ],
        ),
        (
            MULTIPART,
            [
                (with_header(ROOT, "Content-Transfer-Encoding", "base64")[0], base64.b64encode(ROOT[1])),
                (
                    with_header(DOCUMENT, "Content-Transfer-Encoding", "Quoted-Printable")[0],
                    quopri.encodestring(DOCUMENT[1]).replace(b"\r\n", b"=0D=0A"),
                ),
            ],
        ),
    ],
    ids=[
        "no start",
        "start",
        "start without brackets",
        "start without quotes",
        "root last",
        "root last and no brackets",
        "root without an id",
        "id without brackets",
        "no transfer encoding",
        "8bit",
        "base64",
        "quoted-printable",
    ],
)
@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_m10_tolerated_forms_are_read_wherever_they_are_cut(content_type: str, parts: list[Part], newline: str) -> None:
    whole = b"preamble\r\n" + a_multipart(parts, newline=newline) + b"epilogue"
    for size in (1, 2, 5, 31, len(whole)):
        root, documents = read_mtom(content_type, cut(whole, size))

        assert root.data == b"<root/>"
        assert root.charset == "UTF-8"
        assert documents == EXPECTED


def test_the_charset_of_the_root_part_is_told() -> None:
    root_part = ({"Content-Type": 'application/xop+xml; charset="utf-16"'}, "<a>é</a>".encode("utf-16"))

    root, _ = read_mtom(MULTIPART, [a_multipart([root_part])])

    assert parse(root.data, XmlLimits(), root.charset).text == "é"


def test_a_part_without_an_id_is_handed_over_as_such() -> None:
    _, documents = read_mtom(MULTIPART, [a_multipart([ROOT, ({}, b"x")])])

    assert documents == [(None, "application/octet-stream", b"x")]


def test_a_root_part_without_a_type_has_no_charset() -> None:
    root, _ = read_mtom(MULTIPART, [a_multipart([({}, b"<a/>")])])

    assert root.charset is None


def test_m4_one_content_id_twice_is_refused() -> None:
    assert "same Content-ID" in refusal(MULTIPART, ROOT, DOCUMENT, with_header(DOCUMENT, "Content-ID", "doc@x"))
    assert "same Content-ID" in refusal(MULTIPART, ROOT, ROOT)


def test_a_start_that_no_part_has_is_refused() -> None:
    assert "start parameter" in refusal(MULTIPART + "; start=other", ROOT, DOCUMENT)


def test_a_large_root_part_is_refused() -> None:
    assert "6 bytes" in refusal(MULTIPART, ROOT, limits=MimeLimits(max_root_bytes=6))


def test_a_transfer_encoding_that_ends_early_is_refused() -> None:
    headers = with_header(DOCUMENT, "Content-Transfer-Encoding", "base64")[0]

    assert "base64" in refusal(MULTIPART, ROOT, (headers, b"QUJ"))


@pytest.mark.parametrize("value", ["<>", "", "a\tb", "x" * 1001])
def test_m5_impossible_content_ids_are_refused(value: str) -> None:
    assert "Content-ID" in refusal(MULTIPART, ROOT, with_header(DOCUMENT, "Content-ID", value))


@pytest.mark.parametrize("value", ["application/soap+xml", "multipart/related", "multipart/mixed; boundary=b"])
def test_other_content_types_are_refused(value: str) -> None:
    with pytest.raises(MimeError):
        MtomReader(parse_content_type(value))


@given(st.binary(max_size=200), st.integers(1, 50))
def test_x15_garbage_ends_in_a_refusal(data: bytes, size: int) -> None:
    for message in (data, a_multipart([({"Content-ID": "x"}, data)]), b"--b\r\n" + data + b"\r\n\r\n\r\n--b--"):
        with contextlib.suppress(MimeError):
            read_mtom(MULTIPART + "; start=x", cut(message, size))


CIDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40).map(
    lambda text: text.strip("<>") or "x"
)


@given(
    st.lists(st.tuples(CIDS, st.binary(max_size=300)), max_size=4, unique_by=lambda pair: pair[0]), st.integers(1, 99)
)
def test_what_is_written_is_read(documents: list[tuple[str, bytes]], size: int) -> None:
    writer = MtomWriter("urn:x:Do")
    root = an_envelope()
    message = writer.head(root)
    for cid, data in documents:
        message += writer.part_head(cid, "application/pdf") + data
    message += writer.tail

    found, read = read_mtom(writer.content_type, cut(message, size))

    assert found.data == root
    assert list(read) == [(cid, "application/pdf", data) for cid, data in documents]
    sizes = [(cid, "application/pdf", len(data)) for cid, data in documents]
    assert writer.content_length(len(root), sizes) == len(message)
    assert all(cid_of(href_for(cid)) == cid for cid, _ in documents)


def test_the_written_content_type_says_what_mtom_wants() -> None:
    params = parse_content_type(MtomWriter('urn:x"\r\n:Do', "bb").content_type).params

    assert params == {
        "type": "application/xop+xml",
        "start": "<root@portolan>",
        "start-info": "application/soap+xml",
        "boundary": "bb",
        "action": "urn:x:Do",
    }


@pytest.mark.parametrize("mime", ["", "text", "text/plain\r\nX: 1", "a/b; x=é", "a" * 200 + "/b"])
def test_a_type_that_no_header_can_hold_is_sent_as_bytes(mime: str) -> None:
    assert b"Content-Type: application/octet-stream\r\n" in MtomWriter("a").part_head("x", mime)


def test_an_id_that_no_header_can_hold_is_refused() -> None:
    with pytest.raises(MimeError):
        MtomWriter("a").part_head("x\r\ny", "a/b")


@needs_examples
@pytest.mark.parametrize("name", ["iti41-request.mime", "iti43-response.mime"])
def test_the_examples_are_read_wherever_they_are_cut(name: str) -> None:
    content_type, body = an_example(name)
    for size in (3, 50, 1000, len(body)):
        root, [(cid, _, data)] = read_mtom(content_type, cut(body, size))
        message = read_envelope(parse(root.data, XmlLimits(), root.charset))
        [document] = message.body.iter("{urn:ihe:iti:xds-b:2007}Document")
        include = document_content(document)

        assert isinstance(include, Include)
        assert Claims([cid or ""]).take(include) == cid
        assert data == (EXAMPLES / "discharge-letter.pdf").read_bytes()
