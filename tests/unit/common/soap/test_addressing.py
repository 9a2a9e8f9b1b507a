"""Where answers and faults go: the rules of WS-Addressing 1.0 for ReplyTo, FaultTo and reference parameters."""

from __future__ import annotations

import pytest
from lxml import etree

from common.soap.addressing import MAX_PARAMETERS, NONE, Endpoint, Way, way_of
from common.soap.envelope import ANONYMOUS, envelope_parts, read_envelope
from common.soap.faults import SENDER, SOAP, WSA, SoapFault, write_fault
from common.soap.xml import XmlLimits, parse

ELSEWHERE = "http://answers.example/x"
OTHER = "http://faults.example/y"


def way(headers: str, *, message_id: str = "<a:MessageID>urn:uuid:1</a:MessageID>") -> Way | None:
    data = (
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:a="{WSA}"><s:Header><a:Action>urn:x</a:Action>{message_id}{headers}'
        "</s:Header><s:Body><b/></s:Body></s:Envelope>"
    )
    return way_of(read_envelope(parse(data.encode(), XmlLimits())))


def end(name: str, address: str, parameters: str = "") -> str:
    held = f"<a:ReferenceParameters>{parameters}</a:ReferenceParameters>" if parameters else ""
    return f"<a:{name}><a:Address>{address}</a:Address>{held}</a:{name}>"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("", None),
        (end("ReplyTo", ANONYMOUS), None),
        (end("ReplyTo", ANONYMOUS) + end("FaultTo", ANONYMOUS), None),
        (end("ReplyTo", ELSEWHERE), Way(Endpoint(ELSEWHERE), Endpoint(ELSEWHERE))),
        (end("ReplyTo", ELSEWHERE) + end("FaultTo", OTHER), Way(Endpoint(ELSEWHERE), Endpoint(OTHER))),
        (end("ReplyTo", ELSEWHERE) + end("FaultTo", ANONYMOUS), Way(Endpoint(ELSEWHERE), None)),
        (end("ReplyTo", ANONYMOUS) + end("FaultTo", OTHER), Way(None, Endpoint(OTHER))),
        (end("FaultTo", OTHER), Way(None, Endpoint(OTHER))),
        (end("ReplyTo", NONE), Way(Endpoint(NONE), Endpoint(NONE))),
        (end("ReplyTo", NONE) + end("FaultTo", OTHER), Way(Endpoint(NONE), Endpoint(OTHER))),
        (end("ReplyTo", ELSEWHERE) + end("FaultTo", NONE), Way(Endpoint(ELSEWHERE), Endpoint(NONE))),
    ],
)
def test_a_fault_goes_to_fault_to_and_without_one_where_the_answer_goes(headers: str, expected: Way | None) -> None:
    assert way(headers) == expected


@pytest.mark.parametrize(
    "headers", [end("ReplyTo", ELSEWHERE), end("FaultTo", OTHER), end("ReplyTo", NONE) + end("FaultTo", OTHER)]
)
def test_a_request_that_is_answered_elsewhere_needs_a_message_id(headers: str) -> None:
    with pytest.raises(SoapFault, match="needs a wsa:MessageID") as caught:
        way(headers, message_id="")

    assert caught.value.subcode is not None
    assert caught.value.subcode.local == "MessageAddressingHeaderRequired"


def test_a_request_that_nobody_waits_for_needs_none() -> None:
    assert way(end("ReplyTo", NONE), message_id="") == Way(Endpoint(NONE), Endpoint(NONE))


def test_an_empty_address_is_none() -> None:
    with pytest.raises(SoapFault) as caught:
        way(end("ReplyTo", " "))

    assert caught.value.kind.detail_code is not None
    assert caught.value.kind.detail_code.local == "InvalidAddress"


def test_addresses_are_those_that_something_may_be_sent_to() -> None:
    found = way(end("ReplyTo", ELSEWHERE) + end("FaultTo", OTHER))
    assert found is not None
    assert found.addresses == (ELSEWHERE, OTHER)
    nothing = way(end("ReplyTo", NONE))
    assert nothing is not None
    assert nothing.addresses == ()


def test_reference_parameters_become_headers_of_what_is_sent() -> None:
    held = '<p:Ticket xmlns:p="urn:p" kind="x">42 &amp; more</p:Ticket><Plain>1</Plain>'
    found = way(end("ReplyTo", ELSEWHERE, held))
    assert found is not None
    assert found.reply is not None

    before, after = envelope_parts("urn:y", message_id="m", to=ELSEWHERE, parameters=found.reply.parameters)
    fault = write_fault(SoapFault(SENDER), message_id="m", to=ELSEWHERE, parameters=found.reply.parameters)

    for message in (before + b"<b/>" + after, fault):
        header = etree.fromstring(message)[0]
        ticket = header.find("{urn:p}Ticket")
        assert ticket is not None
        assert (ticket.text, ticket.get("kind"), ticket.get(f"{{{WSA}}}IsReferenceParameter")) == (
            "42 & more",
            "x",
            "true",
        )
        assert header.findtext("Plain") == "1"
        assert header.findtext(f"{{{WSA}}}To") == ELSEWHERE
        assert read_envelope(etree.fromstring(message)).to == ELSEWHERE


@pytest.mark.parametrize(
    "held",
    [
        "<a:Action>urn:forged</a:Action>",
        "<a:To>http://elsewhere/</a:To>",
        '<w:Security xmlns:w="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"/>',
        "<s:Fault/>",
        "<x/>" * 40,
        f"<x>{'y' * (MAX_PARAMETERS + 1)}</x>",
    ],
)
def test_reference_parameters_that_would_speak_for_us_or_are_too_many_are_refused(held: str) -> None:
    with pytest.raises(SoapFault, match="reference parameters") as caught:
        way(end("ReplyTo", ELSEWHERE, held))

    assert caught.value.subcode is not None
    assert caught.value.subcode.local == "InvalidAddressingHeader"
