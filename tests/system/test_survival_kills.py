"""Everything killed at random moments under mixed load: nothing that was acknowledged is lost, nothing is half there.

PORTOLAN_SURVIVAL_SECONDS says for how long (6; 1200 for the long run), PORTOLAN_SURVIVAL_SEED which moments.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from tests.running import Pair, Running, a_pair, descendants
from tests.servers.fixtures import do_without
from tests.servers.minio import MinioServer
from tests.servers.postgres import PostgresServer, new_database, start_postgres
from tests.servers.process import Unavailable
from tests.system.survival_judge import check, judged
from tests.system.survival_kit import WITHOUT_FEEDS, Book, load, seconds_of

pytestmark = [pytest.mark.system, pytest.mark.slow]

SECONDS = seconds_of("PORTOLAN_SURVIVAL_SECONDS", 6)
SEED = int(os.environ.get("PORTOLAN_SURVIVAL_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
THREADS = 4
FEWEST = 3
BACK_WITHIN = 20.0
# A mark is settled only when no registration can be under way: later than both timeouts together.
QUICK = {"CONNECT_TIMEOUT": "1s", "ANSWER_TIMEOUT": "3s", "SWEEP_AFTER": "5s", "SWEEP_EVERY": "0.5s"}


def children(pid: int) -> list[int]:
    """The processes that a process has started itself."""
    with suppress(OSError):
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def server_of(service: Running) -> int:
    """The process that the supervisor looks after, and that looks after the workers."""
    assert service.process is not None
    for pid in children(service.process.pid):
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if service.name.encode() in words:
                return pid
    return 0


@dataclass
class Killer:
    """Kills one thing after the other, in an order drawn at random in which each has its turn."""

    pair: Pair
    postgres: PostgresServer
    minio: MinioServer
    chance: random.Random
    kills: Counter[str] = field(default_factory=Counter)
    back: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    problems: list[str] = field(default_factory=list)

    def victims(self) -> dict[str, Callable[[], None]]:
        """What is killed, and how; stores and whole machines are started again as an init would, the rest is not."""
        found: dict[str, Callable[[], None]] = {
            "PostgreSQL": lambda: self.outage(self.postgres.kill, self.postgres.start),
            "S3": lambda: self.outage(self.minio.kill, self.minio.start),
        }
        for service in (self.pair.registry, self.pair.repository):
            found[f"{service.name}'s worker"] = lambda service=service: self.worker(service)  # type: ignore[misc]
            found[f"{service.name}'s server"] = lambda service=service: _kill(server_of(service))  # type: ignore[misc]
            found[f"all of the {service.name}"] = lambda service=service: self.machine(service)  # type: ignore[misc]
        return found

    def outage(self, kill: Callable[[], None], start: Callable[[], None]) -> None:
        """Away for a while, in which something else may die as well."""
        kill()
        time.sleep(self.chance.uniform(0.1, min(3.0, SECONDS / 20)))
        if self.chance.random() < 0.3:
            self.worker(self.chance.choice([self.pair.registry, self.pair.repository]))
        start()

    @staticmethod
    def worker(service: Running) -> None:
        """One of those that serve."""
        for pid in children(server_of(service))[:1]:
            _kill(pid)

    @staticmethod
    def machine(service: Running) -> None:
        """Supervisor, server and workers at once."""
        service.kill()
        service.start()

    def run(self, until: float) -> None:
        """Until a time, and until a few things have been killed, however slow the machine is."""
        bag: list[str] = []
        pause = max(0.1, min(4.0, SECONDS / 60))
        while time.monotonic() < until - pause or sum(self.kills.values()) < FEWEST:
            bag = bag or self.chance.sample(sorted(self.victims()), len(self.victims()))
            name = bag.pop()
            time.sleep(self.chance.uniform(pause / 4, pause))
            begun = time.monotonic()
            try:
                self.victims()[name]()
                self.await_ready()
            except Exception as error:
                self.problems.append(f"{name}: {type(error).__name__}: {error}")
            self.kills[name] += 1
            self.back[name].append(time.monotonic() - begun)

    def await_ready(self) -> None:
        """Until both services say that they can work; those who lost their parent take a moment to notice."""
        time.sleep(0.6)
        for service in (self.pair.registry, self.pair.repository):
            service.await_ready(BACK_WITHIN)

    def shown(self) -> str:
        """The slowest return after each kind of kill, in seconds."""
        return ", ".join(f"{name} {self.kills[name]}x, {max(times):.1f} s" for name, times in sorted(self.back.items()))


def _kill(pid: int) -> None:
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def killer(tmp_path: Path) -> Iterator[Killer]:
    """Services on stores of their own, which may die."""
    try:
        postgres, minio = start_postgres(), MinioServer()
    except Unavailable as reason:
        do_without(reason)
        return
    minio.start()
    settings = {
        "DATABASE": new_database(postgres),
        "OUTBOX": new_database(postgres),
        "STORAGE": f"s3://{minio.service.new_bucket()}",
        "S3_ENDPOINT": minio.service.endpoint,
        "S3_ACCESS_KEY": minio.service.access_key,
        "S3_SECRET_KEY": minio.service.secret_key,
        "LOG_LEVEL": "warning",
    }
    pair = a_pair(tmp_path, settings | QUICK | WITHOUT_FEEDS)
    pair.start()
    yield Killer(pair, postgres, minio, random.Random(SEED))
    for each in (pair.repository, pair.registry):
        each.kill()
    minio.stop()
    postgres.stop()


def memory(pair: Pair) -> float:
    """Of the largest process of both services now, in MiB."""
    pids = [pid for each in (pair.registry, pair.repository) if each.process for pid in descendants(each.process.pid)]
    found = 0.0
    for pid in pids:
        with suppress(OSError):
            found = max(found, int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20)
    return found


def test_d3_d4_d16_whatever_is_killed_under_load_nothing_acknowledged_is_lost(killer: Killer) -> None:
    book = Book()
    with load(killer.pair.services, book, threads=THREADS, seconds=SECONDS + 600, seed=SEED) as work:
        killer.run(time.monotonic() + SECONDS)
        work.end()

    assert killer.problems == []
    killer.await_ready()
    seen = judged(killer.pair, book)
    assert seen["acknowledged"] > SECONDS, "hardly anything was taken"
    assert _settled(killer.pair), "marks stay"
    told = check(killer.pair, "--deep")
    print(f"\nkills (seed {SEED}, {SECONDS:g} s): {killer.shown()}")
    print(f"sent: {dict(sorted(book.counts.items()))}")
    print(f"came to: {seen}; slowest answer {book.slowest:.1f} s, longest time without success {book.gap():.1f} s")
    print(f"largest process {memory(killer.pair):.0f} MiB; check --deep: {told['summary']}")
    assert told["summary"] == {"differences": 0, "kinds": {}}


def _settled(pair: Pair, seconds: float = 25) -> bool:
    """Whether the sweeper settles or removes all that was in doubt, by itself."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        text = requests.get(f"http://127.0.0.1:{pair.repository.port}/metrics", timeout=5).text
        left = [line for line in text.splitlines() if line.startswith("portolan_pending_documents ")]
        if left and float(left[0].split()[1]) == 0:
            return True
        time.sleep(0.2)
    return False
