"""How often one client may ask, and fail to say who it is."""

from __future__ import annotations

from typing import Any

import pytest

from common.soap.faults import FAILED_CHECK, SENDER, SoapFault
from common.tls import PEER, Peer
from common.web.pacing import Pace, Pacing, TooOften, client_of, place_of


class Clock:
    """A time that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def times() -> memoryview[float]:
    return memoryview(bytearray(8 * (1 << 15))).cast("d")


def a_pacing(clock: Clock, *, rate: float = 0, burst: int = 1, failures: float = 0) -> Pacing:
    return Pacing(Pace(rate, burst, times(), clock), Pace(failures / 60, int(failures), times(), clock))


def from_(address: str) -> dict[str, Any]:
    return {"REMOTE_ADDR": address}


def admitted(pacing: Pacing, environ: dict[str, Any], tries: int) -> int:
    """How many of so many requests get in."""
    count = 0
    for _ in range(tries):
        try:
            pacing.admit(environ)
        except TooOften:
            continue
        count += 1
    return count


def test_a_client_gets_its_burst_and_then_its_pace() -> None:
    clock = Clock()
    pacing = a_pacing(clock, rate=10, burst=5)
    assert admitted(pacing, from_("192.0.2.1"), 50) == 6
    clock.now += 0.21
    assert admitted(pacing, from_("192.0.2.1"), 50) == 2
    clock.now += 3600
    assert admitted(pacing, from_("192.0.2.1"), 50) == 6


def test_others_are_not_held_up() -> None:
    pacing = a_pacing(Clock(), rate=10, burst=5)
    admitted(pacing, from_("192.0.2.1"), 50)
    assert admitted(pacing, from_("192.0.2.2"), 6) == 6


def test_nothing_is_bounded_where_nothing_is_set() -> None:
    assert admitted(a_pacing(Clock()), from_("192.0.2.1"), 5000) == 5000


def test_who_fails_to_say_who_asks_is_not_listened_to_for_a_while() -> None:
    clock = Clock()
    pacing, client = a_pacing(clock, failures=60), from_("192.0.2.1")
    for _ in range(61):
        pacing.admit(client)
        pacing.note(client, SoapFault(FAILED_CHECK))
    with pytest.raises(TooOften) as refused:
        pacing.admit(client)
    assert refused.value.http_status == 429
    assert "try again in 1 seconds" in refused.value.reason or "try again in 2 seconds" in refused.value.reason
    clock.now += 2
    pacing.admit(client)


def test_other_faults_are_nobodys_guesses() -> None:
    pacing, client = a_pacing(Clock(), failures=1), from_("192.0.2.1")
    for _ in range(100):
        pacing.note(client, SoapFault(SENDER))
        pacing.admit(client)


def test_a_client_is_known_by_its_certificate_before_its_address() -> None:
    peer = Peer("CN=portal", "ab" * 32)
    assert client_of({PEER: peer, "REMOTE_ADDR": "192.0.2.1"}) == peer.fingerprint
    assert client_of({PEER: None, "REMOTE_ADDR": "192.0.2.1"}) == "192.0.2.1"
    assert place_of("a") == place_of("a")
