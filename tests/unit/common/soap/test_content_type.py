"""Content-Type headers as senders write them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.soap.content_type import MimeError, is_mtom, parse_content_type, read_simple
from common.soap.faults import FaultCode, SoapFault


@pytest.mark.parametrize(
    ("value", "media_type", "params"),
    [
        ("application/soap+xml", "application/soap+xml", {}),
        (" Application/SOAP+XML ; Charset = UTF-8 ;", "application/soap+xml", {"charset": "UTF-8"}),
        (
            'multipart/related;boundary=uuid:1=2/3?4; start=<r@x>;type="application/xop+xml"',
            "multipart/related",
            {"boundary": "uuid:1=2/3?4", "start": "<r@x>", "type": "application/xop+xml"},
        ),
        (
            'application/soap+xml; action="urn:a;b=\\"c\\\\"; ; charset=""',
            "application/soap+xml",
            {"action": 'urn:a;b="c\\', "charset": ""},
        ),
        ('a/b; x="é"', "a/b", {"x": "é"}),
    ],
)
def test_tolerated_forms_are_read(value: str, media_type: str, params: dict[str, str]) -> None:
    found = parse_content_type(value)

    assert found.media_type == media_type
    assert dict(found.params) == params


@pytest.mark.parametrize(
    "value",
    [
        "",
        "text",
        "a/b c",
        "a/b; x",
        'a/b; x="open',
        "a/b; x=1 2",
        'a/b; x="1"2',
        "a/b; x=1; X=2",
        "a/b; x=1\r\nSet-Cookie: y",
        "a/b\0",
        "a/b; x=" + "y" * 5000,
        "a/b; =x",
    ],
)
def test_malformed_values_are_refused(value: str) -> None:
    with pytest.raises(MimeError):
        parse_content_type(value)


@given(st.text(max_size=100))
def test_garbage_is_read_or_refused(value: str) -> None:
    for header in (value, "multipart/related; " + value):
        with contextlib.suppress(MimeError):
            parse_content_type(header)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
def test_a_quoted_value_comes_back(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')

    assert parse_content_type(f'a/b; x="{quoted}"; y=1').params == {"x": value, "y": "1"}


def test_simple_soap_is_told_from_soap_11_and_from_others() -> None:
    assert read_simple(parse_content_type("application/soap+xml; charset=utf-16; action=x")) == "utf-16"
    assert read_simple(parse_content_type("application/soap+xml")) is None
    with pytest.raises(SoapFault) as caught:
        read_simple(parse_content_type("text/xml; charset=utf-8"))
    assert caught.value.code is FaultCode.VERSION_MISMATCH
    for other in ("application/xop+xml", "application/json", "multipart/related"):
        with pytest.raises(MimeError):
            read_simple(parse_content_type(other))


def test_mtom_is_multipart_related() -> None:
    assert is_mtom(parse_content_type("Multipart/Related; boundary=b"))
    assert not is_mtom(parse_content_type("application/soap+xml"))
