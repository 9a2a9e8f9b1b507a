"""Units of work that lose races are carried out again."""

from __future__ import annotations

import itertools
import logging
import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

from common.db.database import Conflict, DatabaseBusy

log = logging.getLogger("portolan.db")

Result = TypeVar("Result")

_TRIES: Final = 8
_PATIENCE: Final = 5.0
_PAUSE: Final = 0.005


def decided(run: Callable[[], Result], *, pause: Callable[[float], None] = time.sleep) -> Result:
    """Carry out a unit of work, and again from the start when it lost a race or the database was busy.

    The pauses between double each time and are drawn at random, so that those who met once don't meet again. Raises
    DatabaseBusy after eight tries or five seconds, of lost races too: nothing happened, the same may succeed later.
    """
    begun = time.monotonic()
    for number in itertools.count(1):
        try:
            return run()
        except (Conflict, DatabaseBusy) as error:
            if number == _TRIES or time.monotonic() - begun > _PATIENCE:
                if isinstance(error, DatabaseBusy):
                    raise
                raise DatabaseBusy(f"lost {number} races, the last because {error}") from error
            log.info("lost a race; deciding again")
            # The second try is at once: whoever won has committed by now.
            if number > 1:
                pause(random.uniform(0.5, 1) * _PAUSE * 2**number)  # noqa: S311
    raise AssertionError
