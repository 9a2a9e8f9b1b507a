"""XML in: bounded, without DTDs, and without anything that is fetched.

What it costs is bounded before the tree is built: an element takes at least four bytes and one `<`, an attribute or a
namespace declaration at least five bytes and one `=`, so short messages need no count at all.
"""

import re
import threading
from dataclasses import dataclass
from typing import Any

from lxml import etree

from common.soap.encoding import XmlRefused, to_utf8
from common.soap.vocabulary import parse_contained

__all__ = ["XmlLimits", "XmlRefused", "parse"]

PARSER_DEPTH = 256
_ELEMENT_BYTES = 4
_ATTRIBUTE_BYTES = 5
_PROLOG = re.compile(rb"(?:\xef\xbb\xbf)?+(?:[ \t\r\n]++|<\?.*?\?>|<!--.*?-->)*+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class XmlLimits:
    """How large a message may be: bytes, levels (the parser's own limit is 256), elements and attributes in all."""

    max_bytes: int = 8 * 2**20
    max_depth: int = PARSER_DEPTH
    max_elements: int = 200_000
    max_attributes: int = 400_000


class _Local(threading.local):
    """One parser per thread, since a parser shared by threads makes them wait for each other."""

    def __init__(self) -> None:
        self.parser = etree.XMLParser(
            encoding="utf-8",
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            dtd_validation=False,
            attribute_defaults=False,
            huge_tree=False,
            recover=False,
            remove_comments=True,
            remove_pis=True,
            collect_ids=False,
        )


_local = _Local()


def parse(data: bytes, limits: XmlLimits, charset: str | None = None) -> etree._Element:
    """The root element; XmlRefused when the bytes are malformed, over a limit, or have a DOCTYPE."""
    if len(data) > limits.max_bytes:
        raise XmlRefused(f"the XML is larger than {limits.max_bytes} bytes")
    text = to_utf8(data, charset)
    _check_prolog(text)
    _check_counts(text, limits)
    root = parse_contained(text, lambda: _parse(text))
    if root.getroottree().docinfo.internalDTD is not None:  # pragma: no cover - a second lock on the same door
        raise XmlRefused("the XML has a DOCTYPE")
    if limits.max_depth < PARSER_DEPTH and _is_deeper(root, limits.max_depth):
        raise XmlRefused(f"the XML is nested more than {limits.max_depth} levels deep")
    return root


def _check_prolog(text: bytes) -> None:
    """Between the start and the root element, where alone a DOCTYPE could stand, are only comments and the like."""
    prolog = _PROLOG.match(text)
    after = text[prolog.end() : prolog.end() + 9] if prolog else b""
    if after == b"<!DOCTYPE":
        raise XmlRefused("the XML has a DOCTYPE, which SOAP does not permit (SOAP 1.2 part 1 section 5)")
    if after[:1] != b"<" or after[1:2] in (b"!", b"?", b""):
        raise XmlRefused("the message is not XML")


def _check_counts(text: bytes, limits: XmlLimits) -> None:
    """Element and attribute limits, by counting bytes that each of them must have."""
    most = limits.max_elements
    if len(text) > most * _ELEMENT_BYTES and text.count(b"<") - text.count(b"</") > most:
        raise XmlRefused(f"the XML has more than {most} elements")
    most = limits.max_attributes
    if len(text) > most * _ATTRIBUTE_BYTES and text.count(b"=") > most:
        raise XmlRefused(f"the XML has more than {most} attributes")


def _parse(text: bytes) -> etree._Element:
    """lxml's answer, with its error told by kind and place, since its own words quote the message."""
    try:
        return etree.fromstring(text, _local.parser)
    except etree.XMLSyntaxError as error:
        raise XmlRefused(_why(error)) from None


def _why(error: etree.XMLSyntaxError) -> str:
    """The parser's complaint as a sentence without content."""
    told: Any = error  # the type stubs know neither code nor entries
    # The log holds what this thread's earlier parses complained of as well: ours is the last of our kind.
    kind: str = next((entry.type_name for entry in reversed(list(told.error_log)) if entry.type == told.code), "other")
    kind = kind.removeprefix("ERR_").replace("_", " ").lower()
    if kind == "resource limit":
        return f"the XML is nested more than {PARSER_DEPTH} levels deep, or has a name or value without end"
    line, column = error.position
    return f"the XML is not well formed: {kind[:80]} (line {line}, column {column})"


def _is_deeper(root: etree._Element, most: int) -> bool:
    """Whether any element has more than `most` - 1 ancestors."""
    return bool(root.xpath(f"boolean(/{'*/' * most}*)"))
