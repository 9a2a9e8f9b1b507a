"""Acts that give nothing of a record out: each needs its right, and an assertion that names no other patient.

What they name of that which is there already is judged as well, object by object; of what a Repository sends on, for
whoever gave it to the Repository.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from common.access import Act, Who
from common.access.asking import heard
from common.db import Work
from common.ebxml.patients import patients_in
from common.soap.behalf import read_behalf
from common.standard.transactions import (
    ITI_42,
    ITI_44_ADD,
    ITI_44_MERGE,
    ITI_44_REVISE,
    ITI_57,
    ITI_61,
    ITI_62,
    ITI_92,
    Transaction,
)
from common.web.asking import who_asks
from common.web.message import Message
from registry.access.guard import Guard
from registry.access.touching import Hidden, Touching

ACTS: Final[Mapping[Transaction, Act]] = MappingProxyType({
    ITI_42: Act.SUBMIT,
    ITI_61: Act.SUBMIT,
    ITI_57: Act.UPDATE,
    ITI_92: Act.UPDATE,
    ITI_62: Act.REMOVE,
    ITI_44_ADD: Act.FEED,
    ITI_44_REVISE: Act.FEED,
    ITI_44_MERGE: Act.FEED,
})  # fmt: skip
"""What each transaction does, but for queries: what those give is judged object by object."""
NOT_ALLOWED: Final = "this is not allowed to whoever asks"


class Access:
    """Tells who asks, and whether they may."""

    def __init__(self, guard: Guard, reason_attribute: str) -> None:
        self._guard, self._reason_attribute = guard, reason_attribute

    def who(self, message: Message) -> Who:
        """Whoever a message comes from."""
        return who_asks(message, self._reason_attribute)

    def refused(self, message: Message) -> str | None:
        """Why a message is not carried out, in words that do not tell more than that."""
        act = ACTS.get(message.transaction)
        if act is None:
            return None
        decision = self._guard.may(self.who(message), act, patients_in(message.envelope.body))
        return None if decision.allowed else NOT_ALLOWED

    def hidden(self, message: Message) -> Hidden:
        """Tells which objects that a message names are as if unknown to whoever it comes from, or is sent for."""
        given = read_behalf(message.envelope.header)
        act, sender = ACTS[message.transaction], self.who(message)
        if given is None:
            return Touching(self._guard, sender, act).hidden
        behalf = heard(given)

        def hidden(work: Work, names: Collection[str]) -> Collection[str]:
            if not names:
                return ()
            who = behalf if self._guard.may_ask(work, sender) else sender
            return Touching(self._guard, who, act).hidden(work, names)

        return hidden
