"""Faults as messages: each kind is written as SOAP 1.2 wants it and read again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from common.soap import faults
from common.soap.envelope import read_envelope
from common.soap.faults import SOAP, WSA, FaultKind, QName, SoapFault, problem_action, problem_header, write_fault
from common.soap.xml import XmlLimits, parse
from tests.unit.common.soap.messages import EXAMPLES, needs_examples

KINDS = {name: kind for name, kind in vars(faults).items() if isinstance(kind, FaultKind)}
NS = {"s": SOAP, "wsa": WSA}


def written(fault: SoapFault) -> etree._Element:
    return parse(write_fault(fault, message_id="urn:uuid:1"), XmlLimits())


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_is_written_and_read(kind: FaultKind) -> None:
    root = written(SoapFault(kind, relates_to="urn:uuid:0"))
    message = read_envelope(root)
    again = faults.read_fault(message.body)

    assert again is not None
    assert (again.code, again.reason) == (kind.code, kind.reason)
    assert again.subcode == kind.subcode
    assert again.action == kind.action == message.action
    assert message.relates_to == "urn:uuid:0"
    assert kind.http_status == (500 if kind.code == "Receiver" else 400)
    assert root.find(".//s:Text[@{http://www.w3.org/XML/1998/namespace}lang='en']", NS) is not None


def test_a_nested_subcode_is_inside_its_subcode() -> None:
    root = written(SoapFault(faults.ONLY_ANONYMOUS))

    assert root.findtext(".//s:Code/s:Subcode/s:Value", namespaces=NS) == "wsa:InvalidAddressingHeader"
    assert root.findtext(".//s:Subcode/s:Subcode/s:Value", namespaces=NS) == "wsa:OnlyAnonymousAddressSupported"


def test_a_foreign_subcode_brings_its_namespace() -> None:
    wsse = QName("urn:wsse", "FailedAuthentication", "wsse")
    again = faults.read_fault(read_envelope(written(SoapFault(FaultKind(faults.FaultCode.SENDER, "No.", wsse)))).body)

    assert again is not None
    assert again.subcode == wsse
    assert again.action == faults.SOAP_FAULT_ACTION


def test_a_version_mismatch_says_what_to_upgrade_to() -> None:
    supported = written(SoapFault(faults.VERSION_MISMATCH)).find("s:Header/s:Upgrade/s:SupportedEnvelope", NS)

    assert supported is not None
    assert supported.get("qname") == "s:Envelope"


def test_headers_not_understood_are_named() -> None:
    fault = SoapFault(faults.MUST_UNDERSTAND, not_understood=[QName("urn:n", "New"), QName("", "Bare")])

    blocks = written(fault).findall("s:Header/s:NotUnderstood", NS)

    assert [(block.get("qname"), block.nsmap.get("q")) for block in blocks] == [("q:New", "urn:n"), ("Bare", None)]


def test_details_name_the_problem() -> None:
    header = written(SoapFault(faults.HEADER_REQUIRED, detail=problem_header("Action")))
    action = written(SoapFault(faults.ACTION_NOT_SUPPORTED, detail=problem_action("urn:<x>")))

    assert header.findtext(".//s:Detail/wsa:ProblemHeaderQName", namespaces=NS) == "wsa:Action"
    assert action.findtext(".//s:Detail/wsa:ProblemAction/wsa:Action", namespaces=NS) == "urn:<x>"


@given(st.text(max_size=200))
def test_any_reason_makes_a_well_formed_fault(reason: str) -> None:
    again = faults.read_fault(read_envelope(written(SoapFault(faults.SENDER, reason))).body)

    assert again is not None


@pytest.mark.parametrize(
    ("xml", "code", "reason"),
    [
        ("<s:Fault/>", "Receiver", "No reason was given."),
        (
            "<s:Fault><s:Code><s:Value>s:Odd</s:Value><s:Subcode><s:Value/></s:Subcode></s:Code></s:Fault>",
            "Receiver",
            "No",
        ),
    ],
)
def test_poor_faults_are_still_faults(xml: str, code: str, reason: str) -> None:
    body = etree.fromstring(xml.replace("<s:Fault", f'<s:Fault xmlns:s="{SOAP}"', 1))
    fault = faults.read_fault(body)

    assert fault is not None
    assert fault.code == code
    assert fault.reason.startswith(reason)
    assert fault.subcode is None


def test_other_bodies_are_no_faults() -> None:
    assert faults.read_fault(etree.fromstring("<Fault/>")) is None


@needs_examples
def test_the_example_fault_is_read() -> None:
    root = parse((EXAMPLES / "iti40-xua-fault.xml").read_bytes(), XmlLimits())
    fault = faults.read_fault(read_envelope(root).body)

    assert fault is not None
    assert fault.subcode is not None
    assert fault.subcode.namespace.endswith("wssecurity-secext-1.0.xsd")
