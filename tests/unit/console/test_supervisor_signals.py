"""Which signals end the supervisor."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any, Final

import pytest

from console.serving.supervisor import Supervisor

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Whatever a test sets is put back."""
    before: dict[signal.Signals, Any] = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("ignored", [True, False])
def test_under_nohup_it_outlives_its_terminal(ignored: bool) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
    supervisor = Supervisor([], lambda child: None)
    supervisor.stop()

    supervisor.run()

    assert (signal.getsignal(signal.SIGHUP) is signal.SIG_IGN) is ignored
