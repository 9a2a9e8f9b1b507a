"""What the registry knows of documents that are to move with a local patient id."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Tied:
    """A current Association between two documents."""

    entry_uuid: str
    type: str
    source: str
    target: str


@dataclass(slots=True)
class Moving:
    """The documents of a local id under one patient, and all that is current around them."""

    entries: set[str]
    relationships: list[Tied] = field(default_factory=list)
    members: dict[str, set[str]] = field(default_factory=dict)
    """Of each current Folder that holds one of them: its current documents."""
    current: set[str] = field(default_factory=set)
    """Documents at the other ends of relationships that are current."""
