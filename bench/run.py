"""Requests a second, latencies, CPU and memory of every hot path: ``python -m bench.run``.

Starts Registry and Repository as an operator would, with everything durable, drives them over kept-alive
connections, and prints each figure beside the floors of the same run. Nothing but loopback is spoken to,
and all of it ends by itself.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from bench import floors, messages
from bench.bars import scaled, share_of
from bench.driver import Connection, Figures, measure
from tests.factories import REPOSITORY_ID, a_patient_id
from tests.running import Pair, a_pair
from tests.servers.minio import MinioServer
from tests.servers.postgres import new_database, start_postgres

CONNECTIONS = 8
LARGE_CONNECTIONS = 2
DOCUMENTS = (("10 KiB", 10 * 2**10, 600), ("1 MiB", 2**20, 120), ("100 MiB", 100 * 2**20, 8))


@dataclass(frozen=True, slots=True)
class Bench:
    """Running services, and how much to ask of them."""

    pair: Pair
    database: str
    data: Path
    pids: tuple[int, ...]
    scale: float
    only: tuple[str, ...] = ()

    def wants(self, name: str) -> bool:
        """Whether a scenario was chosen."""
        return not self.only or any(part.lower() in name.lower() for part in self.only)

    def run(
        self, name: str, url: str, count: int, make: Callable[[int], messages.Request], payload: int = 0
    ) -> Iterator[Figures]:
        """One scenario, if it is wanted; requests are made before the clock starts."""
        if not self.wants(name):
            return
        connections = LARGE_CONNECTIONS if payload >= 2**26 else CONNECTIONS
        made = [make(number) for number in range(max(2 * connections, int(count * self.scale)))]
        yield measure(name, url, made, connections=connections, pids=self.pids, payload=payload)


@contextmanager
def started(database: str, storage: str, workers: int, scale: float, only: tuple[str, ...] = ()) -> Iterator[Bench]:
    """Services on these back ends."""
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portolan-bench-")))
        settings = {"LOG_LEVEL": "warning", "REGISTRY_WORKERS": str(workers), "REPOSITORY_WORKERS": str(workers)}
        url = f"sqlite:///{data / 'floor.db'}"
        if database == "postgresql":
            postgres = start_postgres()
            stack.callback(postgres.stop)
            url = settings["DATABASE"] = new_database(postgres)
        if storage == "s3":
            minio = MinioServer()
            minio.start()
            stack.callback(minio.stop)
            settings |= {
                "STORAGE": f"s3://{minio.service.new_bucket()}",
                "S3_ENDPOINT": minio.service.endpoint,
                "S3_ACCESS_KEY": minio.service.access_key,
                "S3_SECRET_KEY": minio.service.secret_key,
            }
        pair = a_pair(data, settings)
        stack.callback(pair.stop)
        pair.start()
        pids = tuple(each.process.pid for each in (pair.registry, pair.repository) if each.process)
        yield Bench(pair, url, data, pids, scale, only)


def send(url: str, requests: Sequence[messages.Request]) -> None:
    """Requests whose time does not count."""
    connection = Connection(url)
    for request in requests:
        connection.exchange(request)
    connection.close()


def registry_figures(bench: Bench) -> Iterator[Figures]:
    """ITI-42 and ITI-18."""
    url = bench.pair.registry.url
    yield from bench.run("ITI-42, one document", url, 1500, lambda _: messages.register(url, a_patient_id()))
    for documents, count in ((1, 2000), (10, 1500), (100, 400)):
        known = [a_patient_id() for _ in range(8)]
        send(url, [messages.register(url, patient, documents) for patient in known])
        yield from bench.run(
            f"FindDocuments LeafClass, {documents}", url, count, lambda n, k=known: messages.find(url, k[n % 8])
        )
    yield from bench.run(
        "FindDocuments ObjectRef, 100", url, 1500, lambda n, k=known: messages.find(url, k[n % 8], leaf=False)
    )


def repository_figures(bench: Bench) -> Iterator[Figures]:
    """ITI-41, ITI-43, and GetDocuments of what was provided."""
    registry, repository = bench.pair.registry.url, bench.pair.repository.url
    names: list[str] = []
    for label, size, count in DOCUMENTS:
        sent: list[str] = []

        def provide(_: int, size: int = size, sent: list[str] = sent) -> messages.Request:
            content = messages.document(size)
            sent.append(content.unique_id)
            return messages.provide(repository, content)

        yield from bench.run(f"ITI-41, {label}", repository, count, provide, size)
        if not sent:
            send(repository, [provide(number) for number in range(2)])
        yield from bench.run(
            f"ITI-43, {label}",
            repository,
            count * 3,
            lambda n, s=sent: messages.retrieve(repository, s[n % len(s)], REPOSITORY_ID),
            size,
        )
        names = names or sent
    yield from bench.run(
        "GetDocuments by uniqueId", registry, 2000, lambda n: messages.get(registry, names[n % len(names)])
    )


HEAD = f"{'':<30}{'req/s':>9}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'MB/s':>9}{'CPU ms':>9}"
HEAD += f"{'MiB':>8}{'bar':>8}{'of it':>7}"


def line(figures: Figures, bar: float | None = None) -> str:
    """One row; CPU is that of all service processes per request, MiB the largest of them at its peak."""
    against = f"{bar:8.1f}{figures.rate / bar:7.0%}" if bar else ""
    speed = f"{figures.megabytes:9.1f}" if figures.payload else f"{'':>9}"
    times = "".join(f"{figures.percentile(share):9.2f}" for share in (0.5, 0.95, 0.99))
    return f"{figures.name:<30}{figures.rate:9.1f}{times}{speed}{figures.cpu * 1000:9.2f}{figures.memory:8.1f}{against}"


def print_floors(bench: Bench, workers: int) -> dict[str, float]:
    """The floors, and what they are."""
    empty = floors.empty_endpoint(workers, 8, CONNECTIONS, int(4000 * max(bench.scale, 0.1)))
    print(line(empty))
    found = {
        "one durable commit": floors.one_commit(bench.database),
        "one durable file of 10 KiB": floors.one_file(bench.data / "floor"),
        "one parse of an ITI-42": floors.one_parse(),
    }
    for name, seconds in found.items():
        print(f"{'floor: ' + name:<39}{seconds * 1000:9.3f} ms each, {1 / seconds:,.0f} a second by one caller")
    return {"empty endpoint": 1 / empty.rate, **found}


@click.command()
@click.option("--database", type=click.Choice(["sqlite", "postgresql"]), default="postgresql", show_default=True)
@click.option("--storage", type=click.Choice(["folder", "s3"]), default="folder", show_default=True)
@click.option("--workers", default=os.cpu_count() or 1, show_default=True, help="Processes of each service.")
@click.option("--scale", default=1.0, show_default=True, help="Multiplies the number of requests.")
@click.option("--only", multiple=True, help="Only scenarios with this in their name; may be given several times.")
@click.option(
    "--machine",
    type=(float, float),
    default=(1.0, 1.0),
    show_default=True,
    help="What this machine reaches of a quiet one's reads and writes; the bars are scaled by that.",
)
@click.option("--json", "report", type=click.Path(path_type=Path), help="Append the figures to this file as JSON.")
def main(
    database: str,
    storage: str,
    workers: int,
    scale: float,
    only: tuple[str, ...],
    machine: tuple[float, float],
    report: Path | None,
) -> None:
    """Measure all hot paths once, durably, and print them beside the floors."""
    print(f"{database}, {storage}, {workers} processes a service, {CONNECTIONS} connections, {os.cpu_count()} cores")
    print(HEAD)
    with started(database, storage, workers, scale, only) as bench:
        found = {"floors": print_floors(bench, workers)}
        rates: dict[str, float] = {}
        for scenarios in (registry_figures, repository_figures):
            for figures in scenarios(bench):
                share = share_of(database, storage, figures.name)
                print(line(figures, scaled(figures.name, *machine, share)), flush=True)
                rates[figures.name] = figures.rate
        found["rates"] = rates
    if report is not None:
        with report.open("a") as file:
            file.write(json.dumps({"database": database, "storage": storage, **found}) + "\n")


if __name__ == "__main__":
    main()
