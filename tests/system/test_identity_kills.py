"""The cross-reference killed at each of its steps: a message is told whole or not at all, and again is accepted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.factories import a_patient_id
from tests.feeds import a_control_id
from tests.running import Running, an_identity, back_end
from tests.service.conftest import BACK_ENDS
from tests.service.identity_kit import Identity, mrn
from tests.system.kill_kit import killed_at, steps
from tests.system.survival_kit import shared_out

pytestmark = [pytest.mark.system, pytest.mark.slow]


@pytest.fixture(params=BACK_ENDS[1:])
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Running, Identity]]:
    """A service of its own."""
    made, mllp = an_identity(tmp_path, back_end(request.param, request))
    made.start()
    yield made, Identity(made.url, mllp)
    made.kill()


def sent(send: Callable[[], str]) -> str | None:
    """MSA-1; None when the connection broke before."""
    try:
        return send()
    except ConnectionError:
        return None


@pytest.mark.parametrize("event", ["A01", "A40"])
def test_d2_a_message_is_told_whole_or_not_at_all(running: tuple[Running, Identity], event: str) -> None:
    service, identity = running

    def a_case() -> tuple[str, str, Callable[[], str]]:
        """An NHS Number and a local id that come together, or don't yet; and the message that says so."""
        number, local, old, control = a_patient_id(), mrn(), mrn(), a_control_id()
        if event == "A01":
            return number, local, lambda: identity.tell(local, number, control=control).code
        assert identity.tell(old, number).code == "AA"
        return number, local, lambda: identity.merge(old, local, control=control).code

    first = a_case()[2]
    found = steps(service, lambda: sent(first))
    assert {"db.flushed:1", "db.committed:1", "answer.started:1"} <= set(found)
    assert {"identity.linked:1", "identity.merged:1"} & set(found)
    for step in shared_out(found, service):
        number, local, send = a_case()
        seen: list[str | None] = []

        killed_at(service, step, lambda send=send, seen=seen: seen.append(sent(send)))  # type: ignore[misc]

        assert seen == [None], step
        is_done = step.startswith(("db.committed", "answer."))
        assert (number in identity.pix(local).ids) == is_done, step
        assert sent(send) == "AA", step
        assert number in identity.pix(local).ids, step
