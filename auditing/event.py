"""What an audit record tells (DICOM PS3.15 A.5, ITI TF-2 3.20.4.1.1), as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

PATIENT: Final = ("1", "1")
"""ParticipantObjectTypeCode and …Role of a patient."""
QUERY: Final = ("2", "24")
DOCUMENT: Final = ("2", "3")


@dataclass(frozen=True, slots=True)
class Coded:
    """A code, whose it is, and what it is called."""

    code: str
    system: str = ""
    display: str = ""

    @property
    def shown(self) -> str:
        """What people read."""
        return self.display or self.code


@dataclass(frozen=True, slots=True)
class Participant:
    """A person or a system that took part."""

    user_id: str
    alternative: str = ""
    name: str = ""
    requestor: bool = False
    network: str = ""
    network_type: str = ""
    roles: tuple[Coded, ...] = ()


@dataclass(frozen=True, slots=True)
class Object:
    """What it was about; ``query`` is what was asked for, as it was sent."""

    id: str
    type: str = ""
    role: str = ""
    lifecycle: str = ""
    id_type: Coded = Coded("")
    name: str = ""
    query: bytes = b""
    details: tuple[tuple[str, bytes], ...] = ()

    def detail(self, *names: str) -> str:
        """The first detail of one of these types, whatever its case."""
        wanted = {name.lower() for name in names}
        return next((value.decode("utf-8", "replace") for kind, value in self.details if kind.lower() in wanted), "")


@dataclass(frozen=True, slots=True)
class Event:
    """One record; ``at`` is in microseconds since 1970, or None where it tells no time."""

    id: Coded
    types: tuple[Coded, ...] = ()
    action: str = ""
    at: int | None = None
    outcome: str = "0"
    description: str = ""
    purposes: tuple[Coded, ...] = ()
    participants: tuple[Participant, ...] = ()
    source: str = ""
    site: str = ""
    source_types: tuple[Coded, ...] = ()
    objects: tuple[Object, ...] = ()

    @property
    def patients(self) -> Iterator[Object]:
        """The patients that it is about."""
        return (each for each in self.objects if (each.type, each.role) == PATIENT)

    @property
    def failed(self) -> bool:
        """Whether what was asked for was not done."""
        return self.outcome not in ("", "0")
