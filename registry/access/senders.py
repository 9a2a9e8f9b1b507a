"""Which systems may tell in whose care patients are: whoever opens a relationship opens a record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from common.access import Act, What, Who, judge
from common.audit import current
from common.db import Work
from registry.access.guard import Guard


@dataclass(frozen=True, slots=True)
class Senders:
    """Judges the sender of the message that is being carried out, which is a system by its certificate."""

    guard: Guard
    sender: Callable[[], Who]

    def may_tell(self, work: Work, organisation: str, patient_id: str) -> bool:
        """Whether it has the right to feed and, where the directory says whose it is, tells of that organisation."""
        here = self.guard.standing(work, self.sender(), ())
        decision = judge(here, What(Act.FEED), patient_id)
        current().judged(decision, patient_id)
        if not decision.allowed:
            return False
        own = here.within[:1]
        return not own or own[0] in self.guard.operators(work, organisation, here)
