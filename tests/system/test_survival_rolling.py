"""Two instances of each service behind a balancer, restarted one after the other under load: no request fails.

PORTOLAN_ROLLING_ROUNDS says how often all are restarted; without it one of each is, once.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.factories import a_patient_id
from tests.running import Pair, a_pair, back_end
from tests.servers.balancer import Haproxy, haproxy
from tests.servers.fixtures import do_without
from tests.servers.process import Unavailable, accepts, eventually
from tests.system.survival_judge import check, judged
from tests.system.survival_kit import WITHOUT_FEEDS, Book, a_letter, ask, load, retrieval
from tests.wire import Services, answer

pytestmark = [pytest.mark.system, pytest.mark.slow]

ROUNDS = int(os.environ.get("PORTOLAN_ROLLING_ROUNDS", "0"))
# Requests are tried again only when no connection could be made: then nothing has been sent.
RETRIES = "    option redispatch\n    retries 3\n    retry-on conn-failure\n"


class Checked(Haproxy):
    """A haproxy that asks each instance whether it is ready."""

    def _section(self, name: str, behind: Sequence[int]) -> str:
        servers = (
            super()
            ._section(name, behind)
            .replace("    server", "    default-server check inter 100ms fall 1 rise 1\n    server", 1)
        )
        return f"{servers}    option httpchk GET /ready\n{RETRIES}"


@pytest.fixture(scope="module")
def two(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[list[Pair], Services, Checked]]:
    """Two of each on the same stores."""
    tmp_path = tmp_path_factory.mktemp("rolling")
    settings = {
        name: value for name, value in back_end("postgresql and s3", request).items() if name in ("DATABASE", "OUTBOX")
    }
    settings |= WITHOUT_FEEDS | {"LOG_LEVEL": "warning", "STORAGE": str(tmp_path / "documents")}
    pairs = [a_pair(tmp_path / str(number), settings) for number in range(2)]
    path = haproxy()
    if path is None:
        do_without(Unavailable("haproxy is not installed"))
    balancer = Checked(
        path,
        {
            "registry": [pair.registry.port for pair in pairs],
            "repository": [pair.repository.port for pair in pairs],
        },
    )
    urls = {name: f"http://127.0.0.1:{port}/{name}" for name, port in balancer.ports.items()}
    for pair in pairs:
        for running in (pair.registry, pair.repository):
            running.environment |= {f"PORTOLAN_{name.upper()}_URL": url for name, url in urls.items()}
    try:
        for pair in pairs:
            pair.start()
            for each in (pair.registry, pair.repository):
                eventually(lambda one=each: balancer.is_up(one.name, one.port), "the balancer has seen it")  # type: ignore[misc]
        yield pairs, Services(urls["registry"], urls["repository"]), balancer
    finally:
        for pair in pairs:
            for each in (pair.repository, pair.registry):
                each.kill()
        balancer.stop()


def test_o6_d15_a_rolling_restart_under_load_fails_no_request(
    two: tuple[list[Pair], Services, Checked],
) -> None:
    pairs, services, balancer = two
    book, stops = Book(), []
    with load(services, book, threads=4, seconds=3600, seed=3) as work:
        for pair in pairs * ROUNDS or pairs[:1]:
            for service in (pair.registry, pair.repository):
                begun = time.monotonic()
                assert service.stop() == 0
                stops.append(time.monotonic() - begun)
                service.start()
                eventually(lambda one=service: balancer.is_up(one.name, one.port), "the balancer has seen it")  # type: ignore[misc]
        work.end()

    failed = {name: count for name, count in book.counts.items() if not name.endswith(": Success")}
    print(f"\n{sum(book.counts.values())} requests over {len(stops)} restarts, slowest stop {max(stops):.1f} s")
    print(f"longest time without success {book.gap():.2f} s, slowest answer {book.slowest:.2f} s; failed: {failed}")
    assert failed == {}
    told = judged(pairs[0], book, sample=50)
    assert told["acknowledged"] > 20
    assert check(pairs[0])["summary"] == {"differences": 0, "kinds": {}}


def test_d15_a_transfer_that_runs_when_a_service_is_told_to_stop_is_brought_to_its_end(
    two: tuple[list[Pair], Services, Checked],
) -> None:
    [_, pair], others, _ = two
    letter = a_letter(a_patient_id(), 4 * 2**20, random.Random(2))

    def slowly() -> Iterator[bytes]:
        step = len(letter.data) // 20
        for start in range(0, len(letter.data), step):
            yield letter.data[start : start + step]
            time.sleep(0.05)

    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(ask, lambda: pair.services.post(pair.services.repository, slowly(), letter.kind))
        time.sleep(0.4)
        begun = time.monotonic()
        assert pair.repository.stop() == 0
        took = time.monotonic() - begun
        told = sending.result()

    assert told.is_success, told
    assert took < 10
    assert not accepts(pair.repository.port)
    assert answer(retrieval(others.apart(), letter.unique_id)).documents() == {letter.unique_id: letter.content}
    print(f"\nstopped in the middle of a transfer, {took:.1f} s until its end")
