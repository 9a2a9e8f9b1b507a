"""Patient feeds a second, and how long a merge takes: ``python -m bench.feeds``.

The Registry is started as an operator would start it, with everything durable. Feeds go over four connections, each of
which sends when it has its answer. A merge is of two patients with so many documents each, every one in a SubmissionSet
of its own.
"""

from __future__ import annotations

import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import click
from sqlalchemy import create_engine, text

from common.db import open_database
from registry.register import Register
from registry.store import schema
from tests.factories import AnyDomain, a_document, a_patient_id, a_submission
from tests.feeds import Pas, admitted, merged
from tests.running import a_pair
from tests.servers.postgres import new_database, start_postgres

CONNECTIONS = 4


def feed(port: int, count: int) -> tuple[float, float]:
    """Messages a second, and the 95th percentile of their times in milliseconds."""
    messages = [[admitted(a_patient_id(), event="A04") for _ in range(count)] for _ in range(CONNECTIONS)]
    times: list[float] = []

    def send(mine: list[bytes]) -> None:
        pas = Pas(port)
        for message in mine:
            began = time.perf_counter()
            assert pas.send(message).code == "AA"
            times.append(time.perf_counter() - began)
        pas.close()

    threads = [threading.Thread(target=send, args=(mine,)) for mine in messages]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    return CONNECTIONS * count / seconds, sorted(times)[int(0.95 * len(times))] * 1000


def fill(url: str, patients: list[str], documents: int) -> None:
    """Documents of each patient, in a submission each."""
    database = open_database(url)
    register = Register(database, AnyDomain(), max_objects=100)

    def submit(patient_id: str, count: int) -> None:
        for _ in range(count):
            submission = a_submission(a_document(patient_id=patient_id))
            answer = register.register(lambda: submission, message_id=None, digest="", correlation="bench")  # noqa: B023
            assert not answer.errors, answer.errors

    threads = [threading.Thread(target=submit, args=(name, documents // 2)) for name in patients for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.close()


def settle(url: str) -> None:
    """Have PostgreSQL write out what the filling left, which is no part of a merge."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("VACUUM ANALYZE"))
        connection.execute(text("CHECKPOINT"))
    engine.dispose()


@click.command()
@click.option("--database", type=click.Choice(["sqlite", "postgresql"]), default="postgresql", show_default=True)
@click.option("--messages", default=1500, show_default=True, help="Messages of each connection.")
@click.option("--documents", default=10_000, show_default=True, help="Documents of each of the two patients.")
def main(database: str, messages: int, documents: int) -> None:
    """Measure feeds and a merge once, durably."""
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portolan-bench-")))
        settings, url = {"LOG_LEVEL": "warning"}, f"sqlite:///{data / 'registry.db'}"
        if database == "postgresql":
            postgres = start_postgres()
            stack.callback(postgres.stop)
            url = settings["DATABASE"] = new_database(postgres)
        pair = a_pair(data, settings)
        stack.callback(pair.registry.kill)
        pair.registry.start()
        feed(pair.mllp, max(1, messages // 10))
        rate, slow = feed(pair.mllp, messages)
        click.echo(f"ITI-8 A04, {CONNECTIONS} connections, {database}: {rate:,.0f} messages/s, p95 {slow:.1f} ms")
        patients = [a_patient_id(), a_patient_id()]
        opened = open_database(url)
        schema.upgrade(opened)
        opened.close()
        fill(url, patients, documents)
        if database == "postgresql":
            settle(url)
        pas = Pas(pair.mllp, seconds=120)
        began = time.perf_counter()
        assert pas.send(merged(*patients)).code == "AA"
        click.echo(f"ITI-8 A40, {documents:,} documents each, {database}: {time.perf_counter() - began:.2f} s")
        pas.close()


if __name__ == "__main__":
    main()
