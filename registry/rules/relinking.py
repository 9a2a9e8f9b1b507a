"""ITI-64: what moves with a local patient id, and what must not be torn apart (ITI TF-2 3.64.4.1.3)."""

from __future__ import annotations

from collections.abc import Iterator

from registry.moving import Moving, Tied


def torn(moving: Moving) -> Iterator[str]:
    """What stands in the way of moving documents to another patient without those they belong to."""
    for tie in moving.relationships:
        if ({tie.source, tie.target} - moving.entries) & moving.current:
            yield f"the relationship {tie.entry_uuid} joins a document that moves with one that does not"
    for folder, members in sorted(moving.members.items()):
        if members - moving.entries:
            yield f"the Folder {folder} holds a document that moves, and one that does not"


def inherited(moving: Moving, *, same_patient: bool) -> Iterator[Tied]:
    """The relationships that new versions have too: within one patient all, else those between two that move."""
    for tie in moving.relationships:
        if same_patient or {tie.source, tie.target} <= moving.entries:
            yield tie
