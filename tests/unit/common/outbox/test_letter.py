"""How long and how often delivery is tried."""

from __future__ import annotations

from common.outbox.letter import Patience

PATIENCE = Patience(first=2, most=900, tries=5, age=3600)


def test_each_pause_is_about_twice_the_last_up_to_a_bound() -> None:
    for tries in range(1, 200):
        whole = min(900, 2 * 2 ** (tries - 1))
        assert all(whole / 2 <= PATIENCE.pause(tries) <= whole for _ in range(20))


def test_pauses_differ_so_that_not_all_come_back_at_once() -> None:
    assert len({PATIENCE.pause(3) for _ in range(20)}) > 10


def test_it_is_over_after_so_many_tries_or_so_long() -> None:
    assert not PATIENCE.is_over(4, 3599)
    assert PATIENCE.is_over(5, 0)
    assert PATIENCE.is_over(1, 3600)
