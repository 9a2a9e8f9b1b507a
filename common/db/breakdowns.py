"""What a neighbour is told when a service broke down over its message: a sentence; the log has the rest."""

from __future__ import annotations

import logging
from typing import Final

from common.db.database import DatabaseBusy, DatabaseFull

log = logging.getLogger("portolan.breakdowns")

_TOLD: Final = (
    (DatabaseBusy, "the {} is busy: send the same message again later"),
    (DatabaseFull, "the {} has no room: its operator has to make some"),
    (Exception, "the {} failed: send the same message again, or tell its operator"),
)


def told_of(error: Exception, service: str, label: str) -> str:
    """What is safe to do next, after any exception that nobody foresaw; ``service`` as in `the registry`.

    It is logged with its traceback, but for a busy or full database: that needs an operator, not an engineer.
    """
    if isinstance(error, DatabaseBusy | DatabaseFull):
        log.error("could not carry out %s: %s: %s", label, type(error).__name__, error)
    else:
        log.error("broke down in %s", label, exc_info=error)
    return next(told for kind, told in _TOLD if isinstance(error, kind)).format(service)
