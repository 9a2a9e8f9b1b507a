"""AdhocQueryRequest as XML (ITI TF-2 3.18.4.1.2). What its values mean is for the rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from xml.sax.saxutils import escape

from common.ebxml import names as n
from common.ebxml.fragments import attribute
from common.ebxml.objects import Element
from common.standard.identifiers import QUERY, RIM


class ReturnType(StrEnum):
    """Whether whole objects come back, or their ids only."""

    LEAF_CLASS = "LeafClass"
    OBJECT_REF = "ObjectRef"


@dataclass(frozen=True, slots=True)
class AdhocQuery:
    """A stored query as asked: its id in lower case, and its Slots in order, repeats included."""

    id: str
    return_type: str
    slots: tuple[tuple[str, tuple[str, ...]], ...]
    home: str | None = None


def _values(slot: Element) -> tuple[str, ...]:
    """Every Value, the empty ones too: an empty value is the sender's mistake to hear of."""
    return tuple((value.text or "").strip() for value in slot.iter(n.VALUE))


def read_query(request: Element) -> AdhocQuery:
    """The query of an AdhocQueryRequest; missing parts are empty text."""
    option, query = request.find(n.RESPONSE_OPTION), request.find(n.ADHOC_QUERY)
    return_type = "" if option is None else option.get("returnType", ReturnType.LEAF_CLASS)
    if query is None:
        return AdhocQuery("", return_type, ())
    slots = tuple((slot.get("name", ""), _values(slot)) for slot in query if slot.tag == n.SLOT)
    return AdhocQuery(query.get("id", "").strip().lower(), return_type, slots, query.get("home"))


def write_query(query: AdhocQuery) -> bytes:
    """``query:AdhocQueryRequest``."""
    home = f' home="{attribute(query.home)}"' if query.home else ""
    return (
        f'<query:AdhocQueryRequest xmlns:query="{QUERY}" xmlns:rim="{RIM}">'
        f'<query:ResponseOption returnComposedObjects="true" returnType="{attribute(query.return_type)}"/>'
        f'<rim:AdhocQuery id="{attribute(query.id)}"{home}>{"".join(_slots(query.slots))}</rim:AdhocQuery>'
        "</query:AdhocQueryRequest>"
    ).encode()


def _slots(slots: Iterable[tuple[str, tuple[str, ...]]]) -> Iterable[str]:
    for name, values in slots:
        inner = "".join(f"<rim:Value>{escape(value)}</rim:Value>" for value in values)
        yield f'<rim:Slot name="{attribute(name)}"><rim:ValueList>{inner}</rim:ValueList></rim:Slot>'
