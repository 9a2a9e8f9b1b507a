"""Patient feeds over MLLP where access is decided: their sender is a system that may feed, by its certificate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from common.access import Who
from common.hl7.refusals import Condition, Hl7Refused, rejected, wrong
from common.judging.access import NOT_ALLOWED, NOT_TOLD
from common.judging.queries import RegistryUnclear
from common.mllp.sender import SENDER
from common.web.asking import of_system

_SENDER: Final = "MSH^1^3"


def sender() -> Who:
    """The system whose message is being carried out; nobody where it has shown no certificate."""
    peer = SENDER.get().peer
    return of_system(peer) if peer is not None else Who()


def refusing(may: Callable[[Who], bool]) -> Callable[[], Hl7Refused | None]:
    """Tells why the message that is being carried out is not, in words that do not tell more than that."""

    def refused() -> Hl7Refused | None:
        try:
            return None if may(sender()) else rejected(Condition.UNSUPPORTED_EVENT, _SENDER, NOT_ALLOWED)
        except RegistryUnclear:
            return wrong(Condition.INTERNAL, _SENDER, NOT_TOLD)

    return refused
