"""Which systems may tell in whose care patients are: whoever opens a relationship opens a record."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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

    def may_tell(self, work: Work, organisations: Iterable[str], patient_id: str) -> bool:
        """Whether it has the right to feed and, where the directory says whose it is, a visit is to that organisation.

        A visit is to each of these organisations; what stands for none that is known here is nobody's.
        """
        here = self.guard.standing(work, self.sender(), ())
        decision = judge(here, What(Act.FEED), patient_id)
        current().judged(decision, patient_id)
        if not decision.allowed:
            return False
        own = here.within[:1]
        return not own or all(own[0] in self.guard.operators(work, each, here) for each in organisations if each)
