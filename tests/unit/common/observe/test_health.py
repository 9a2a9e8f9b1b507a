"""Health: ready when all checks pass, in bounded time, and without telling what was said."""

import threading
import time

from common.observe.health import Health, Unready


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def passes() -> None:
    """A check that finds nothing wrong."""


def test_o8_ready_when_all_checks_pass() -> None:
    health = Health({"database": passes, "store": passes})

    assert health.live()
    assert health.ready() == (True, {"database": "ok", "store": "ok"})


def test_o8_a_failure_names_its_kind_only() -> None:
    def fails() -> None:
        raise ConnectionError("password=swordfish for 9990001006")

    assert Health({"database": fails, "store": passes}).ready() == (
        False,
        {"database": "failed (ConnectionError)", "store": "ok"},
    )


def test_o8_a_check_may_say_why_in_plain_words() -> None:
    def fails() -> None:
        raise Unready("the disk is full; 9990001006")

    assert Health({"store": fails}).ready() == (False, {"store": "the disk is full; [NHS Number]"})


def test_o8_checks_are_bounded_and_not_piled_up() -> None:
    release, started = threading.Event(), []

    def hangs() -> None:
        started.append(1)
        release.wait(10)

    health = Health({"database": hangs, "store": hangs, "spool": passes}, bound=0.05, keep=0.0)
    began = time.monotonic()
    found = [health.ready() for _ in range(3)]
    took = time.monotonic() - began
    release.set()

    assert found[0] == (
        False,
        {"database": "no answer within 0.05 s", "store": "no answer within 0.05 s", "spool": "ok"},
    )
    assert took < 2
    assert len(started) == 2


def test_o8_it_recovers() -> None:
    works = threading.Event()

    def check() -> None:
        if not works.is_set():
            raise OSError

    health = Health({"store": check}, keep=0.0)

    assert health.ready()[0] is False
    works.set()
    assert health.ready()[0] is True


def test_an_answer_is_kept_for_a_moment() -> None:
    calls: list[int] = []
    clock = Clock()
    health = Health({"store": lambda: calls.append(1)}, keep=1.0, clock=clock)
    health.ready()
    clock.now = 0.9
    health.ready()
    assert len(calls) == 1
    clock.now = 1.0
    health.ready()

    assert len(calls) == 2


def test_what_only_a_restart_settles_stays() -> None:
    health = Health({"store": passes})
    health.ready()
    health.break_down("fsync", "a write could not be made durable")

    assert health.ready() == (False, {"store": "ok", "fsync": "a write could not be made durable"})


def test_many_callers_share_one_run() -> None:
    calls: list[int] = []

    def slow() -> None:
        calls.append(1)
        time.sleep(0.02)

    health = Health({"store": slow})
    callers = [threading.Thread(target=health.ready) for _ in range(10)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    assert len(calls) == 1
