"""Records in groups: kept however the database is, and nothing dropped for what it is."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from auditing.receiving.keeping import Arrivals, Keeper, Stopped
from auditing.store.records import Kept, Received
from common.db import DatabaseBusy, DatabaseError, DatabaseFull
from tests.unit.auditing.kit import an_event, syslog

MESSAGES = [syslog(an_event(), number) for number in range(20)]


class Trail:
    """Keeps in memory; fails as a test wants it."""

    def __init__(self, fail: Callable[[list[Received]], Exception | None] = lambda _group: None) -> None:
        self.groups: list[list[Received]] = []
        self.fail = fail
        self.gate = threading.Event()
        self.gate.set()

    def append(self, group: list[Received]) -> Kept:
        """As ``store.records.append``."""
        self.gate.wait(10)
        error = self.fail(group)
        if error is not None:
            raise error
        self.groups.append(group)
        return Kept(tuple(range(len(group))), 0)

    @property
    def kept(self) -> list[bytes]:
        """In their order."""
        return [each.raw for group in self.groups for each in group]


@contextmanager
def a_keeper(trail: Trail, counts: Counter[str] | None = None) -> Iterator[Keeper]:
    """One that runs."""

    def count(outcome: str, number: int) -> None:
        if counts is not None:
            counts[outcome] += number

    keeper = Keeper(trail.append, count)
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.stop(5)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the pauses."""
    monkeypatch.setattr("auditing.receiving.keeping._PAUSE", 0.01)


def test_what_comes_while_a_group_is_committed_is_the_next_group() -> None:
    trail, counts, arrivals = Trail(), Counter[str](), Arrivals()
    trail.gate.clear()
    with a_keeper(trail, counts) as keeper:
        keeper.take(MESSAGES[0], arrivals)
        time.sleep(0.05)
        for message in (*MESSAGES[1:], b"unreadable"):
            keeper.take(message, arrivals)
        assert not keeper.settle(arrivals, 0.01)
        trail.gate.set()
        assert keeper.settle(arrivals, 5)

    assert trail.kept == [*MESSAGES, b"unreadable"]
    assert len(trail.groups) == 2
    assert counts == {"kept": 21, "unreadable": 1, "known": 0}


@pytest.mark.parametrize("error", [DatabaseBusy("away"), DatabaseFull("no room")])
def test_a_database_that_is_away_is_waited_for(error: DatabaseError) -> None:
    tries = iter(range(3))
    trail, arrivals = Trail(lambda _group: error if next(tries, None) is not None else None), Arrivals()
    with a_keeper(trail) as keeper:
        keeper.take(MESSAGES[0], arrivals)
        assert keeper.settle(arrivals, 5)

    assert trail.kept == MESSAGES[:1]


def test_a_record_that_cannot_be_indexed_is_kept_without_an_index_and_the_others_with() -> None:
    def poisoned(group: list[Received]) -> Exception | None:
        bad = any(each.raw == MESSAGES[3] and each.index.terms for each in group)
        return DatabaseError("what is this?") if bad else None

    trail, arrivals = Trail(poisoned), Arrivals()
    trail.gate.clear()
    with a_keeper(trail) as keeper:
        for message in MESSAGES:
            keeper.take(message, arrivals)
        trail.gate.set()
        assert keeper.settle(arrivals, 5)

    assert trail.kept == MESSAGES
    [bare] = [each for group in trail.groups for each in group if each.index.problem]
    assert (bare.raw, bare.index.problem) == (MESSAGES[3], "it could not be indexed")


def test_what_could_not_be_kept_by_the_end_is_not_told_to_be_kept() -> None:
    trail, arrivals = Trail(lambda _group: DatabaseBusy("away")), Arrivals()
    with a_keeper(trail) as keeper:
        keeper.take(MESSAGES[0], arrivals)
        time.sleep(0.05)

    assert not keeper.settle(arrivals, 0.01)
    with pytest.raises(Stopped):
        keeper.take(MESSAGES[1], arrivals)


def test_who_brings_too_much_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditing.receiving.keeping._MOST_WAITING", 3 * len(MESSAGES[0]))
    trail, arrivals = Trail(), Arrivals()
    trail.gate.clear()
    with a_keeper(trail) as keeper:

        def bring() -> None:
            for message in MESSAGES:
                keeper.take(message, arrivals)

        thread = threading.Thread(target=bring)
        thread.start()
        thread.join(0.1)
        assert thread.is_alive()
        assert arrivals.received < 6
        trail.gate.set()
        thread.join(5)
        assert keeper.settle(arrivals, 5)

    assert trail.kept == MESSAGES
