"""More is asked than can be carried out: the rest is refused at once, memory is bounded, and then all is as before.

PORTOLAN_OVERLOAD_SECONDS says for how long (120 for the long run; 2 with PORTOLAN_SURVIVAL_LONG=1 alone). Who asks and
who answers share a machine here: PORTOLAN_OVERLOAD_CORES=0.3 gives the services so much of a core (by a control group,
which takes root), so that five times what they can do is something that the rest of the machine can ask.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from bench.driver import Connection, family, largest_memory
from bench.messages import find, register
from tests.factories import a_patient_id
from tests.running import ROOT, Pair, a_pair, back_end
from tests.system.survival_kit import WITHOUT_FEEDS, only_when_asked_for, seconds_of

pytestmark = [pytest.mark.system, pytest.mark.slow, only_when_asked_for("PORTOLAN_OVERLOAD_SECONDS")]

SECONDS = seconds_of("PORTOLAN_OVERLOAD_SECONDS", 2)
TIMES = 5
CORES = float(os.environ.get("PORTOLAN_OVERLOAD_CORES", "0"))
GROUPS = Path("/sys/fs/cgroup/cpu")
PERIOD = 20_000  # microseconds
MOST_MEMORY = 150.0  # MiB of a worker, as the limits have it
BUSY = ("XDSRegistryBusy", "XDSRepositoryBusy", "503")


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """PostgreSQL and a folder."""
    settings = {name: value for name, value in back_end("postgresql and s3", request).items() if name == "DATABASE"}
    made = a_pair(tmp_path_factory.mktemp("overload"), settings | WITHOUT_FEEDS | {"LOG_LEVEL": "error"})
    made.start()
    with held_back(made):
        yield made
    made.stop()


@contextmanager
def held_back(pair: Pair) -> Iterator[None]:
    """The services get a share of the processors, where that is asked for."""
    if not CORES:
        yield
        return
    group = GROUPS / f"portolan-{os.getpid()}"
    group.mkdir()
    (group / "cpu.cfs_period_us").write_text(str(PERIOD))
    (group / "cpu.cfs_quota_us").write_text(str(int(PERIOD * CORES)))
    for pid in family([each.process.pid for each in (pair.registry, pair.repository) if each.process]):
        (group / "cgroup.procs").write_text(str(pid))
    try:
        yield
    finally:
        for pid in (group / "cgroup.procs").read_text().split():
            with suppress(OSError):
                (GROUPS / "cgroup.procs").write_text(pid)
        group.rmdir()


def flood(pair: Pair, patient: str, rate: float, seconds: float) -> dict[str, Any]:
    """What a crowd of so many requests a second comes to."""
    told = [pair.registry.url, pair.repository.url, patient, str(rate), str(seconds)]
    command = [sys.executable, "-m", "tests.system.survival_flood", *told]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + 120)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def p95(pair: Pair, patient: str, seconds: float) -> float:
    """Of two who ask one after the other, in seconds."""
    times: list[float] = []

    def ask() -> None:
        connection = Connection(pair.registry.url)
        question = find(pair.registry.url, patient)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            begun = time.monotonic()
            connection.exchange(question)
            times.append(time.monotonic() - begun)
            time.sleep(0.005)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert times, "nothing was answered"
    return sorted(times)[int(len(times) * 0.95)]


def capacity(pair: Pair, patient: str) -> float:
    """Requests a second that are carried out when a little more is asked than that: found by asking ever more."""
    rate, best = 60.0, 0.0
    for _ in range(7):
        found = flood(pair, patient, rate, min(1.0, SECONDS / 2))
        best = max(best, float(found["served a second"]))
        if found["served a second"] < 0.5 * rate:
            return best
        rate *= 2
    return best


def held(pids: list[int]) -> int:
    """Open files, connections and threads of processes and their descendants."""
    found = 0
    for pid in family(pids):
        with suppress(OSError):
            found += len(os.listdir(f"/proc/{pid}/fd")) + len(os.listdir(f"/proc/{pid}/task"))
    return found


def resident(pids: list[int]) -> float:
    """Memory of all of them now, in MiB."""
    pages = 0
    for pid in family(pids):
        with suppress(OSError):
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def test_o2_work_leaves_memory_descriptors_and_threads_as_they_were(pair: Pair) -> None:
    patient = a_patient_id()
    pids = [each.process.pid for each in (pair.registry, pair.repository) if each.process]
    rate = 60.0
    flood(pair, patient, rate, max(2.0, SECONDS / 4))
    before, held_before = resident(pids), held(pids)

    found = flood(pair, patient, rate, max(2.0, SECONDS))

    after = resident(pids)
    print(f"\n{found['offered']} requests: {before:.0f} MiB before and {after:.0f} MiB after")
    assert found["outcomes"]["unanswered"] == 0
    assert after < before * 1.05 + 4
    assert held(pids) - held_before < 16


def test_o1_what_is_too_much_is_refused_and_nothing_is_left_behind(pair: Pair) -> None:
    patient = a_patient_id()
    connection = Connection(pair.registry.url)
    connection.exchange(register(pair.registry.url, patient))
    connection.close()
    pids = [each.process.pid for each in (pair.registry, pair.repository) if each.process]
    most = capacity(pair, patient)
    quiet = p95(pair, patient, 0.7)
    largest_memory(pids)
    before = held(pids)

    found = flood(pair, patient, TIMES * most, SECONDS)

    ended = time.monotonic()
    memory = largest_memory(pids)
    after = [p95(pair, patient, 0.5)]
    while after[-1] > 2 * quiet + 0.01 and time.monotonic() < ended + 15:
        after.append(p95(pair, patient, 0.5))
    back = time.monotonic() - ended
    assert held(pids) - before < 64, "descriptors or threads stay"
    print(f"\ncapacity {most:.0f}/s; offered {found['rate']:.0f}/s for {SECONDS:g} s: {found['outcomes']}")
    print(f"served {found['served a second']:.0f}/s, p50 {found['p50']:.2f} s, p95 {found['p95']:.2f} s")
    print(f"p95 quiet {quiet * 1000:.1f} ms, {after[-1] * 1000:.1f} ms {back:.1f} s after; largest {memory:.0f} MiB")
    odd = {name for name in found["outcomes"] if not name.endswith(("Success", *BUSY, "not sent", "unanswered"))}
    assert odd == set(), found["outcomes"]
    assert found["outcomes"]["unanswered"] == 0
    assert found["served a second"] > 0.4 * most
    assert memory < MOST_MEMORY
    assert back < 10
