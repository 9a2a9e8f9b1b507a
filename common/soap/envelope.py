"""SOAP 1.2 envelopes with WS-Addressing 1.0 headers: read from a tree, written by splicing bytes.

Which action is served, and whether an address may be answered, is for the caller to decide.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from lxml import etree

from common.soap import faults
from common.soap.faults import SOAP, SOAP_11, WSA, QName, SoapFault
from common.soap.text import escape

ANONYMOUS = f"{WSA}/anonymous"
MAX_VALUE = 2000

_ENVELOPE = f"{{{SOAP}}}Envelope"
_HEADER = f"{{{SOAP}}}Header"
_BODY = f"{{{SOAP}}}Body"
_MUST_UNDERSTAND = f"{{{SOAP}}}mustUnderstand"
_ROLE = f"{{{SOAP}}}role"
_ADDRESS = f"{{{WSA}}}Address"
_REPLY = f"{WSA}/reply"
_ROLES = frozenset({f"{SOAP}/role/next", f"{SOAP}/role/ultimateReceiver", ""})
_TEXTS = {f"{{{WSA}}}{name}": name for name in ("Action", "MessageID", "To")}
_ENDPOINTS = {f"{{{WSA}}}{name}": name for name in ("ReplyTo", "FaultTo", "From")}
_RELATES_TO = f"{{{WSA}}}RelatesTo"
_KNOWN = frozenset({*_TEXTS, *_ENDPOINTS, _RELATES_TO})


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message read: addressing values (stripped, at most 2,000 characters), the header and the body's one child."""

    action: str
    message_id: str | None
    to: str | None
    reply_to: str | None
    fault_to: str | None
    relates_to: str | None
    header: etree._Element | None
    body: etree._Element


def read_envelope(root: etree._Element, understood: Collection[str] = ()) -> Envelope:
    """The envelope, or SoapFault; `understood` names header blocks (`{namespace}local`) that the caller deals with."""
    try:
        header, body = _frame(root)
    except SoapFault as fault:
        fault.relates_to = _message_id(root.iterfind(f"{_HEADER}/*"))
        raise
    blocks = own_blocks(header)
    values = _Values()
    try:
        _check_understood(blocks, understood)
        for block in blocks:
            values.take(block)
        action = values.texts.get("Action")
        if not action:
            raise SoapFault(faults.HEADER_REQUIRED, "wsa:Action is missing.", detail=faults.problem_header("Action"))
        content = _only_child(body)
    except SoapFault as fault:
        fault.relates_to = _message_id(blocks)
        raise
    get = values.texts.get
    return Envelope(
        action, get("MessageID"), get("To"), get("ReplyTo"), get("FaultTo"), values.relates_to, header, content
    )


def own_blocks(header: etree._Element | None) -> list[etree._Element]:
    """The header blocks that are addressed to us."""
    return [block for block in header if _is_for_us(block)] if header is not None else []


def write_envelope(
    action: str,
    body: bytes,
    *,
    message_id: str,
    relates_to: str | None = None,
    to: str | None = None,
    reply_to: str | None = None,
    security: bytes = b"",
) -> bytes:
    """The message in UTF-8; `body` and `security` are elements that declare their own prefixes."""
    before, after = envelope_parts(
        action, message_id=message_id, relates_to=relates_to, to=to, reply_to=reply_to, security=security
    )
    return b"".join((before, body, after))


def envelope_parts(
    action: str,
    *,
    message_id: str,
    relates_to: str | None = None,
    to: str | None = None,
    reply_to: str | None = None,
    security: bytes = b"",
    parameters: bytes = b"",
) -> tuple[bytes, bytes]:
    """What stands before and after the body's child, for answers that are written in pieces.

    ``parameters`` are the reference parameters of the endpoint that the message goes to, as header blocks.
    """
    header = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<s:Envelope xmlns:s="{SOAP}" xmlns:wsa="{WSA}"><s:Header>'
        f'<wsa:Action s:mustUnderstand="1">{escape(action)}</wsa:Action>'
        f"<wsa:MessageID>{escape(message_id)}</wsa:MessageID>"
    )
    if relates_to is not None:
        header += f"<wsa:RelatesTo>{escape(relates_to)}</wsa:RelatesTo>"
    if reply_to is not None:
        header += f"<wsa:ReplyTo><wsa:Address>{escape(reply_to)}</wsa:Address></wsa:ReplyTo>"
    if to is not None:
        header += f"<wsa:To>{escape(to)}</wsa:To>"
    return header.encode() + security + parameters + b"</s:Header><s:Body>", b"</s:Body></s:Envelope>"


