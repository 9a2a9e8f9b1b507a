"""Answers that were promised arrive: services killed at each step of an answer's way, receivers that are long gone."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from common.standard.transactions import ITI_18, ITI_43
from tests.factories import a_submission
from tests.running import ROOT, Pair, Running, a_pair, back_end, descendants
from tests.servers.receiver import a_receiver
from tests.service.async_kit import a_letter, an_id, ask, is_accepted, provide
from tests.service.conftest import BACK_ENDS
from tests.system.survival_kit import of_back_ends, shared_out
from tests.wire import mtom_provide

pytestmark = [pytest.mark.system, pytest.mark.slow]

QUICK = {"OUTBOX_LEASE": "2s", "OUTBOX_RETRY_FIRST": "0.2s", "OUTBOX_RETRY_MOST": "0.5s", "SWEEP_EVERY": "1h"}


@pytest.fixture(params=BACK_ENDS)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    """A pair that is quick to try again."""
    made = a_pair(tmp_path, back_end(request.param, request) | QUICK)
    made.start()
    yield made
    for each in (made.repository, made.registry):
        each.kill()


def restarted(service: Running, **faults: str) -> None:
    service.kill()
    service.start(**faults)


@pytest.mark.parametrize("step", ["outbox.stored", "outbox.taken", "outbox.sent"])
def test_an_answer_arrives_although_the_repository_is_killed_on_its_way(pair: Pair, step: str) -> None:
    restarted(pair.repository, PORTOLAN_FAULT=f"{step}=kill")
    with a_receiver() as receiver:
        entry, content = a_letter()
        message_id = an_id()
        kind, data = mtom_provide(
            a_submission(entry), {entry.entry_uuid: content}, message_id=message_id, reply_to=receiver.url
        )
        with contextlib.suppress(requests.ConnectionError):
            requests.post(pair.repository.url, data=data, headers={"Content-Type": kind}, timeout=30)
        time.sleep(1)

        restarted(pair.repository)
        came = receiver.wait(2 if step == "outbox.sent" else 1)
        time.sleep(3)

        assert {each.header("RelatesTo") for each in came} == {message_id}
        assert {each.answer.registry_status for each in came} == {"Success"}
        assert len(receiver.received) == (2 if step == "outbox.sent" else 1)
    assert pair.services.retrieve(entry.unique_id or "").documents() == {entry.unique_id: content}


def test_killed_at_every_step_a_request_that_was_accepted_is_answered_and_no_other_is_lost(pair: Pair) -> None:
    trace = Path(pair.settings["DATA"]) / "trace"
    restarted(pair.repository, PORTOLAN_FAULT_TRACE=str(trace))
    with a_receiver() as receiver:
        trace.write_text("")
        provide(pair.services, receiver.url, message_id=an_id())
        receiver.wait()
        time.sleep(0.5)
        steps = list(dict.fromkeys(trace.read_text().split()))
    assert {"iti42.answered", "outbox.stored", "outbox.taken", "outbox.sent"} <= set(steps)

    for step in shared_out(steps, pair.repository):
        restarted(pair.repository, PORTOLAN_FAULT=f"{step}=kill")
        with a_receiver() as receiver:
            entry, content = a_letter()
            kind, data = mtom_provide(a_submission(entry), {entry.entry_uuid: content}, reply_to=receiver.url)

            def send(kind: str = kind, data: bytes = data) -> bool:
                try:
                    return is_accepted(
                        requests.post(pair.repository.url, data=data, headers={"Content-Type": kind}, timeout=30)
                    )
                except requests.ConnectionError:
                    return False

            accepted = send()
            time.sleep(0.3)
            restarted(pair.repository)
            if not accepted:
                assert send(), step
            came = receiver.wait()
            assert came[0].answer.registry_status == "Success", step


def test_r8_two_workers_deliver_each_answer_once(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    for back in of_back_ends(BACK_ENDS):
        made = a_pair(tmp_path / back[:4], back_end(back, request) | QUICK | {"REGISTRY_WORKERS": "2"})
        made.registry.start()
        try:
            with a_receiver() as receiver:
                asked = [an_id() for _ in range(100)]
                for message_id in asked:
                    ask(made.services, ITI_18, a_letter()[0], receiver.url, message_id=message_id)
                receiver.wait(100)
                time.sleep(3)
                assert sorted(each.header("RelatesTo") for each in receiver.received) == sorted(asked)
        finally:
            made.registry.kill()


def test_o6_a_service_that_is_told_to_stop_finishes_what_it_delivers(pair: Pair) -> None:
    with a_receiver("silent", hold=2.0) as receiver:
        provide(pair.services, receiver.url, message_id=an_id())
        receiver.wait_asked(1)

        began = time.monotonic()
        assert pair.repository.stop() == 0
        assert time.monotonic() - began < 25

        pair.repository.start()
        [came] = receiver.wait()
        assert came.answer.registry_status == "Success"


def portolan(pair: Pair, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "console", *words],
        env=pair.registry.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def until(true: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.1)
    return False


def test_a_dead_letter_is_told_of_looked_at_replayed_or_discarded(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    for back in of_back_ends(BACK_ENDS):
        made = a_pair(tmp_path / back[:4], back_end(back, request) | QUICK | {"OUTBOX_TRIES": "2"})
        made.start()
        try:
            _dead_letters(made)
        finally:
            made.stop()


def _dead_letters(pair: Pair) -> None:
    def dead() -> list[dict[str, object]]:
        return list(json.loads(portolan(pair, "outbox", "list", "--dead", "--json").stdout))

    with a_receiver() as receiver:
        receiver.stop()
        entries = [provide(pair.services, receiver.url, message_id=an_id())[0] for _ in range(3)]
        assert until(lambda: len(dead()) == 3), portolan(pair, "outbox", "list").stdout
        first, second, third = (str(line["id"]) for line in dead())

        log = pair.repository.log.read_text()
        told = [json.loads(line) for line in log.splitlines() if "was given up" in line]
        assert {line["letter"] for line in told} == {first, second, third}
        assert all(len(line["correlation"]) == 32 for line in told)

        shown = portolan(pair, "outbox", "show", first).stdout
        assert "Connection refused" in shown
        assert "RegistryResponse" not in shown
        listed = portolan(pair, "outbox", "list").stdout
        for entry in entries:
            assert (entry.patient_id or "x")[:10] not in shown + listed + log
        assert "RegistryResponse" in portolan(pair, "outbox", "show", first, "--content").stdout
        assert "3 answers of the repository could not be delivered" in portolan(pair, "doctor").stdout
        metrics = requests.get(f"{pair.repository.url.rpartition('/')[0]}/metrics", timeout=5).text
        assert re.search(r'portolan_outbox_total\{outcome="dead",service="repository"\} 3', metrics)

        gone = portolan(pair, "outbox", "discard", third, "--reason", "the receiver has moved")
        assert gone.returncode == 0, gone.stderr
        assert portolan(pair, "outbox", "discard", third, "--reason", "again").returncode == 1
        assert portolan(pair, "outbox", "show", third, "--content").returncode == 1
        assert "the receiver has moved" in portolan(pair, "outbox", "show", third).stdout
        assert portolan(pair, "outbox", "replay", third).returncode == 1
        assert portolan(pair, "outbox", "show", "nonsense").returncode == 1

        receiver.start()
        assert portolan(pair, "outbox", "replay", first).returncode == 0
        receiver.wait(1)
        assert portolan(pair, "outbox", "replay", "--all-dead").returncode == 0
        receiver.wait(2)
        assert until(lambda: dead() == [])
        assert portolan(pair, "outbox", "show", first, "--content").returncode == 1
        assert len(receiver.received) == 2


def _memory(service: Running) -> int:
    """The largest resident set of a service's processes, in KiB."""
    assert service.process is not None
    most = 0
    for pid in descendants(service.process.pid):
        with contextlib.suppress(OSError):
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
            most = max(most, int(found[1]) if found else 0)
    return most


def test_large_answers_of_iti_43_are_sent_in_flat_memory(pair: Pair) -> None:
    entry, content = a_letter(10_000_000)
    assert pair.services.provide(a_submission(entry), {entry.entry_uuid: content}).registry_status == "Success"
    restarted(pair.repository)
    before = _memory(pair.repository)
    with a_receiver() as receiver:
        for _ in range(4):
            ask(pair.services, ITI_43, entry, receiver.url, message_id=an_id(), as_mtom=True)
        came = receiver.wait(4, 120)

    assert len(content) > 200 * 2**20
    assert all(len(content) < each.length < len(content) + 10_000 for each in came)
    assert _memory(pair.repository) - before < 60 * 1024
