"""The database's primary dies: its standby is promoted, and service goes on without anything acknowledged being lost.

PORTOLAN_FAILOVER_SECONDS says how long there is load before and after (1.5 without it).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.running import Pair, a_pair
from tests.servers.fixtures import do_without
from tests.servers.postgres import InstalledPostgres, new_database, start_postgres
from tests.servers.process import Unavailable
from tests.system.survival_judge import check, judged
from tests.system.survival_kit import WITHOUT_FEEDS, Book, load, seconds_of

pytestmark = [pytest.mark.system, pytest.mark.slow]

SECONDS = seconds_of("PORTOLAN_FAILOVER_SECONDS", 1.5)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[Pair, InstalledPostgres, InstalledPostgres]]:
    """A primary that commits only with its standby, and services that know both addresses."""
    try:
        primary = start_postgres()
    except Unavailable as reason:
        do_without(reason)
        return
    if not isinstance(primary, InstalledPostgres):
        primary.stop()
        pytest.skip("a standby needs a PostgreSQL that is installed")
    name = new_database(primary).rpartition("/")[2]
    standby = primary.standby()
    plain = primary.url().replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(plain, autocommit=True) as connection:
        # Only now: the standby has no such line, and commits alone once it is promoted.
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        connection.execute("SELECT pg_reload_conf()")
    hosts = "&".join(f"host=127.0.0.1:{each.port}" for each in (primary, standby))
    url = f"postgresql+psycopg://xds:xds@/{name}?{hosts}&target_session_attrs=read-write"
    quick = {"SWEEP_AFTER": "5s", "SWEEP_EVERY": "0.5s", "ANSWER_TIMEOUT": "4s", "CONNECT_TIMEOUT": "0.5s"}
    pair = a_pair(tmp_path, quick | WITHOUT_FEEDS | {"DATABASE": url, "LOG_LEVEL": "warning"})
    pair.start()
    yield pair, primary, standby
    for each in (pair.repository, pair.registry):
        each.kill()
    standby.stop()
    primary.stop()


def test_d16_a_promoted_standby_serves_at_once_and_has_all_that_was_acknowledged(
    cluster: tuple[Pair, InstalledPostgres, InstalledPostgres],
) -> None:
    pair, primary, standby = cluster
    book = Book()
    with load(pair.services, book, threads=3, seconds=3600, seed=11) as work:
        time.sleep(SECONDS)
        died = time.monotonic()
        primary.kill()
        time.sleep(0.5)
        standby.promote()
        promoted = time.monotonic()
        while not any(each > promoted for each in book.successes[-20:]) and time.monotonic() < promoted + 40:
            time.sleep(0.05)
        back = time.monotonic() - promoted
        time.sleep(SECONDS)
        work.end()

    seen = judged(pair, book)
    print(f"\npromoted {promoted - died:.1f} s after the end, served {back:.1f} s after that; {seen}")
    print(f"sent: {dict(sorted(book.counts.items()))}")
    assert back < 30
    assert any(letter.acknowledged for letter in book.letters.values())
    assert check(pair, "--deep", differences=True)["summary"]["kinds"].keys() <= {"mark"}
