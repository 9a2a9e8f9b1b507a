"""Verdicts of the query JudgeAccess as ObjectRefs with Slots, which ebRIM 3.0 allows for."""

from __future__ import annotations

from typing import Final

from common.access.asking import Verdict
from common.ebxml import names as n
from common.ebxml.fragments import attribute
from common.ebxml.objects import Element

_PREFIX: Final = "urn:portolan:access:"
_TEXTS: Final = ("rule", "unique_id", "patient_id", "emergency")


def write_verdict(verdict: Verdict, name: str) -> bytes:
    """``rim:ObjectRef`` with what was decided."""
    told = {"allowed": "true" if verdict.allowed else "false"}
    told |= {field: getattr(verdict, field) for field in _TEXTS if getattr(verdict, field)}
    slots = "".join(
        f'<rim:Slot name="{_PREFIX}{field}"><rim:ValueList><rim:Value>{attribute(value)}</rim:Value></rim:ValueList>'
        "</rim:Slot>"
        for field, value in told.items()
    )
    return f'<rim:ObjectRef id="{attribute(name)}">{slots}</rim:ObjectRef>'.encode()


def read_verdicts(objects: Element) -> list[Verdict]:
    """Verdicts out of a RegistryObjectList; what does not say that it allows refuses."""
    found = []
    for each in objects.iterchildren(n.OBJECT_REF):
        told = {
            slot.get("name", "").removeprefix(_PREFIX): slot.findtext(f"{n.VALUE_LIST}/{n.VALUE}", "")
            for slot in each.iterchildren(n.SLOT)
        }
        texts = {field: told.get(field, "") for field in _TEXTS}
        found.append(Verdict(told.get("allowed") == "true", **texts))
    return found
