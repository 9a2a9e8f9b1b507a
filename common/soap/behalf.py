"""A header block by which one service of ours tells another in whose name it sends a message, as names and values.

It is believed of senders alone that may ask what others may do; for everybody else it says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from common.soap.envelope import own_blocks

NAMESPACE: Final = "urn:portolan:access"
_BLOCK: Final = f"{{{NAMESPACE}}}OnBehalfOf"
_VALUE: Final = f"{{{NAMESPACE}}}Value"
_MOST: Final = 512


def write_behalf(told: Iterable[tuple[str, tuple[str, ...]]]) -> bytes:
    """The block."""
    values = "".join(
        f"<o:Value name={quoteattr(name)}>{escape(value)}</o:Value>" for name, values in told for value in values
    )
    return f'<o:OnBehalfOf xmlns:o="{NAMESPACE}">{values}</o:OnBehalfOf>'.encode()


def read_behalf(header: etree._Element | None) -> Callable[[str], Iterable[str]] | None:
    """The values of a name in the one such block among the headers; None where there is none."""
    found = [block for block in own_blocks(header) if block.tag == _BLOCK]
    if len(found) != 1:
        return None
    told: dict[str, list[str]] = {}
    for value in list(found[0])[:_MOST]:
        if value.tag == _VALUE:
            told.setdefault(value.get("name", ""), []).append(value.text or "")
    return lambda name: told.get(name, ())
