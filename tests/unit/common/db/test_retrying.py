from __future__ import annotations

import pytest

from common.db import Conflict, DatabaseBusy, DatabaseError, DatabaseFull, decided


class Unit:
    """A unit of work that fails as told, and then succeeds."""

    def __init__(self, *failures: DatabaseError) -> None:
        self._failures = list(failures)
        self.tries = 0

    def __call__(self) -> str:
        self.tries += 1
        if self._failures:
            raise self._failures.pop(0)
        return "done"


def test_a_lost_race_is_run_again_at_once_and_then_after_pauses_that_grow() -> None:
    unit, pauses = Unit(Conflict("a"), DatabaseBusy("b"), Conflict("c")), list[float]()
    assert decided(unit, pause=pauses.append) == "done"
    assert unit.tries == 4
    assert len(pauses) == 2
    assert 0.01 <= pauses[0] <= 0.02 <= pauses[1] <= 0.04


@pytest.mark.parametrize("kind", [Conflict, DatabaseBusy])
def test_who_loses_every_race_is_told_to_come_again_later(kind: type[DatabaseError]) -> None:
    unit, pauses = Unit(*(kind("lost") for _ in range(100))), list[float]()
    with pytest.raises(DatabaseBusy, match="lost"):
        decided(unit, pause=pauses.append)
    assert unit.tries == 8
    assert sum(pauses) < 2


def test_a_wait_that_was_long_enough_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 5.1])
    monkeypatch.setattr("common.db.retrying.time.monotonic", lambda: next(clock))
    unit = Unit(DatabaseBusy("no connection came free"), Conflict("never reached"))
    with pytest.raises(DatabaseBusy, match="no connection"):
        decided(unit)
    assert unit.tries == 1


@pytest.mark.parametrize("error", [DatabaseFull("full"), DatabaseError("broken")])
def test_what_does_not_pass_by_itself_is_not_tried_again(error: DatabaseError) -> None:
    unit = Unit(error)
    with pytest.raises(type(error)):
        decided(unit)
    assert unit.tries == 1
