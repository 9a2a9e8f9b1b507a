"""Identifiers of patients in HL7 v2 fields (data type CX), with the authority that gave them."""

from __future__ import annotations

from dataclasses import dataclass

from common.hl7.message import Message


@dataclass(frozen=True, slots=True)
class Identifier:
    """An id and its assigning authority: by OID, by the name of a namespace, or both."""

    id: str
    namespace: str = ""
    oid: str = ""

    def cx(self) -> str:
        """As XDS writes it (ITI TF-3 Table 4.2.3.1.7-2)."""
        return f"{self.id}^^^&{self.oid}&ISO"


def read_identifier(message: Message, value: str) -> Identifier:
    """One repetition of PID-3 or MRG-1: CX.1 and CX.4."""
    universal = message.component(value, 4, 2)
    kind = message.component(value, 4, 3)
    return Identifier(
        message.component(value, 1), message.component(value, 4, 1), universal if kind in ("ISO", "") else ""
    )
