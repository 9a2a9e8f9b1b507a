"""Long work that lets short work go first, where both share a processor.

Whoever takes in gigabytes is woken thousands of times a second, and each time would take the processor from whoever
answers a query that takes a millisecond. As a batch thread it waits for its turn instead (sched(7)); it gets no less
of the processor for that. Threads that it starts are batch threads too.
"""

from __future__ import annotations

import os
from contextlib import suppress


class GivingWay:
    """The calling thread's way of waiting, while a large document passes."""

    __slots__ = ("_is_on",)

    def __init__(self) -> None:
        self._is_on = False

    def begin(self) -> None:
        """From now on; to be ended by the same thread."""
        if not self._is_on:
            self._is_on = True
            _set("SCHED_BATCH")

    def end(self) -> None:
        """As before."""
        if self._is_on:
            self._is_on = False
            _set("SCHED_OTHER")


def _set(policy: str) -> None:
    """A system without such policies, or one that forbids it, does without."""
    with suppress(AttributeError, OSError):
        os.sched_setscheduler(0, getattr(os, policy), os.sched_param(0))
