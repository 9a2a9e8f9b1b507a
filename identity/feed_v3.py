"""ITI-44: patient feeds in HL7 v3, the body of a message in and that of its answer out (ITI TF-2 3.44)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from common.clock import utc_now
from common.feeds.problem import Problem, Side
from common.feeds.v3 import Interactions, name_of
from common.hl7.refusals import Condition
from common.hl7v3.identity import IdentityMessage
from common.hl7v3.wrapper import Id
from common.standard.transactions import ITI_44_ADD, ITI_44_MERGE, ITI_44_REVISE
from identity.checking import Checking
from identity.crossreference import CrossReference, Told
from identity.rules.identifiers import Key

_MOST_PRIOR: Final = 1


def keys_of(found: Iterable[Id]) -> tuple[Key, ...]:
    """Ids as the cross-reference knows them; one without an extension, or a root, names nobody."""
    return tuple(dict.fromkeys(Key(each.root, each.extension) for each in found if each.root and each.extension))


class FeedV3:
    """The cross-reference's interactions."""

    def __init__(self, reference: CrossReference, checking: Checking, *, now: Callable[[], str] = utc_now) -> None:
        self._reference = reference
        self._checking = checking
        table = {ITI_44_ADD: self._told, ITI_44_REVISE: self._told, ITI_44_MERGE: self._merged}
        interactions = Interactions(table, now=now)
        self.answer, self.failed = interactions.answer, interactions.failed

    def _said(self, message: IdentityMessage) -> Told:
        keys = keys_of((*message.patients, *message.others))
        return Told(keys, name_of(message), message.person)

    def _told(self, message: IdentityMessage) -> Problem | None:
        if not message.patients:
            return Problem(Side.SURVIVOR, Condition.MISSING, f"{Side.SURVIVOR.value} is missing")
        said = self._said(message)
        problem = self._reference.tell(said)
        if problem is None:
            self._checking.look(said)
        return problem

    def _merged(self, message: IdentityMessage) -> Problem | None:
        for found, side in ((message.patients, Side.SURVIVOR), (message.prior, Side.SUBSUMED)):
            if not found:
                return Problem(side, Condition.MISSING, f"{side.value} is missing")
        if len(message.prior) > _MOST_PRIOR:
            told = "one message merges one patient into one other"
            return Problem(Side.SUBSUMED, Condition.DUPLICATE_KEY, told)
        return self._reference.merge(self._said(message), keys_of(message.prior))
