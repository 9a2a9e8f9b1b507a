"""Clients that drip, stall, or leave cost the others nothing, and end in time (reliability: X10, O3, N6)."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import requests

from bench.driver import largest_memory
from tests.factories import a_document, a_submission
from tests.running import Pair, a_pair
from tests.servers.process import free_port
from tests.wire import envelope as an_envelope
from tests.wire import mtom, mtom_provide, retrieve_body

IDLE = 2.0
DRIPPING = 150
LARGE = 48 * 2**20


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Services that have little patience."""
    made = a_pair(tmp_path_factory.mktemp("slow"), {"IDLE_TIMEOUT": str(IDLE), "LOG_LEVEL": "warning"})
    made.start()
    yield made
    made.stop()


def begun(port: int, path: str, length: int = 1000) -> socket.socket:
    """A connection on which a message has begun to arrive."""
    connection = socket.create_connection(("127.0.0.1", port), 30)
    framing, first = (f"Content-Length: {length}", "<") if length else ("Transfer-Encoding: chunked", "9\r\n<")
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/soap+xml\r\n{framing}\r\n\r\n{first}"
    connection.sendall(head.encode())
    return connection


def rest(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    found = b""
    with connection:
        connection.settimeout(30)
        while piece := connection.recv(65536):
            found += piece
    return found


@pytest.mark.parametrize("length", [1000, 4 * 2**20, 0], ids=["small", "large", "in-chunks"])
def test_x10_many_dripping_connections_hold_up_nobody_and_are_dropped(pair: Pair, length: int) -> None:
    with contextlib.ExitStack() as stack:
        dripping = [stack.enter_context(begun(pair.registry.port, "/registry", length)) for _ in range(DRIPPING)]
        session = stack.enter_context(requests.Session())

        answers = [session.get(f"http://127.0.0.1:{pair.registry.port}/ready", timeout=4 * IDLE) for _ in range(20)]

        assert all(answer.ok for answer in answers)
        assert sorted(answer.elapsed.total_seconds() for answer in answers)[10] < IDLE / 4
        assert all(b"408" in rest(connection)[:16] for connection in dripping)


def test_a_large_message_that_stops_coming_is_refused_with_a_fault(pair: Pair) -> None:
    connection = begun(pair.repository.port, "/repository", length=4 * 2**20)

    answer = rest(connection)

    assert answer.startswith(b"HTTP/1.1 4")


def test_o3_stalled_downloads_hold_little_memory(pair: Pair) -> None:
    assert pair.repository.process is not None
    entry = a_document(hash=None, size=None)
    content = bytes(LARGE)
    kind, data = mtom_provide(a_submission(entry), {entry.entry_uuid: content})
    assert pair.services.post(pair.services.repository, data, kind).ok
    largest_memory([pair.repository.process.pid])
    before = largest_memory([pair.repository.process.pid])
    kind, data = mtom(
        an_envelope("urn:ihe:iti:2007:RetrieveDocumentSet", retrieve_body([entry.unique_id or ""], "2.999.826.1.1")), {}
    )
    head = f"POST /repository HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n"
    stalled = [socket.create_connection(("127.0.0.1", pair.repository.port), 30) for _ in range(8)]
    for connection in stalled:
        connection.sendall(head.encode() + data)
        connection.recv(1024)
    time.sleep(IDLE / 4)

    grown = largest_memory([pair.repository.process.pid]) - before

    for connection in stalled:
        connection.close()
    assert grown < 8 * 32, f"{grown:.0f} MiB for eight downloads of {LARGE >> 20} MiB"


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an application whose answers break."""
    port = free_port()
    command = [sys.executable, "-m", "tests.service.broken_app", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(20)


def test_n6_an_answer_that_breaks_off_never_looks_whole(broken: str) -> None:
    with requests.get(f"{broken}/half", stream=True, timeout=20) as answer, pytest.raises(requests.RequestException):
        for _ in answer.iter_content(65536):
            pass


def test_an_application_that_fails_says_so_without_detail(broken: str) -> None:
    answer = requests.get(f"{broken}/", timeout=20)

    assert answer.status_code == 500
    assert "Runtime" not in answer.text
