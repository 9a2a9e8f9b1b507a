"""Who may do what: the Registry is asked in the name of whoever wants to; where it does not say nothing is given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from common.access import Act, Who
from common.access.asking import NOT_JUDGED
from common.audit import current
from common.judging.queries import Queries

NOT_ALLOWED: Final = "this is not allowed to whoever asks"
NOT_TOLD: Final = "whether this is allowed cannot be told now: send the same message again later"


@dataclass(frozen=True, slots=True)
class Access:
    """Asks the Registry; RegistryUnclear where it does not say."""

    registry: Queries

    def documents(self, who: Who, act: Act, unique_ids: Sequence[str]) -> frozenset[str]:
        """Those documents with which somebody may do this; what came of each is told to the request's account."""
        wanted = list(dict.fromkeys(unique_ids))
        found = {each.unique_id: each for each in self.registry.verdicts(who, act, unique_ids=wanted)}
        for name in wanted:
            verdict = found.get(name, NOT_JUDGED)
            current().judged(verdict, verdict.patient_id, (name,))
            current().concerns(verdict.patient_id)
        return frozenset(name for name in wanted if found.get(name, NOT_JUDGED).allowed)

    def hidden(self, who: Who, act: Act, unique_ids: Sequence[str]) -> frozenset[str]:
        """Those registered documents with which somebody may not do this; of others the Registry can say nothing."""
        found = self.registry.verdicts(who, act, unique_ids=list(dict.fromkeys(unique_ids)))
        for each in found:
            current().judged(each, each.patient_id, (each.unique_id,))
        return frozenset(each.unique_id for each in found if not each.allowed)

    def may(self, who: Who, act: Act, patients: Iterable[str] = ()) -> bool:
        """Whether somebody may do this at all."""
        found = self.registry.verdicts(who, act, patients=patients)
        verdict = found[0] if len(found) == 1 else NOT_JUDGED
        current().judged(verdict, verdict.patient_id)
        return verdict.allowed
