"""What a Document element may hold, and which part a reference means."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from common.soap.content_type import MimeError
from common.soap.xop import Claims, Include, Inline, cid_of, document_content, href_for

XOP = 'xmlns:x="http://www.w3.org/2004/08/xop/include"'


def content(inner: str) -> Include | Inline:
    return document_content(etree.fromstring(f"<Document {XOP}>{inner}</Document>"))


def test_a_reference_or_text() -> None:
    assert content('\n <x:Include href="cid:a%40b"/>\n') == Include("a@b", "cid:a%40b")
    assert content(" QUJD ") == Inline(" QUJD ")
    assert content("") == Inline("")


@pytest.mark.parametrize(
    "inner",
    [
        'QUJD<x:Include href="cid:a"/>',
        '<x:Include href="cid:a"/>QUJD',
        '<x:Include href="cid:a"/><x:Include href="cid:b"/>',
        '<Include href="cid:a"/>',
        "<b/>",
        "<x:Include/>",
    ],
)
def test_anything_else_is_refused(inner: str) -> None:
    with pytest.raises(MimeError):
        content(inner)


@pytest.mark.parametrize(
    "href",
    ["", "a", "file:///etc/passwd", "http://x.example/a", "//x/a", "#a", "cid:", "cid:%zz", "cid:%", "cid:%ff"],
)
def test_m6_a_reference_outside_the_message_is_refused(href: str) -> None:
    with pytest.raises(MimeError):
        cid_of(href)


@pytest.mark.parametrize("href", ["cid:%00", "cid:a%0d%0ab", "cid:" + "x" * 2000])
def test_m5_a_reference_that_no_part_can_have_is_refused(href: str) -> None:
    with pytest.raises(MimeError):
        cid_of(href)


def test_m5_a_reference_is_decoded_once() -> None:
    assert cid_of(" CID:a%2540b ") == "a%40b"
    assert cid_of("cid:../../etc/passwd") == "../../etc/passwd"
    assert cid_of(href_for("a b/é%40?#")) == "a b/é%40?#"


def test_m4_every_reference_has_its_own_part() -> None:
    claims = Claims(["a@b", "urn%3Ac", "spare"])

    assert claims.take(Include("a@b", "cid:a%40b")) == "a@b"
    assert claims.take(Include("urn:c", "cid:urn%3Ac")) == "urn%3Ac"
    assert claims.unclaimed() == {"spare"}
    with pytest.raises(MimeError, match="same part"):
        claims.take(Include("a@b", "cid:a@b"))
    with pytest.raises(MimeError, match="does not have"):
        claims.take(Include("other", "cid:other"))


@given(st.binary(max_size=300))
def test_inline_text_is_decoded(data: bytes) -> None:
    assert b"".join(Inline(base64.encodebytes(data).decode()).pieces()) == data


def test_m11_inline_text_is_decoded_in_pieces() -> None:
    data = bytes(range(256)) * 2000

    pieces = list(Inline(base64.b64encode(data).decode()).pieces())

    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= 48 * 1024


@pytest.mark.parametrize("text", ["QUJ", "é", "Q*=="])
def test_inline_text_that_is_not_base64_is_refused(text: str) -> None:
    with pytest.raises(MimeError):
        list(Inline(text).pieces())
