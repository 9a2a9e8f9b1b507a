"""SOAP 1.2 faults as a table and as bytes (SOAP 1.2 part 1 section 5.4; WS-Addressing 1.0 SOAP Binding section 6)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from lxml import etree

from common.soap.text import escape

SOAP = "http://www.w3.org/2003/05/soap-envelope"
SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
WSA = "http://www.w3.org/2005/08/addressing"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
ADDRESSING_FAULT_ACTION = f"{WSA}/fault"
SOAP_FAULT_ACTION = f"{WSA}/soap/fault"


class FaultCode(StrEnum):
    """The five codes of SOAP 1.2 (part 1 section 5.4.6)."""

    SENDER = "Sender"
    RECEIVER = "Receiver"
    VERSION_MISMATCH = "VersionMismatch"
    MUST_UNDERSTAND = "MustUnderstand"
    DATA_ENCODING_UNKNOWN = "DataEncodingUnknown"


@dataclass(frozen=True, slots=True)
class QName:
    """A qualified name that a fault speaks of; the prefix is what we write it with."""

    namespace: str
    local: str
    prefix: str = "q"

    @classmethod
    def of(cls, tag: str) -> "QName":
        """From lxml's `{namespace}local`."""
        name = etree.QName(tag)
        return cls(name.namespace or "", name.localname, "wsa" if name.namespace == WSA else "q")


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One row of the table of faults: its codes, its HTTP status and what it says when nothing better is known."""

    code: FaultCode
    reason: str
    subcode: QName | None = None
    detail_code: QName | None = None

    @property
    def http_status(self) -> int:
        """500 when the failure is ours, 400 when the sender must change something.

        SOAP 1.2 part 2 table 20 has 500 for VersionMismatch and MustUnderstand too; but those are the sender's to
        mend, and whoever watches a service counts each 500 as its failure.
        """
        return 500 if self.code is FaultCode.RECEIVER else 400

    @property
    def action(self) -> str:
        """The wsa:Action of the fault message (WS-Addressing SOAP Binding section 6)."""
        wsa = self.subcode is not None and self.subcode.namespace == WSA
        return ADDRESSING_FAULT_ACTION if wsa else SOAP_FAULT_ACTION


def _wsa(local: str) -> QName:
    return QName(WSA, local, "wsa")


def _wsse(local: str) -> QName:
    return QName(WSSE, local, "wsse")


def _invalid_header(local: str, reason: str) -> FaultKind:
    return FaultKind(FaultCode.SENDER, reason, _wsa("InvalidAddressingHeader"), _wsa(local))


SENDER = FaultKind(FaultCode.SENDER, "The message is malformed.")
RECEIVER = FaultKind(FaultCode.RECEIVER, "The message could not be processed.")
VERSION_MISMATCH = FaultKind(FaultCode.VERSION_MISMATCH, "The message is not a SOAP 1.2 envelope.")
MUST_UNDERSTAND = FaultKind(FaultCode.MUST_UNDERSTAND, "A mandatory header block is not understood.")
DATA_ENCODING_UNKNOWN = FaultKind(FaultCode.DATA_ENCODING_UNKNOWN, "The encoding style is not supported.")
ACTION_NOT_SUPPORTED = FaultKind(
    FaultCode.SENDER, "The wsa:Action cannot be processed at this address.", _wsa("ActionNotSupported")
)
HEADER_REQUIRED = FaultKind(
    FaultCode.SENDER, "A required addressing header is missing.", _wsa("MessageAddressingHeaderRequired")
)
INVALID_HEADER = FaultKind(FaultCode.SENDER, "An addressing header is not valid.", _wsa("InvalidAddressingHeader"))
INVALID_CARDINALITY = _invalid_header("InvalidCardinality", "An addressing header occurs more than once.")
INVALID_ADDRESS = _invalid_header("InvalidAddress", "An address is not valid.")
# WS-Security: SOAP Message Security 1.1.1 section 12, as ITI TF-2 3.40 uses it.
INVALID_SECURITY = FaultKind(
    FaultCode.SENDER, "The wsse:Security header is missing or not valid.", _wsse("InvalidSecurity")
)
UNSUPPORTED_TOKEN = FaultKind(
    FaultCode.SENDER, "The security token is not of a supported kind.", _wsse("UnsupportedSecurityToken")
)
INVALID_TOKEN = FaultKind(FaultCode.SENDER, "The security token is not valid.", _wsse("InvalidSecurityToken"))
FAILED_AUTHENTICATION = FaultKind(
    FaultCode.SENDER, "The security token could not be authenticated.", _wsse("FailedAuthentication")
)
FAILED_CHECK = FaultKind(FaultCode.SENDER, "The signature is not valid.", _wsse("FailedCheck"))
TOKEN_UNAVAILABLE = FaultKind(
    FaultCode.SENDER, "A security token that is referred to is missing.", _wsse("SecurityTokenUnavailable")
)
MESSAGE_EXPIRED = FaultKind(FaultCode.SENDER, "The message has expired.", QName(WSU, "MessageExpired", "wsu"))
OF_SECURITY = frozenset({WSSE, WSU})
"""The namespaces of the subcodes that say that nobody was identified."""
MISSING_ADDRESS = _invalid_header("MissingAddressInEPR", "An endpoint reference has no address.")
ONLY_ANONYMOUS = _invalid_header(
    "OnlyAnonymousAddressSupported", "Answers are sent only in the HTTP response (anonymous address)."
)


class SoapFault(Exception):  # noqa: N818 - SOAP's own word
    """A message that is answered with a fault; `relates_to` is the request's wsa:MessageID where it was readable."""

    def __init__(
        self,
        kind: FaultKind,
        reason: str | None = None,
        *,
        not_understood: Iterable[QName] = (),
        detail: bytes = b"",
        relates_to: str | None = None,
    ) -> None:
        super().__init__(reason or kind.reason)
        self.kind = kind
        self.reason = reason or kind.reason
        self.not_understood = tuple(not_understood)
        self.detail = detail
        self.relates_to = relates_to

    @property
    def code(self) -> FaultCode:
        """The fault's code."""
        return self.kind.code

    @property
    def subcode(self) -> QName | None:
        """The first subcode, if any."""
        return self.kind.subcode

    @property
    def http_status(self) -> int:
        """The HTTP status the fault travels with."""
        return self.kind.http_status

    @property
    def action(self) -> str:
        """The wsa:Action of the fault message."""
        return self.kind.action


