"""X15: whatever is done to a valid message, the answer is a message, a refusal or a fault, and nothing else."""

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from common.soap.content_type import MimeError, is_mtom, parse_content_type, read_simple
from common.soap.envelope import read_envelope
from common.soap.faults import SOAP, WSA, SoapFault, read_fault, write_fault
from common.soap.mtom import Claims, Include, MtomWriter, document_content
from common.soap.xml import XmlLimits, XmlRefused, parse
from tests.unit.common.soap.messages import an_envelope, cut, read_mtom

INCLUDE = '<d><x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="cid:doc%40x"/></d>'
WRITER = MtomWriter("urn:x:Do", "b")
MESSAGE = b"".join((WRITER.head(an_envelope(body=INCLUDE)), WRITER.part_head("doc@x", "a/b"), b"%PDF", WRITER.tail))

NAMES = st.sampled_from(
    [f"{{{WSA}}}{name}" for name in ("Action", "MessageID", "To", "ReplyTo", "From", "FaultTo", "RelatesTo", "Odd")]
    + [f"{{{SOAP}}}{name}" for name in ("Envelope", "Header", "Body", "Fault")]
    + ["é", "{urn:x}x"]
)
ATTRIBUTES = st.sampled_from(
    [
        "",
        's:mustUnderstand="1"',
        's:mustUnderstand="0"',
        's:mustUnderstand=""',
        's:role="x"',
        f's:role="{SOAP}/role/next"',
    ]
)


def element(name: str, attribute: str, content: str) -> str:
    namespace, _, local = name.rpartition("}")
    return f'<q:{local} xmlns:q="{namespace[1:] or "urn:none"}" xmlns:s="{SOAP}" {attribute}>{content}</q:{local}>'


TREES = st.recursive(
    st.builds(element, NAMES, ATTRIBUTES, st.sampled_from(["", "x", " urn:y "])),
    lambda inner: st.builds(element, NAMES, ATTRIBUTES, st.lists(inner, max_size=3).map("".join)),
    max_leaves=6,
)
MUTATIONS = st.lists(st.tuples(st.integers(0, len(MESSAGE) - 1), st.integers(0, 3), st.binary(max_size=4)), max_size=4)


def mutated(mutations: list[tuple[int, int, bytes]]) -> bytes:
    data = MESSAGE
    for at, length, new in mutations:
        data = data[:at] + new + data[at + length :]
    return data


def read(content_type: str, data: bytes, size: int) -> None:
    """What a service does with a message, as far as this package goes."""
    header = parse_content_type(content_type)
    if not is_mtom(header):
        read_envelope(parse(data, XmlLimits(), read_simple(header)))
        return
    root, documents = read_mtom(content_type, cut(data, size))
    message = read_envelope(parse(root.data, XmlLimits(), root.charset))
    content = document_content(message.body)
    if isinstance(content, Include):
        Claims([cid for cid, _, _ in documents if cid]).take(content)
    else:
        list(content.pieces())


def test_the_message_itself_is_read() -> None:
    read(WRITER.content_type, MESSAGE, 10)


@settings(max_examples=300)
@given(MUTATIONS, st.integers(1, 100))
def test_x15_a_mutated_message_is_read_or_refused(mutations: list[tuple[int, int, bytes]], size: int) -> None:
    with contextlib.suppress(MimeError, XmlRefused, SoapFault):
        read(WRITER.content_type, mutated(mutations), size)


@given(st.text(max_size=40), st.integers(0, len(WRITER.content_type)))
def test_x15_a_mutated_content_type_is_read_or_refused(new: str, at: int) -> None:
    with contextlib.suppress(MimeError, XmlRefused, SoapFault):
        read(WRITER.content_type[:at] + new + WRITER.content_type[at:], MESSAGE, 1000)


@settings(max_examples=300)
@given(st.lists(TREES, max_size=4).map("".join), st.lists(TREES, max_size=2).map("".join))
def test_x15_any_headers_and_bodies_end_in_a_message_or_a_readable_fault(header: str, body: str) -> None:
    fault = fault_of(an_envelope(header, body))
    if fault is None:
        return

    again = read_envelope(parse(write_fault(fault, message_id="m"), XmlLimits()))

    found = read_fault(again.body)
    assert found is not None
    assert found.code == fault.code
    assert again.relates_to == fault.relates_to


def fault_of(data: bytes) -> SoapFault | None:
    try:
        read_fault(read_envelope(parse(data, XmlLimits())).body)
    except SoapFault as fault:
        return fault
    return None
