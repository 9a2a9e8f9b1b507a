"""Why nobody was identified."""

from __future__ import annotations

from common.soap.faults import FaultKind


class NotIdentified(Exception):  # noqa: N818
    """The row of the table of faults, and a sentence for the sender; nothing of the token is repeated in it."""

    def __init__(self, kind: FaultKind, told: str) -> None:
        super().__init__(told)
        self.kind, self.told = kind, told


def refused(kind: FaultKind, told: str) -> NotIdentified:
    """To be raised."""
    return NotIdentified(kind, told)
