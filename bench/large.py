"""Documents of 2 GiB up and down, beside the same bytes through a bare endpoint: ``python -m bench.large``.

The bare endpoint is the same server with a WSGI application behind it that writes what comes to the same disk, durably,
and reads it from there. All four go in turns, so that whatever else the machine does weighs on all of them alike. It
ends with 1 when a document moves at less than six tenths of the bare rate, or memory grows with the document.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import requests

from bench import messages
from bench.driver import Connection, cpu_seconds, largest_memory
from common.http.crew import Place, serve
from common.http.limits import Limits
from common.soap.envelope import write_envelope
from common.soap.mtom_writer import MtomWriter
from common.standard.transactions import ITI_41
from tests.factories import REPOSITORY_ID, a_document, a_patient_id, a_submission, a_uuid, an_oid
from tests.running import ROOT, Pair, a_pair
from tests.servers.postgres import new_database, start_postgres
from tests.servers.process import free_port
from tests.wire import document_elements, provide_body

PIECE: Final = 2**20
ENOUGH: Final = 0.6
MOST_MEMORY: Final = 32.0
"""MiB that a request may add to a process."""
_SMALL: Final = 8 * PIECE
_OK: Final = b"done"


def bare(folder: Path) -> Callable[[dict[str, Any], Any], Iterator[bytes]]:
    """A WSGI application that copies bytes to a file, and from it."""
    kept = folder / "bare"

    def take(environ: dict[str, Any]) -> Iterator[bytes]:
        with kept.open("wb", buffering=0) as file:
            while data := environ["wsgi.input"].read(PIECE):
                file.write(data)
            os.fsync(file.fileno())
        yield _OK

    def give() -> Iterator[bytes]:
        with kept.open("rb", buffering=0) as file:
            while data := file.read(PIECE):
                yield data

    def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        giving = environ["PATH_INFO"] == "/give"
        length = kept.stat().st_size if giving else len(_OK)
        answer = give() if giving else take(environ)
        start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(length))])
        return answer

    return application


@contextmanager
def bare_server(folder: Path) -> Iterator[str]:
    """The bare endpoint's address."""
    port = free_port()
    command = [sys.executable, "-m", "bench.large", "bare", str(port), str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/take"
    try:
        for _ in range(200):
            try:
                requests.post(url, data=b"x", timeout=1)
                break
            except requests.RequestException:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(10)


_CONTENT: Final = os.urandom(PIECE)


def _pieces(size: int) -> list[bytes]:
    """So many bytes, which take little room: one piece again and again, behind a beginning of its own."""
    return [a_uuid().encode().ljust(64), *([_CONTENT] * (size // PIECE - 1)), _CONTENT[64:]]


def provide(url: str, size: int) -> tuple[str, messages.Request]:
    """ITI-41 of one large document, and its uniqueId."""
    entry = a_document(patient_id=a_patient_id(), unique_id=an_oid(), hash=None, size=None)
    name = f"{entry.entry_uuid}@source.example"
    body = provide_body(a_submission(entry), document_elements({entry.entry_uuid: name}))
    writer = MtomWriter(ITI_41.action)
    head = writer.head(write_envelope(ITI_41.action, body, message_id=a_uuid(), to=url))
    pieces = (head + writer.part_head(name, "application/pdf"), *_pieces(size), writer.tail)
    assert entry.unique_id
    return entry.unique_id, messages._http(url, writer.content_type, pieces, b"ResponseStatusType:Success")


def _timed(url: str, request: messages.Request) -> float:
    connection = Connection(url)
    begun = time.perf_counter()
    connection.exchange(request)
    seconds = time.perf_counter() - begun
    connection.close()
    return seconds


@dataclass
class Moved:
    """What one way of moving the bytes came to, round by round: seconds, CPU seconds."""

    name: str
    seconds: list[float]
    cpu: list[float]

    def told(self, size: int, floor: Moved | None) -> str:
        """One line."""
        rate = size / statistics.median(self.seconds) / 1e6
        beside = f"{self.share(floor):8.0%} of bare" if floor else ""
        return f"{self.name:<14}{rate:9.0f} MB/s{statistics.median(self.cpu):8.2f} s CPU{beside}"

    def share(self, floor: Moved) -> float:
        """The rate as a share of another one's, in the middle round."""
        return statistics.median(other / own for own, other in zip(self.seconds, floor.seconds, strict=True))


def measured(pair: Pair, bare_url: str, size: int, rounds: int) -> tuple[dict[str, Moved], float]:
    """All four ways in turns; and how many MiB a large document added to the largest process."""
    repository = pair.repository.url
    process = pair.repository.process
    pids = [process.pid] if process else []
    found = {name: Moved(name, [], []) for name in ("bare up", "ITI-41", "bare down", "ITI-43")}
    small, request = provide(repository, _SMALL)
    _timed(repository, request)
    _timed(repository, messages.retrieve(repository, small, REPOSITORY_ID))
    usual = largest_memory(pids)
    most = 0.0
    for _ in range(rounds):
        name, up = provide(repository, size)
        plain = messages._http(bare_url, "application/octet-stream", _pieces(size), _OK)
        asked = messages._http(bare_url.replace("/take", "/give"), "application/octet-stream", (), b"")
        ways = (
            ("bare up", bare_url, plain),
            ("ITI-41", repository, up),
            ("bare down", bare_url, asked),
            ("ITI-43", repository, messages.retrieve(repository, name, REPOSITORY_ID)),
        )
        for way, url, sent in ways:
            os.sync()  # what the last one left to be written is not this one's
            before = cpu_seconds(pids)
            found[way].seconds.append(_timed(url, sent))
            found[way].cpu.append(cpu_seconds(pids) - before)
            most = max(most, largest_memory(pids))
    return found, most - usual


@click.group(invoke_without_command=True)
@click.option("--size", default=2048, show_default=True, help="MiB of the document.")
@click.option("--rounds", default=3, show_default=True)
@click.pass_context
def main(context: click.Context, size: int, rounds: int) -> None:
    """Move large documents, and the same bytes through a bare endpoint."""
    if context.invoked_subcommand is not None:
        return
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portolan-large-")))
        postgres = start_postgres()
        stack.callback(postgres.stop)
        limit = f"{size + 1}MiB"
        settings = {"DATABASE": new_database(postgres), "LOG_LEVEL": "warning", "REGISTRY_MLLP_BIND": "off"}
        pair = a_pair(data, settings | {"MAX_DOCUMENT_BYTES": limit, "MAX_SUBMISSION_BYTES": f"{size + 2}MiB"})
        stack.callback(pair.stop)
        pair.start()
        found, grown = measured(pair, stack.enter_context(bare_server(data)), size * 2**20, rounds)
    shares = []
    for name, floor in (("ITI-41", "bare up"), ("ITI-43", "bare down")):
        print(found[floor].told(size * 2**20, None))
        print(found[name].told(size * 2**20, found[floor]))
        shares.append(found[name].share(found[floor]))
    print(f"{size} MiB, {rounds} rounds in turns; the largest process of the Repository grew by {grown:.1f} MiB")
    sys.exit(0 if min(shares) >= ENOUGH and grown <= MOST_MEMORY else 1)


@main.command("bare", hidden=True)
@click.argument("port", type=int)
@click.argument("folder", type=click.Path(path_type=Path))
def _bare(port: int, folder: Path) -> None:
    limits = Limits(4, idle=30, total=600)
    serve(lambda: bare(folder), [Place("127.0.0.1", port)], workers=1, limits=limits, stop_seconds=5)


if __name__ == "__main__":
    main()
