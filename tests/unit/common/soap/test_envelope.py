"""Envelopes: every malformed one gets the right fault, and what is written is read again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from common.soap.envelope import ANONYMOUS, Envelope, envelope_parts, read_envelope, write_envelope
from common.soap.faults import SOAP, SOAP_11, WSA, FaultCode, SoapFault
from common.soap.xml import XmlLimits, parse
from tests.unit.common.soap.messages import EXAMPLES, an_envelope, needs_examples

ACTION = "<wsa:Action>urn:x:Do</wsa:Action>"
SECURITY = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}Security"
A_SECURITY = f'<o:Security s:mustUnderstand="1" xmlns:o="{SECURITY[1:-9]}"/>'


def read(data: bytes, *understood: str) -> Envelope:
    return read_envelope(parse(data, XmlLimits()), understood)


def fault_of(data: bytes, *understood: str) -> SoapFault:
    with pytest.raises(SoapFault) as caught:
        read(data, *understood)
    return caught.value


def subcodes(fault: SoapFault) -> tuple[str | None, str | None]:
    first, second = fault.kind.subcode, fault.kind.detail_code
    return first.local if first else None, second.local if second else None


def an_odd_envelope(content: str, namespace: str = SOAP) -> bytes:
    return f'<s:Envelope xmlns:s="{namespace}" xmlns:wsa="{WSA}">{content}</s:Envelope>'.encode()


def test_addressing_values_are_read_and_stripped() -> None:
    header = (
        '<wsa:Action s:mustUnderstand="1"> urn:x:Do\n</wsa:Action>'
        '<wsa:MessageID s:mustUnderstand="true">m</wsa:MessageID>'
        '<wsa:To s:mustUnderstand="1">t</wsa:To>'
        '<wsa:ReplyTo s:mustUnderstand="1"><wsa:Address> r </wsa:Address></wsa:ReplyTo>'
        "<wsa:FaultTo><wsa:Address>f</wsa:Address></wsa:FaultTo>"
        '<wsa:RelatesTo RelationshipType="urn:other">x</wsa:RelatesTo><wsa:RelatesTo>y</wsa:RelatesTo>'
    )

    message = read(an_envelope(header, "<b/>"))

    assert (message.action, message.message_id, message.to) == ("urn:x:Do", "m", "t")
    assert (message.reply_to, message.fault_to, message.relates_to) == ("r", "f", "y")
    assert message.body.tag == "b"
    assert message.header is not None


@pytest.mark.parametrize("namespace", [SOAP_11, "urn:other", ""])
def test_x6_other_soap_versions_are_a_version_mismatch(namespace: str) -> None:
    data = f'<Envelope xmlns="{namespace}"><Body><a/></Body></Envelope>'.encode()

    assert fault_of(data).code is FaultCode.VERSION_MISMATCH


@pytest.mark.parametrize(
    "data",
    [
        an_odd_envelope(""),
        an_odd_envelope("<s:Header/>"),
        an_odd_envelope("<s:Body><a/></s:Body><s:Header/>"),
        an_odd_envelope("<s:Body><a/></s:Body><s:Body><a/></s:Body>"),
        an_odd_envelope("<s:Header/><s:Header/><s:Body><a/></s:Body>"),
        an_odd_envelope(f"<s:Header>{ACTION}</s:Header><s:Body><a/></s:Body><x/>"),
        an_envelope(body=""),
        an_envelope(body="<a/><b/>"),
        an_envelope(header='<x s:mustUnderstand="perhaps"/>' + ACTION),
    ],
)
def test_x6_malformed_envelopes_are_the_senders_fault(data: bytes) -> None:
    fault = fault_of(data)

    assert fault.code is FaultCode.SENDER
    assert fault.subcode is None
    assert fault.http_status == 400


def test_x6_what_stands_where_an_envelope_should_is_a_mismatch_of_versions() -> None:
    fault = fault_of(b"<a/>")

    assert fault.code is FaultCode.VERSION_MISMATCH
    assert "not a SOAP envelope" in fault.reason


@pytest.mark.parametrize("value", ["1", "true", " true "])
@pytest.mark.parametrize("role", ["", f' s:role="{SOAP}/role/next"', f' s:role="{SOAP}/role/ultimateReceiver"'])
def test_x6_a_mandatory_header_for_us_must_be_known(value: str, role: str) -> None:
    block = f'<n:New xmlns:n="urn:n" s:mustUnderstand="{value}"{role}/>'

    fault = fault_of(an_envelope(ACTION + block))

    assert fault.code is FaultCode.MUST_UNDERSTAND
    assert [(name.namespace, name.local) for name in fault.not_understood] == [("urn:n", "New")]
    assert read(an_envelope(ACTION + block), "{urn:n}New").action == "urn:x:Do"


@pytest.mark.parametrize(
    "block",
    [
        '<New xmlns="urn:n"/>',
        '<New xmlns="urn:n" s:mustUnderstand="0"/>',
        '<New xmlns="urn:n" s:mustUnderstand="false"/>',
        f'<New xmlns="urn:n" s:mustUnderstand="1" s:role="{SOAP}/role/none"/>',
        '<New xmlns="urn:n" s:mustUnderstand="1" s:role="urn:someone-else"/>',
        f'<wsa:Action s:role="{SOAP}/role/none">urn:for-another</wsa:Action>',
        '<Action xmlns="http://schemas.xmlsoap.org/ws/2004/08/addressing">urn:old</Action>',
    ],
)
def test_headers_that_are_not_mandatory_or_not_for_us_are_ignored(block: str) -> None:
    assert read(an_envelope(ACTION + block)).action == "urn:x:Do"


def test_an_old_addressing_namespace_is_an_unknown_header() -> None:
    block = '<Action xmlns="http://schemas.xmlsoap.org/ws/2004/08/addressing" s:mustUnderstand="1">urn:old</Action>'

    assert fault_of(an_envelope(block)).code is FaultCode.MUST_UNDERSTAND
    assert subcodes(fault_of(an_envelope(block.replace(' s:mustUnderstand="1"', "")))) == (
        "MessageAddressingHeaderRequired",
        None,
    )


def test_security_is_understood_only_where_the_caller_says_so() -> None:
    assert fault_of(an_envelope(ACTION + A_SECURITY)).code is FaultCode.MUST_UNDERSTAND
    assert read(an_envelope(ACTION + A_SECURITY), SECURITY).action == "urn:x:Do"


LONG = "u" * 2001


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", ("MessageAddressingHeaderRequired", None)),
        ("<wsa:Action> </wsa:Action>", ("MessageAddressingHeaderRequired", None)),
        (ACTION * 2, ("InvalidAddressingHeader", "InvalidCardinality")),
        (ACTION + "<wsa:MessageID>a</wsa:MessageID>" * 2, ("InvalidAddressingHeader", "InvalidCardinality")),
        (ACTION + "<wsa:To>a</wsa:To>" * 2, ("InvalidAddressingHeader", "InvalidCardinality")),
        (f"<wsa:Action>{LONG}</wsa:Action>", ("InvalidAddressingHeader", None)),
        (f"{ACTION}<wsa:MessageID>{LONG}</wsa:MessageID>", ("InvalidAddressingHeader", None)),
        (f"{ACTION}<wsa:RelatesTo>{LONG}</wsa:RelatesTo>", ("InvalidAddressingHeader", None)),
        ("<wsa:Action>urn:x<b/>:Do</wsa:Action>", ("InvalidAddressingHeader", None)),
        (ACTION + "<wsa:ReplyTo/>", ("InvalidAddressingHeader", "MissingAddressInEPR")),
        (
            ACTION + "<wsa:FaultTo><wsa:Address>a</wsa:Address><wsa:Address>b</wsa:Address></wsa:FaultTo>",
            ("InvalidAddressingHeader", "InvalidCardinality"),
        ),
    ],
)
def test_x6_wrong_addressing_headers_get_the_addressing_fault(header: str, expected: tuple[str, str | None]) -> None:
    fault = fault_of(an_envelope(header))

    assert subcodes(fault) == expected
    assert fault.action == f"{WSA}/fault"
    assert fault.code is FaultCode.SENDER


def test_x6_a_message_without_a_header_has_no_action() -> None:
    fault = fault_of(an_odd_envelope("<s:Body><a/></s:Body>"))

    assert subcodes(fault) == ("MessageAddressingHeaderRequired", None)


def test_a_fault_knows_the_message_it_relates_to() -> None:
    one = "<wsa:MessageID> urn:uuid:7 </wsa:MessageID>"

    assert fault_of(an_envelope(one)).relates_to == "urn:uuid:7"
    assert fault_of(an_envelope(one * 2 + ACTION)).relates_to is None
    assert fault_of(an_envelope("<wsa:MessageID/>")).relates_to is None


XML_TEXT = st.text(min_size=1, max_size=60)


@given(XML_TEXT, XML_TEXT, st.one_of(st.none(), XML_TEXT))
def test_any_text_survives_writing_and_reading(action: str, message_id: str, to: str | None) -> None:
    written = write_envelope(
        "urn:" + action, b"<a xmlns='urn:a'/>", message_id=message_id, relates_to=message_id, to=to, reply_to=ANONYMOUS
    )

    message = read(written)

    safe = "".join(c if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff") else "\ufffd" for c in message_id)
    assert message.message_id == safe.strip()
    assert message.relates_to == (safe.strip() or "")
    assert message.reply_to == ANONYMOUS
    assert message.body.tag == "{urn:a}a"
    assert (message.to is None) == (to is None)


def test_the_parts_of_an_envelope_are_the_envelope() -> None:
    before, after = envelope_parts("urn:x", message_id="m", security=b"<x/>")

    assert before + b"<a/>" + after == write_envelope("urn:x", b"<a/>", message_id="m", security=b"<x/>")
    root = etree.fromstring(before + b"<a/>" + after)
    assert root.nsmap == {"s": SOAP, "wsa": WSA}
    assert root.find(f".//{{{WSA}}}Action[@{{{SOAP}}}mustUnderstand='1']") is not None


@needs_examples
def test_every_example_message_has_an_envelope() -> None:
    for path in sorted(EXAMPLES.glob("iti*.xml")):
        message = read(path.read_bytes(), SECURITY)
        assert message.action, path.name
