"""How often one client may ask, and fail to say who it is: refused before anything of its message is read.

Each client has one number, the time at which all that it asked would be over at the pace that is allowed (the generic
cell rate algorithm). The numbers are in memory that all workers of a service share, in the places that a keyed hash of
the clients gives; two clients of one place share its pace, and nobody can choose to be of somebody else's. Two workers
that write at once may forget one request.
"""

from __future__ import annotations

import hashlib
import logging
import mmap
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from common.soap.faults import RECEIVER, FaultCode, SoapFault
from common.tls import PEER, Peer

log = logging.getLogger("portolan.pacing")

TOO_MANY: Final = 429
PLACES: Final = 1 << 15
_KEY: Final = secrets.token_bytes(16)
# Made when this is imported, which is before a service's workers are forked.
_ASKED: Final = memoryview(mmap.mmap(-1, 8 * PLACES)).cast("d")
_FAILED: Final = memoryview(mmap.mmap(-1, 8 * PLACES)).cast("d")
_UNKNOWN: Final = frozenset({"InvalidSecurity", "InvalidSecurityToken", "UnsupportedSecurityToken", "FailedCheck",
                             "FailedAuthentication", "SecurityTokenUnavailable"})  # fmt: skip


class TooOften(SoapFault):
    """One client asks more often than it may; ``seconds`` is when it may again."""

    def __init__(self, told: str, seconds: float) -> None:
        super().__init__(RECEIVER, told)
        self.seconds = seconds

    @property
    def http_status(self) -> int:
        """RFC 6585 section 4."""
        return TOO_MANY


class Pace:
    """So many a second, and so many at once beyond that; none at all where ``rate`` is 0."""

    def __init__(
        self, rate: float, burst: int, times: memoryview[float], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._each = 1 / rate if rate else 0.0
        self._ahead = burst * self._each
        self._times, self._now = times, now

    def wait(self, place: int) -> float:
        """Seconds until there is room; 0 where there is."""
        return max(0.0, self._times[place] - self._now() - self._ahead) if self._each else 0.0

    def take(self, place: int) -> None:
        """One more."""
        if self._each:
            self._times[place] = max(self._times[place], self._now()) + self._each


class Pacing:
    """The paces of one service."""

    def __init__(self, asked: Pace, failed: Pace) -> None:
        self._asked, self._failed = asked, failed

    @classmethod
    def of(cls, rate: float, burst: int, failures: float) -> Pacing:
        """Requests a second, at once, and refused identities a minute."""
        return cls(Pace(rate, burst, _ASKED), Pace(failures / 60, int(failures), _FAILED))

    def admit(self, environ: Mapping[str, Any]) -> None:
        """Let a request in; TooOften."""
        place = place_of(client_of(environ))
        for pace, told in (
            (self._asked, "This client asks more often than it may"),
            (self._failed, "This client has failed too often to say who asks"),
        ):
            if seconds := pace.wait(place):
                raise TooOften(f"{told}: try again in {int(seconds) + 1} seconds.", seconds)
        self._asked.take(place)

    def note(self, environ: Mapping[str, Any], fault: SoapFault) -> None:
        """A request was refused: if that was for who asks, it counts."""
        if fault.code is FaultCode.SENDER and fault.subcode is not None and fault.subcode.local in _UNKNOWN:
            self.failed(environ)

    def failed(self, environ: Mapping[str, Any]) -> None:
        """A client has not said truly who asks."""
        self._failed.take(place_of(client_of(environ)))


def client_of(environ: Mapping[str, Any]) -> str:
    """Who calls: by certificate where one was shown, else by address."""
    peer = environ.get(PEER)
    return name_of(peer if isinstance(peer, Peer) else None, str(environ.get("REMOTE_ADDR", "")))


def name_of(peer: Peer | None, address: str) -> str:
    """The same of what is known already."""
    return peer.fingerprint if peer is not None else address


def place_of(client: str) -> int:
    """The place of a client's number."""
    return int.from_bytes(hashlib.blake2b(client.encode(), digest_size=4, key=_KEY).digest(), "big") % PLACES
