"""Units of work that lose races are carried out again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from common.db.database import Conflict, DatabaseBusy

log = logging.getLogger("portolan.db")

Result = TypeVar("Result")


def decided(run: Callable[[], Result], *, tries: int = 3) -> Result:
    """Carry out a unit of work, and again from the start when it lost a race or the database was busy.

    Raises the last Conflict or DatabaseBusy after so many ``tries``.
    """
    for _ in range(tries - 1):
        try:
            return run()
        except (Conflict, DatabaseBusy):
            log.info("lost a race; deciding again")
    return run()
