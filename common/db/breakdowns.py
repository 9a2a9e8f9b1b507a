"""What a neighbour is told when a service broke down over its message: a sentence without detail."""

from __future__ import annotations

from typing import Final

from common.db.database import DatabaseBusy, DatabaseFull

_TOLD: Final = (
    (DatabaseBusy, "the {} is busy: send the same message again later"),
    (DatabaseFull, "the {} has no room: its operator has to make some"),
    (Exception, "the {} failed: send the same message again, or tell its operator"),
)


def told_of(error: Exception, service: str) -> str:
    """What is safe to do next, after any exception that nobody foresaw; ``service`` as in `the registry`."""
    return next(told for kind, told in _TOLD if isinstance(error, kind)).format(service)
