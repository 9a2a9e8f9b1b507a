"""Who takes part in what is recorded: we ourselves, and who asks."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from common.audit import events
from common.audit.message import Code, Participant, Source
from common.caller import Caller
from common.soap.envelope import ANONYMOUS


@dataclass(frozen=True, slots=True)
class Node:
    """Who we are: a service at an address, or a client at none."""

    service: str
    url: str
    source: Source
    host: str = field(default_factory=lambda: socket.gethostname())

    def participant(self, role: Code, *, asks: bool) -> Participant:
        """Us, in a record of our own: with the id of our process."""
        user = ANONYMOUS if asks else self.url or self.service
        return Participant(user, asks, str(os.getpid()), self.service if asks else "", self.host, (role,))

    def application(self) -> Participant:
        """Us, where no transaction is spoken of."""
        return Participant(self.service, False, str(os.getpid()), "", self.host, (events.APPLICATION,))


@dataclass(slots=True)
class Asker:
    """Who asks: the system's address and its certificate's subject, where it wants answers, and the user.

    Not to be changed; frozen ones take longer to make, and there is one for every request.
    """

    address: str = ""
    subject: str = ""
    reply_to: str = ""
    caller: Caller | None = None

    def participants(self, role: Code) -> tuple[Participant, ...]:
        """The system, and the user where one is known."""
        system = _system(self.address, self.subject, self.reply_to, role)
        return (system,) if self.caller is None else (system, user_of(self.caller))

    @property
    def purposes(self) -> tuple[Code, ...]:
        """Why, as the assertion says."""
        if self.caller is None:
            return ()
        return tuple(Code(each.code, each.system, each.display or each.code) for each in self.caller.purposes)


NOBODY: Final = Asker()
"""Of whom nothing is known."""


@lru_cache(maxsize=1024)
def _system(address: str, subject: str, reply_to: str, role: Code) -> Participant:
    return Participant(reply_to or ANONYMOUS, True, "", subject, address, (role,))


def user_of(caller: Caller) -> Participant:
    """A user with their roles (ITI TF-2 3.40.4.2)."""
    roles = tuple(Code(each.code, each.system, each.display or each.code) for each in caller.roles)
    return Participant(caller.user, True, "", f"{caller.name}<{caller.user}@{caller.issuer}>", "", roles)


def host_of(url: str) -> str:
    """The host in an address."""
    return urlsplit(url).hostname or url.rpartition(":")[0]
