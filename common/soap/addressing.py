"""Where an answer goes that does not go back in the HTTP response (WS-Addressing 1.0 Core section 3.4)."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Final

from lxml import etree

from common.soap import faults
from common.soap.envelope import ANONYMOUS, Envelope, own_blocks
from common.soap.faults import SOAP, SOAP_11, WSA, SoapFault

NONE: Final = f"{WSA}/none"
MAX_PARAMETERS: Final = 16 * 1024
"""Bytes of all reference parameters of one endpoint."""
_MAX_COUNT: Final = 32
_IS_PARAMETER: Final = f"{{{WSA}}}IsReferenceParameter"
_PARAMETERS: Final = f"{{{WSA}}}ReferenceParameters"
_SECURITY: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_OURS_TO_WRITE: Final = frozenset({WSA, SOAP, SOAP_11, _SECURITY})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address, and the header blocks that a message to it has to carry."""

    address: str
    parameters: bytes = b""

    @property
    def is_nowhere(self) -> bool:
        """Whether what is sent there is to be dropped."""
        return self.address == NONE


@dataclass(frozen=True, slots=True)
class Way:
    """Where a request wants its answer, and a fault; ``None`` stands for the HTTP response."""

    reply: Endpoint | None
    fault: Endpoint | None

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address that something may be sent to."""
        ends = (self.reply, self.fault)
        return tuple(dict.fromkeys(end.address for end in ends if end is not None and not end.is_nowhere))


def way_of(envelope: Envelope) -> Way | None:
    """Where answer and fault go; ``None`` when both go into the HTTP response, as nearly always.

    SoapFault for a request whose answer could not be told from others: it needs a wsa:MessageID.
    """
    if envelope.reply_to in _HERE and envelope.fault_to in _HERE:
        return None
    reply = _endpoint(envelope, "ReplyTo", envelope.reply_to)
    fault = reply if envelope.fault_to is None else _endpoint(envelope, "FaultTo", envelope.fault_to)
    way = Way(reply, fault)
    if way.addresses and not envelope.message_id:
        told = "A request whose answer goes elsewhere needs a wsa:MessageID."
        raise SoapFault(faults.HEADER_REQUIRED, told, detail=faults.problem_header("MessageID"))
    return way


_HERE: Final = (None, ANONYMOUS)


def _endpoint(envelope: Envelope, name: str, address: str | None) -> Endpoint | None:
    if address in _HERE:
        return None
    if not address:
        raise SoapFault(faults.INVALID_ADDRESS, f"wsa:{name} has no address.", detail=faults.problem_header(name))
    blocks = [block for block in own_blocks(envelope.header) if block.tag == f"{{{WSA}}}{name}"]
    children = [child for block in blocks for each in block.findall(_PARAMETERS) for child in each.iterchildren("*")]
    return Endpoint(address, _echoed(children, name))


def _echoed(children: list[etree._Element], name: str) -> bytes:
    """Reference parameters as the header blocks that they become (WS-Addressing SOAP Binding section 3.2).

    Those that would be headers of our own making are refused: nobody else says who we are or what we mean.
    """
    if any(etree.QName(child).namespace in _OURS_TO_WRITE for child in children):
        raise _not_taken(name, "hold a header block of SOAP, WS-Addressing or WS-Security")
    if len(children) > _MAX_COUNT:
        raise _not_taken(name, f"are more than {_MAX_COUNT}")
    out = b""
    for child in children:
        block = deepcopy(child)
        block.set(_IS_PARAMETER, "true")
        out += etree.tostring(block, with_tail=False)
        if len(out) > MAX_PARAMETERS:
            raise _not_taken(name, f"are larger than {MAX_PARAMETERS} bytes")
    return out


def _not_taken(name: str, told: str) -> SoapFault:
    reason = f"The reference parameters of wsa:{name} {told}."
    return SoapFault(faults.INVALID_HEADER, reason, detail=faults.problem_header(name))