def problem_header(local: str) -> bytes:
    """A fault detail that names an addressing header (WS-Addressing SOAP Binding section 6.3.1)."""
    return f'<wsa:ProblemHeaderQName xmlns:wsa="{WSA}">wsa:{escape(local)}</wsa:ProblemHeaderQName>'.encode()


def problem_action(action: str) -> bytes:
    """A fault detail that names the unsupported action (WS-Addressing SOAP Binding section 6.3.3)."""
    inner = f"<wsa:Action>{escape(action)}</wsa:Action>"
    return f'<wsa:ProblemAction xmlns:wsa="{WSA}">{inner}</wsa:ProblemAction>'.encode()


def write_fault(
    fault: SoapFault, *, message_id: str, relates_to: str | None = None, to: str | None = None, parameters: bytes = b""
) -> bytes:
    """The fault as a whole SOAP 1.2 message in UTF-8; ``parameters`` are header blocks of the endpoint ``to``."""
    related = relates_to or fault.relates_to
    header = f'<wsa:Action s:mustUnderstand="1">{fault.action}</wsa:Action>'
    header += f"<wsa:MessageID>{escape(message_id)}</wsa:MessageID>"
    header += f"<wsa:RelatesTo>{escape(related)}</wsa:RelatesTo>" if related else ""
    header += f"<wsa:To>{escape(to)}</wsa:To>" if to else ""
    header += "".join(f"<s:NotUnderstood {_qname_attribute(name)}/>" for name in fault.not_understood)
    if fault.code is FaultCode.VERSION_MISMATCH:
        header += '<s:Upgrade><s:SupportedEnvelope qname="s:Envelope"/></s:Upgrade>'
    detail = b"<s:Detail>" + fault.detail + b"</s:Detail>" if fault.detail else b""
    start = f'<?xml version="1.0" encoding="UTF-8"?>\n<s:Envelope xmlns:s="{SOAP}" xmlns:wsa="{WSA}"><s:Header>{header}'
    told = (
        f"</s:Header><s:Body><s:Fault><s:Code>{_code(fault.kind)}</s:Code>"
        f'<s:Reason><s:Text xml:lang="en">{escape(fault.reason)}</s:Text></s:Reason>'
    )
    return start.encode() + parameters + told.encode() + detail + b"</s:Fault></s:Body></s:Envelope>"


def read_fault(body: etree._Element) -> SoapFault | None:
    """The fault that an answer's body is, or None when it is something else."""
    if body.tag != f"{{{SOAP}}}Fault":
        return None
    value = (body.findtext(f"{{{SOAP}}}Code/{{{SOAP}}}Value") or "").strip().rpartition(":")[2]
    code = FaultCode(value) if value in set(FaultCode) else FaultCode.RECEIVER
    text = (body.findtext(f"{{{SOAP}}}Reason/{{{SOAP}}}Text") or "").strip()[:2000]
    subcode = body.find(f"{{{SOAP}}}Code/{{{SOAP}}}Subcode/{{{SOAP}}}Value")
    return SoapFault(FaultKind(code, text or "No reason was given.", _resolved(subcode)))


def _resolved(value: etree._Element | None) -> QName | None:
    """The qualified name in an element's text, by the prefixes in scope there."""
    if value is None or not value.text:
        return None
    prefix, _, local = value.text.strip().rpartition(":")
    return QName(value.nsmap.get(prefix or None) or "", local[:200], prefix[:20] or "q")


def _code(kind: FaultKind) -> str:
    """The content of s:Code, subcodes nested from the inside out."""
    nested = ""
    for name in (kind.detail_code, kind.subcode):
        if name is not None:
            declared = f' xmlns:{name.prefix}="{escape(name.namespace)}"' if name.prefix not in ("s", "wsa") else ""
            nested = f"<s:Subcode><s:Value{declared}>{name.prefix}:{name.local}</s:Value>{nested}</s:Subcode>"
    return f"<s:Value>s:{kind.code}</s:Value>{nested}"


def _qname_attribute(name: QName) -> str:
    """`qname="…"` with the declaration its prefix needs (SOAP 1.2 part 1 section 5.4.8)."""
    if not name.namespace:
        return f'qname="{escape(name.local)}"'
    return f'qname="q:{escape(name.local)}" xmlns:q="{escape(name.namespace)}"'
