"""What a supervisor does about a child that ends: gives up on what never served, and on nothing else."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import Any

import pytest

from common.settings import Settings
from console.failure import HOPELESS, Failure
from console.serving import supervisor
from console.serving.services import SERVICES
from console.serving.supervisor import Child


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a child that ends at once with a code, and is started again without a pause."""
    monkeypatch.setattr(supervisor, "_PAUSE", 0.0)

    def made(code: int) -> Child:
        service = replace(SERVICES["registry"])
        object.__setattr__(service, "answers", lambda settings: True)
        found = Child(service, Settings(), [])
        found._command = [sys.executable, "-S", "-c", f"raise SystemExit({code})"]
        return found

    return made


def ended(child: Child, times: int) -> None:
    """Have it started, and looked after, until it has ended so often."""
    for _ in range(times):
        child.start() if child._process is None else None
        assert child._process is not None
        child._process.wait(10)
        child.look_after()
        time.sleep(0.01)


def test_what_never_served_is_given_up(child: Any) -> None:
    with pytest.raises(Failure, match="3 times in a row"):
        ended(child(1), 4)


def test_o4_what_has_served_is_started_again_until_its_neighbours_are_back(child: Any) -> None:
    made = child(1)
    assert made.answers()

    ended(made, 8)


def test_what_is_hopeless_is_given_up_at_once(child: Any) -> None:
    made = child(HOPELESS)
    made.answers()

    with pytest.raises(Failure):
        ended(made, 1)
