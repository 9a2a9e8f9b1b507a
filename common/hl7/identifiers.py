"""Identifiers of patients in HL7 v2 fields (data type CX), with the authority that gave them."""

from __future__ import annotations

from dataclasses import dataclass

from common.hl7.message import Message
from common.hl7.types import is_oid


@dataclass(frozen=True, slots=True)
class Identifier:
    """An id and its assigning authority: by OID, by the name of a namespace, or both."""

    id: str
    namespace: str = ""
    oid: str = ""

    def cx(self) -> str:
        """As XDS writes it (ITI TF-3 Table 4.2.3.1.7-2)."""
        return f"{self.id}^^^&{self.oid}&ISO"


def parse_cx(text: str) -> Identifier:
    """An id as XDS writes it; ValueError for anything else."""
    parts = text.split("^")
    authority = parts[3].split("&") if len(parts) == 4 else []
    good = len(authority) == 3 and authority[0] == "" and is_oid(authority[1]) and authority[2] == "ISO"
    if not good or not parts[0].strip() or parts[1:3] != ["", ""]:
        raise ValueError("a patient id is written ID^^^&OID&ISO")
    return Identifier(parts[0].strip(), oid=authority[1])


def read_identifier(message: Message, value: str) -> Identifier:
    """One repetition of PID-3 or MRG-1: CX.1 and CX.4."""
    universal = message.component(value, 4, 2)
    kind = message.component(value, 4, 3)
    return Identifier(
        message.component(value, 1), message.component(value, 4, 1), universal if kind in ("ISO", "") else ""
    )
