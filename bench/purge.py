"""What a purge costs everybody else: ``python -m bench.purge --documents 5000 --rate 50``.

Fills a Registry on PostgreSQL and a Repository in a folder by ITI-41 with old letters, and measures FindDocuments of
other patients at a steady pace while `portolan purge run` removes the letters. The purge is held up (SIGSTOP) for a
while again and again, so that both sides of the comparison meet the same machine.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import click

from bench import messages
from bench.driver import Connection, _run
from common.soap.envelope import write_envelope
from common.soap.mtom_writer import MtomWriter
from common.standard.transactions import ITI_41
from tests.factories import a_document, a_patient_id, a_submission
from tests.running import ROOT, Pair, a_pair
from tests.servers.postgres import new_database, start_postgres
from tests.wire import document_elements, provide_body

_EACH = 10
_SETTLED = 0.3  # seconds in which a purge that was told to stop, or to go on, does so
_CONTENT = b"x" * 4096
_OLD = {"creation_time": "20010301", "service_start_time": "20010301", "service_stop_time": "20010301"}


def old_letters(url: str, patient_id: str, count: int) -> messages.Request:
    """ITI-41 of so many old letters of one patient."""
    info = ("PID-7|19500601",)
    entries = [
        a_document(patient_id=patient_id, hash=None, size=None, source_patient_info=info, **_OLD) for _ in range(count)
    ]
    names = {each.entry_uuid: f"{each.entry_uuid}@source.example" for each in entries}
    body = provide_body(a_submission(*entries), document_elements(names))
    writer = MtomWriter(ITI_41.action)
    message = write_envelope(ITI_41.action, body, message_id=f"urn:uuid:{a_patient_id()}", to=url)
    pieces = [writer.head(message)]
    for name in names.values():
        pieces += [writer.part_head(name, "application/pdf"), _CONTENT]
    return messages._http(url, writer.content_type, (*pieces, writer.tail), b"ResponseStatusType:Success")


def paced(url: str, patients: Sequence[str], per_second: float, until: threading.Event) -> list[tuple[float, float]]:
    """When FindDocuments was asked, and its latency; at a pace, whether or not the last answer was quick."""
    connection, found, begun, number = Connection(url), list[tuple[float, float]](), time.perf_counter(), 0
    while not until.is_set():
        request = messages.find(url, patients[number % len(patients)])
        time.sleep(max(0.0, begun + number / per_second - time.perf_counter()))
        start = time.perf_counter()
        connection.exchange(request)
        found.append((start, time.perf_counter() - start))
        number += 1
    connection.close()
    return found


def percentile(latencies: Sequence[float], share: float) -> float:
    """In milliseconds."""
    ordered = sorted(latencies)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


def command(pair: Pair, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One `portolan` command about the pair."""
    return subprocess.run(
        [sys.executable, "-m", "console", *arguments],
        env=pair.registry.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )


def held_up(purge: subprocess.Popen[str], goes: float, rests: float) -> Iterator[tuple[bool, float, float]]:
    """Whether the purge went on, from when until when, until it has ended; without the moment around each change."""
    while True:
        for going, seconds in ((True, goes), (False, rests)):
            purge.send_signal(signal.SIGCONT if going else signal.SIGSTOP)
            begun = time.perf_counter()
            with suppress(subprocess.TimeoutExpired):
                purge.wait(seconds)
            yield going, begun + _SETTLED, time.perf_counter()
            if purge.returncode is not None:
                return


def measured(
    pair: Pair, patients: Sequence[str], per_second: float, turns: tuple[float, float], run: Sequence[str]
) -> None:
    """With the purge and without it, in turns; prints both."""
    over, asked = threading.Event(), list[tuple[float, float]]()
    asking = threading.Thread(
        target=lambda: asked.extend(paced(pair.registry.url, patients, per_second, over)), daemon=True
    )
    purge = subprocess.Popen(
        [sys.executable, "-m", "console", *run],
        env=pair.registry.environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    asking.start()
    windows = list(held_up(purge, *turns))
    over.set()
    asking.join()
    told = purge.communicate()[0].strip()
    went = sum(end - begin for going, begin, end in windows if going)
    print(f"purge: went on for {went:.1f} s; {told}")
    sides = {}
    for name, wanted in (("quiet", False), ("purging", True)):
        found = [
            latency for going, begin, end in windows for at, latency in asked if going is wanted and begin <= at < end
        ]
        sides[name] = found
        times = "".join(f"{percentile(found, share):9.2f}" for share in (0.5, 0.95, 0.99))
        print(f"FindDocuments, {name:<10}{len(found):>7} asked; p50, p95, p99 in ms:{times}")
    ratio = percentile(sides["purging"], 0.95) / percentile(sides["quiet"], 0.95)
    print(f"p95 while purging is {ratio:.2f} times the quiet one, in {len(windows)} turns")


def fill(pair: Pair, documents: int) -> Iterator[messages.Request]:
    """The letters that are to go."""
    for _ in range(max(1, documents // _EACH)):
        yield old_letters(pair.repository.url, a_patient_id(), _EACH)


@click.command()
@click.option("--documents", default=5000, show_default=True, help="How many are purged.")
@click.option("--rate", default=50.0, show_default=True, help="Documents a second; 0 for as fast as it goes.")
@click.option("--queries", default=40.0, show_default=True, help="FindDocuments a second.")
@click.option("--turns", default=(8.0, 4.0), show_default=True, type=(float, float), help="Seconds with and without.")
def main(documents: int, rate: float, queries: float, turns: tuple[float, float]) -> None:
    """Measure FindDocuments while a purge goes on."""
    postgres = start_postgres()
    pair = None
    try:
        with tempfile.TemporaryDirectory(prefix="portolan-bench-") as data:
            settings = {"DATABASE": new_database(postgres), "LOG_LEVEL": "warning"}
            pair = a_pair(Path(data), settings | {"REGISTRY_WORKERS": "2"})
            pair.start()
            try:
                asked = [a_patient_id() for _ in range(20)]
                for patient in asked:
                    _run(pair.registry.url, [messages.register(pair.registry.url, patient, 10)], 1)
                requests = [replace(each) for each in fill(pair, documents)]
                begun = time.perf_counter()
                _run(pair.repository.url, requests, 8)
                print(f"filled with {len(requests) * _EACH} letters in {time.perf_counter() - begun:.1f} s")
                begun = time.perf_counter()
                told = command(pair, "purge", "plan", "--by", "A. Planner", "--csv").stderr
                plan = told.split("The plan is ")[1].split(",")[0]
                print(f"planned in {time.perf_counter() - begun:.1f} s: {told.splitlines()[0]}")
                begun = time.perf_counter()
                command(pair, "purge", "confirm", plan, "--by", "B. Confirmer")
                print(f"confirmed in {time.perf_counter() - begun:.1f} s")
                measured(pair, asked, queries, turns, ("purge", "run", plan, "--rate", str(rate)))
            finally:
                pair.stop()
    finally:
        postgres.stop()


if __name__ == "__main__":
    main()