class _Values:
    """The addressing headers met so far."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.relates_to: str | None = None

    def take(self, block: etree._Element) -> None:
        """Note the block if it is one of WS-Addressing's."""
        tag = block.tag
        if name := _TEXTS.get(tag):
            self._once(name, _text(block, name))
        elif name := _ENDPOINTS.get(tag):
            self._once(name, _address(block, name))
        elif tag == _RELATES_TO and block.get("RelationshipType", _REPLY).strip() == _REPLY:
            self.relates_to = self.relates_to or _text(block, "RelatesTo")

    def _once(self, name: str, value: str) -> None:
        """Each of these headers stands at most once (WS-Addressing 1.0 Core section 3.3)."""
        if name in self.texts:
            detail = faults.problem_header(name)
            raise SoapFault(faults.INVALID_CARDINALITY, f"wsa:{name} stands more than once.", detail=detail)
        self.texts[name] = value


def _frame(root: etree._Element) -> tuple[etree._Element | None, etree._Element]:
    """Header and Body, or the fault for what is not a SOAP 1.2 envelope of the right shape."""
    if root.tag != _ENVELOPE:
        raise SoapFault(faults.VERSION_MISMATCH, f"{_what_it_is(root)}; this address speaks SOAP 1.2.")
    tags = [child.tag for child in root]
    if tags == [_HEADER, _BODY]:
        return root[0], root[1]
    if tags == [_BODY]:
        return None, root[0]
    raise SoapFault(faults.SENDER, "The envelope must hold an optional Header, then one Body, and nothing else.")


def _what_it_is(root: etree._Element) -> str:
    """In words; whatever stands where an Envelope should is a mismatch of versions (SOAP 1.2 part 1 table 4)."""
    name = QName.of(root.tag)
    if name.local != "Envelope":
        return "The message is not a SOAP envelope"
    return "The envelope is SOAP 1.1" if name.namespace == SOAP_11 else "The envelope is an unknown version of SOAP"


def _is_for_us(block: etree._Element) -> bool:
    """Blocks for other roles are not ours to judge (SOAP 1.2 part 1 section 2.2)."""
    return block.get(_ROLE, "").strip() in _ROLES


def _is_mandatory(block: etree._Element) -> bool:
    """The value of s:mustUnderstand (SOAP 1.2 part 1 section 5.2.3), or a Sender fault when it is no boolean."""
    value = block.get(_MUST_UNDERSTAND)
    if value is None:
        return False
    stripped = value.strip()
    if stripped not in ("0", "1", "true", "false"):
        raise SoapFault(faults.SENDER, "An s:mustUnderstand attribute is neither true nor false.")
    return stripped in ("1", "true")


def _check_understood(blocks: Iterable[etree._Element], understood: Collection[str]) -> None:
    """A mandatory block that nobody here understands ends the message (SOAP 1.2 part 1 section 5.4.8)."""
    unknown = [
        block.tag
        for block in blocks
        if _is_mandatory(block) and block.tag not in _KNOWN and block.tag not in understood
    ]
    if unknown:
        names = [QName.of(tag) for tag in dict.fromkeys(unknown)]
        told = ", ".join(name.local[:80] for name in names[:3])
        raise SoapFault(faults.MUST_UNDERSTAND, f"Mandatory header not understood: {told}.", not_understood=names[:20])


def _text(block: etree._Element, name: str) -> str:
    """The block's text, stripped and bounded."""
    value = (block.text or "").strip()
    if len(value) > MAX_VALUE or len(block):
        reason = f"wsa:{name} must be plain text of at most {MAX_VALUE} characters."
        raise SoapFault(faults.INVALID_HEADER, reason, detail=faults.problem_header(name))
    return value


def _address(block: etree._Element, name: str) -> str:
    """The one address of an endpoint reference (WS-Addressing 1.0 Core section 2)."""
    addresses = block.findall(_ADDRESS)
    if len(addresses) != 1:
        kind = faults.INVALID_CARDINALITY if addresses else faults.MISSING_ADDRESS
        raise SoapFault(kind, f"wsa:{name} must hold one wsa:Address.", detail=faults.problem_header(name))
    return _text(addresses[0], name)


def _message_id(blocks: Iterable[etree._Element]) -> str | None:
    """The request's id for the fault's wsa:RelatesTo, when there is exactly one that can be repeated."""
    found = [block for block in blocks if block.tag == f"{{{WSA}}}MessageID"]
    value = (found[0].text or "").strip() if len(found) == 1 else ""
    return value if value and len(value) <= MAX_VALUE else None


def _only_child(body: etree._Element) -> etree._Element:
    """The body's one child: no transaction here has none, or two."""
    if len(body) != 1:
        raise SoapFault(faults.SENDER, "The SOAP Body must hold exactly one element.")
    return body[0]
