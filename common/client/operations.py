"""The transactions as zeep has them from our WSDLs: operations, types, addressing headers.

The WSDLs are read from disk, once per process, and nothing that they or an answer might name is ever fetched.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import zeep
from lxml import etree
from zeep.transports import Transport
from zeep.xsd.valueobjects import CompoundValue

from common import wsdl
from common.ebxml.objects import Element
from common.soap.envelope import ANONYMOUS
from common.soap.faults import SOAP, WSA, WSSE
from common.standard.transactions import Transaction

# Half of zeep is typed, and the half that is used here is not.
_ZEEP: Final[Any] = zeep
_SETTINGS: Final = _ZEEP.Settings(
    strict=True, raw_response=True, forbid_dtd=True, forbid_entities=True, forbid_external=True
)
Post = Callable[[bytes, str], Any]


class _Splice:
    """What zeep asks to write a value whose type is not that of the schema."""

    def render(self, node: Element, value: Raw, *_: object) -> None:
        """Put the value into its element."""
        for name, text in value.attributes.items():
            node.set(name, text)
        node.extend(list(value.children))


class Raw(CompoundValue):
    """A value that zeep is given for an element which is made already: its attributes and children are put in."""

    _xsd_type = _Splice()  # type: ignore[assignment]
    attributes: Mapping[str, str]
    children: Sequence[Element]

    def __init__(self, attributes: Mapping[str, str], children: Sequence[Element]) -> None:
        """In the one place where zeep's values keep what they hold."""
        self.__values__ = OrderedDict[str, Any](attributes=attributes, children=children)


_DECLARATION: Final = re.compile(rb"^\s*<\?xml[^>]*\?>\s*")


class _Addressing(zeep.Plugin):
    """What zeep's own addressing leaves out: an id of our choice, ReplyTo, mustUnderstand (ITI TF-2x V.3.6)."""

    def __init__(self, message_id: str, reply_to: str) -> None:
        self._message_id, self._reply_to = message_id, reply_to

    def egress(self, envelope: Element, http_headers: Any, operation: object, options: object) -> tuple[Element, Any]:
        """Complete the headers of a message."""
        [header] = envelope.iterchildren(f"{{{SOAP}}}Header")
        for block in header:
            if block.tag == f"{{{WSA}}}Action":
                block.set(f"{{{SOAP}}}mustUnderstand", "1")
            elif block.tag == f"{{{WSA}}}MessageID":
                block.text = self._message_id
        reply_to = etree.SubElement(header, f"{{{WSA}}}ReplyTo")
        etree.SubElement(reply_to, f"{{{WSA}}}Address").text = self._reply_to
        return envelope, http_headers


class _Disk(Transport):
    """Gives zeep the files of ``common.wsdl`` and nothing else."""

    def __init__(self) -> None:
        """Without the session that zeep's own transport would open."""
        self._close_session = False

    def load(self, url: str) -> bytes:
        """The bytes of a file; KeyError for any other address."""
        return wsdl.local_path(Path(url).name).read_bytes()


class _Sender(_Disk):
    """Hands the envelope that zeep made on to the code that sends it."""

    def __init__(self, post: Post, assertion: bytes) -> None:
        super().__init__()
        self._post, self._assertion = post, assertion

    def post_xml(self, address: str, envelope: Element, headers: Mapping[str, str]) -> Any:
        """What the sending returns, which zeep returns in turn."""
        data = etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")
        if self._assertion:
            data = _identified(data, envelope.prefix or "", self._assertion)
        return self._post(data, headers["Content-Type"])


def _identified(data: bytes, prefix: str, assertion: bytes) -> bytes:
    """The message with a security header (ITI TF-2 3.40.4.1.2).

    Spliced in as bytes: as a part of the tree its prefixes might be written otherwise, and its signature be lost.
    """
    bare = _DECLARATION.sub(b"", assertion, count=1)
    end = f"</{prefix}:Header>".encode()
    header = f'<wsse:Security xmlns:wsse="{WSSE}" {prefix}:mustUnderstand="1">'.encode() + bare + b"</wsse:Security>"
    return data.replace(end, header + end, 1)


@cache
def _operations() -> dict[str, tuple[Any, Any, str]]:
    """WSDL document, binding and operation by wsa:Action."""
    found: dict[str, tuple[Any, Any, str]] = {}
    for name in wsdl.WSDLS:
        document = _ZEEP.wsdl.Document(str(wsdl.local_path(name)), _Disk(), settings=_SETTINGS)
        for binding in document.bindings.values():
            for operation in binding.all().values():
                found[operation.abstract.wsa_action] = document, binding, operation.name
    return found


def call(
    transaction: Transaction,
    url: str,
    message_id: str,
    body: Mapping[str, Any],
    post: Post,
    *,
    reply_to: str = ANONYMOUS,
    assertion: bytes = b"",
) -> Any:
    """Let zeep make the message; ``post`` is given the envelope and its Content-Type, and its result comes back.

    ``assertion`` is a signed SAML 2.0 assertion that says who asks.

    ValueError when the body is not of the schema, or holds what XML cannot.
    """
    document, binding, name = _operations()[transaction.action]
    client = _ZEEP.Client(
        document, transport=_Sender(post, assertion), plugins=[_Addressing(message_id, reply_to)], settings=_SETTINGS
    )
    try:
        return _ZEEP.proxy.ServiceProxy(client, binding, address=url)[name](**body)
    except zeep.exceptions.ValidationError as error:
        raise ValueError(f"{transaction.label} cannot be written: {error.message}") from error
