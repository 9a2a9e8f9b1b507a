"""The values of a DICOM AuditMessage (DICOM PS3.15 A.5, as ITI TF-2 3.20 uses it)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

DCM: Final = "DCM"
IHE: Final = "IHE Transactions"
RFC_3881: Final = "RFC-3881"


@dataclass(slots=True, unsafe_hash=True)
class Code:
    """A coded value: its code, the code's system, and what it says. Not to be changed: ``xml`` is kept."""

    code: str
    system: str
    text: str
    display: str = ""
    xml: str = field(default="", compare=False, repr=False)


@dataclass(slots=True, unsafe_hash=True)
class Participant:
    """Somebody, or some system, that took part; ``network`` is its host. Not to be changed: ``xml`` is kept."""

    user_id: str
    is_requestor: bool
    alternative_id: str = ""
    name: str = ""
    network: str = ""
    roles: tuple[Code, ...] = ()
    xml: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Source:
    """Who writes the record: ``kind`` is 4 for an application server, 1 for what a user sits at."""

    id: str
    site: str = ""
    kind: str = "4"


Detail = tuple[str, str]
"""What a detail is, and its value as text."""


@dataclass(slots=True)
class Subject:
    """A ParticipantObjectIdentification: what was acted on."""

    id: str
    type_code: str
    role: str
    id_type: Code
    life_cycle: str = ""
    query: bytes | None = None
    details: tuple[Detail, ...] = ()
    name: str = ""


@dataclass(slots=True)
class AuditMessage:
    """One record."""

    event: Code
    action: str
    outcome: int
    participants: tuple[Participant, ...]
    source: Source
    types: tuple[Code, ...] = ()
    description: str = ""
    purposes: tuple[Code, ...] = ()
    subjects: tuple[Subject, ...] = ()


@lru_cache(maxsize=1024)
def network_kind(host: str) -> str:
    """The NetworkAccessPointTypeCode: 2 for an IP address, 1 for a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "1"
    return "2"
