"""What uploads of large documents cost everybody else: ``python -m bench.fairness``.

FindDocuments is asked at a steady pace, first while nothing else goes on, then while eight documents of 1 GiB are
being uploaded at once, by a process of their own. It ends with 1 when the 95th percentile is three times the quiet one
or more.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path

import click

from bench import messages
from bench.driver import Connection
from bench.large import provide
from bench.purge import paced, percentile
from bench.run import send
from tests.factories import a_patient_id
from tests.running import Pair, a_pair
from tests.servers.postgres import new_database, start_postgres

MOST = 3.0


def upload(url: str, size: int, count: int, ready: Event, begin: Event) -> None:
    """So many documents at once, as soon as it is said."""
    os.setsid()  # whoever uploads is on another machine: let the scheduler not take it for part of whoever asks
    requests = [provide(url, size)[1] for _ in range(count)]

    def one() -> None:
        connection = Connection(url)
        connection.exchange(requests.pop())
        connection.close()

    threads = [threading.Thread(target=one) for _ in range(count)]
    ready.set()
    begin.wait()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def measured(pair: Pair, patients: list[str], pace: float, quiet: float, size: int, count: int) -> float:
    """Quiet, then during the uploads; how many times the quiet 95th percentile."""
    registry = pair.registry.url
    over = threading.Event()
    threading.Timer(quiet, over.set).start()
    before = [latency for _, latency in paced(registry, patients, pace, over)]
    over.clear()
    during: list[float] = []
    context = get_context("spawn")
    ready, begin = context.Event(), context.Event()
    uploading = context.Process(target=upload, args=(pair.repository.url, size, count, ready, begin))
    uploading.start()
    ready.wait(60)
    asking = threading.Thread(
        target=lambda: during.extend(latency for _, latency in paced(registry, patients, pace, over))
    )
    asking.start()
    begun = time.perf_counter()
    begin.set()
    uploading.join()
    seconds = time.perf_counter() - begun
    over.set()
    asking.join()
    if uploading.exitcode:
        raise RuntimeError("an upload failed")
    print(
        f"{count} uploads of {size / 2**20:.0f} MiB in about {seconds:.1f} s, {size * count / seconds / 1e6:.0f} MB/s"
    )
    for name, found in (("quiet", before), ("uploading", during)):
        times = "".join(f"{percentile(found, share):9.2f}" for share in (0.5, 0.95, 0.99))
        print(f"FindDocuments, {name:<10}{len(found):>7} asked; p50, p95, p99 in ms:{times}")
    return percentile(during, 0.95) / percentile(before, 0.95)


@click.command()
@click.option("--size", default=1024, show_default=True, help="MiB of each document.")
@click.option("--count", default=8, show_default=True, help="Uploads at once.")
@click.option("--queries", default=40.0, show_default=True, help="FindDocuments a second.")
@click.option("--quiet", default=15.0, show_default=True, help="Seconds of measuring before the uploads.")
@click.option("--workers", default=2, show_default=True, help="Processes of each service.")
def main(size: int, count: int, queries: float, quiet: float, workers: int) -> None:
    """Measure FindDocuments while large documents are uploaded."""
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portolan-fairness-")))
        postgres = start_postgres()
        stack.callback(postgres.stop)
        settings = {"DATABASE": new_database(postgres), "LOG_LEVEL": "warning", "REGISTRY_MLLP_BIND": "off"}
        pair = a_pair(data, settings | {"REGISTRY_WORKERS": str(workers), "REPOSITORY_WORKERS": str(workers)})
        stack.callback(pair.stop)
        pair.start()
        patients = [a_patient_id() for _ in range(20)]
        send(pair.registry.url, [messages.register(pair.registry.url, each, 10) for each in patients])
        times = measured(pair, patients, queries, quiet, size * 2**20, count)
    print(f"p95 while uploading is {times:.2f} times the quiet one")
    sys.exit(0 if times < MOST else 1)


if __name__ == "__main__":
    main()
