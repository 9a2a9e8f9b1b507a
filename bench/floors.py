"""What this machine can do at best, measured in the same run: figures carry over as ratios to these."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import create_engine, text

from bench.driver import Figures, measure, median_of
from bench.messages import register
from common.http.crew import Place, serve
from common.http.limits import Limits
from common.soap.xml import XmlLimits, parse
from tests.factories import a_patient_id
from tests.servers.process import free_port

_ANSWER = b'<?xml version="1.0"?><answer status="urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"/>'


def empty(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """A WSGI application that reads a message and does nothing with it."""
    while environ["wsgi.input"].read(262144):
        pass
    start_response("200 OK", [("Content-Type", "application/xml"), ("Content-Length", str(len(_ANSWER)))])
    return [_ANSWER]


@contextmanager
def empty_server(workers: int, threads: int) -> Iterator[tuple[str, int]]:
    """The same server as the services', with nothing behind it; its address and process id."""
    port = free_port()
    command = [sys.executable, "-m", "bench.floors", str(port), str(workers), str(threads)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                requests.post(f"http://127.0.0.1:{port}/", data=b"", timeout=1)
                break
            except requests.RequestException:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/", process.pid
    finally:
        process.terminate()
        process.wait(10)


def empty_endpoint(workers: int, threads: int, connections: int, count: int) -> Figures:
    """ITI-42 messages sent to a server that does nothing."""
    with empty_server(workers, threads) as (url, pid):
        messages = [register(url, a_patient_id()) for _ in range(count)]
        return measure("floor: empty endpoint", url, messages, connections=connections, pids=[pid])


def one_commit(url: str) -> float:
    """Seconds of one durable commit of one row of 8 KB."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS bench_floor"))
        connection.execute(text("CREATE TABLE bench_floor (n INTEGER, content TEXT)"))
    content = os.urandom(4096).hex()

    def commit() -> None:
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO bench_floor VALUES (1, :content)"), {"content": content})

    taken = median_of(200, commit)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE bench_floor"))
    engine.dispose()
    return taken


def one_file(folder: Path, size: int = 10 * 1024) -> float:
    """Seconds of one durable file: written, synced, renamed, its directory synced."""
    folder.mkdir(parents=True, exist_ok=True)
    content, directory = os.urandom(size), os.open(folder, os.O_RDONLY)

    def write() -> None:
        name = folder / "floor"
        descriptor = os.open(name, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.write(descriptor, content)
        os.fsync(descriptor)
        os.close(descriptor)
        name.rename(folder / "floor.kept")
        os.fsync(directory)

    taken = median_of(200, write)
    os.close(directory)
    (folder / "floor.kept").unlink()
    return taken


def one_parse() -> float:
    """Seconds to parse one ITI-42 message, checks included."""
    message = register("http://floor/", a_patient_id()).pieces[0].partition(b"\r\n\r\n")[2]
    return median_of(500, lambda: parse(message, XmlLimits()))


if __name__ == "__main__":
    serve(
        lambda: empty, [Place("127.0.0.1", int(sys.argv[1]))], workers=int(sys.argv[2]),
        limits=Limits(int(sys.argv[3]), idle=10, total=60), stop_seconds=5,
    )  # fmt: skip
