"""What a read replica takes off a database: ``python -m bench.replica``.

FindDocuments about patients with some documents, asked of a PostgreSQL and then of a standby that follows it: the
processor time that one question takes on either server, and how long it takes.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack

import click

from bench.driver import cpu_seconds
from bench.growth_filling import _Filler
from common.db import Reader, Replica, open_database
from common.ebxml.query import AdhocQuery, ReturnType
from common.model import AvailabilityStatus
from common.standard.queries import BY_NAME
from registry.search import Limits, Search
from registry.store import schema
from tests.factories import a_document, a_patient_id
from tests.servers.postgres import new_database
from tests.servers.process import eventually
from tests.servers.replica import Cluster, Standby, a_cluster

_HELD = (10, 100)
_PATIENTS = 8


def _postmaster(cluster: Cluster) -> int:
    return int((cluster._base / "data" / "postmaster.pid").read_text().split()[0])


def _ask(reader: Reader, patients: list[str]) -> Callable[[int], None]:
    search = Search(reader, Limits(1000, 5000, 100_000))

    def ask(number: int) -> None:
        slots = (
            ("$XDSDocumentEntryPatientId", (f"'{patients[number % len(patients)]}'",)),
            ("$XDSDocumentEntryStatus", (f"('{AvailabilityStatus.APPROVED.value}')",)),
        )
        asked = AdhocQuery(BY_NAME["FindDocuments"].id, ReturnType.LEAF_CLASS, slots)
        if search.answer(asked, multi_patient=False, correlation="bench").response.errors:
            raise RuntimeError("a question failed")

    return ask


def _cost(ask: Callable[[int], None], count: int, servers: tuple[int, int]) -> str:
    """Milliseconds of a processor on either server, and the middle time, for one question."""
    for number in range(count // 10):
        ask(number)
    before, times = [cpu_seconds([each]) for each in servers], []
    for number in range(count):
        begun = time.perf_counter()
        ask(number)
        times.append(time.perf_counter() - begun)
    spent = [(cpu_seconds([pid]) - was) / count * 1000 for pid, was in zip(servers, before, strict=True)]
    return f"{spent[0]:12.3f}{spent[1]:12.3f}{statistics.median(times) * 1000:12.2f}"


@click.command()
@click.option("--requests", default=4000, show_default=True, help="Questions of each kind.")
def main(requests: int) -> None:
    """Measure questions with and without a replica."""
    with ExitStack() as stack:
        primary = a_cluster()
        stack.callback(primary.stop)
        standby = Standby(primary)
        stack.callback(standby.stop)
        url = new_database(primary)
        database = open_database(url)
        stack.callback(database.close)
        schema.upgrade(database)
        known = {count: [a_patient_id() for _ in range(_PATIENTS)] for count in _HELD}
        with _Filler(url) as filler:
            for count, patients in known.items():
                for patient in patients:
                    filler.submit([a_document(patient_id=patient) for _ in range(count)])
        written = primary.ask("SELECT pg_current_wal_flush_lsn()")
        there = f"SELECT pg_last_wal_replay_lsn() >= '{written}'"
        eventually(lambda: standby.ask(there) is True, "the standby is level")
        lots: Counter[str] = Counter()
        copy = open_database(standby.url(url.rpartition("/")[2]))
        replica = Replica(database, copy, note=lambda lot: lots.update([lot]))
        stack.callback(replica.close)
        replica.ask(lambda work: None)
        time.sleep(1)
        servers = _postmaster(primary), _postmaster(standby)
        print(f"{'ms for one question':<36}{'database':>12}{'replica':>12}{'time':>12}")
        for count, patients in known.items():
            for name, reader in (("without a replica", database), ("with one", replica)):
                told = _cost(_ask(reader, patients), requests * 10 // count, servers)
                print(f"FindDocuments, {count:>3}, {name:<18}{told}")
        print(f"with a replica, questions were answered by: {dict(lots)}")


if __name__ == "__main__":
    main()
