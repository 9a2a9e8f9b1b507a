"""The server of HTTP itself: connections kept, pipelined, cut short, refused, ended in order."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import requests

from tests.servers.process import free_port
from tests.service.echo_app import LARGE

ROW = b"Host: x\r\nContent-Type: text/plain\r\n"


class Echo:
    """The application of ``echo_app``, running with two workers."""

    def __init__(self) -> None:
        self.port = free_port()
        self.process = subprocess.Popen([sys.executable, "-m", "tests.service.echo_app", str(self.port)])
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                self.connect().close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("it does not listen")

    def connect(self) -> socket.socket:
        """A connection."""
        return socket.create_connection(("127.0.0.1", self.port), 20)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def workers(self) -> set[int]:
        """The processes that answer; connections that are kept are spread over them."""
        with ExitStack() as stack:
            sessions = [stack.enter_context(requests.Session()) for _ in range(8)]
            return {int(session.get(f"{self.url}/pid", timeout=20).text) for session in sessions}


@pytest.fixture
def echo() -> Iterator[Echo]:
    """A server of our own."""
    made = Echo()
    yield made
    made.process.terminate()
    made.process.wait(20)


def answers(connection: socket.socket, count: int) -> list[bytes]:
    """The bodies of so many answers."""
    file, found = connection.makefile("rb"), []
    for _ in range(count):
        length = 0
        assert b"200" in file.readline()
        while (line := file.readline().lower()) != b"\r\n":
            if line.startswith(b"content-length"):
                length = int(line.split(b":")[1])
        found.append(file.read(length))
    return found


def post(body: bytes) -> bytes:
    """A request."""
    return b"POST /echo HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (ROW, len(body), body)


def test_messages_on_one_connection_are_answered_in_order(echo: Echo) -> None:
    with echo.connect() as connection:
        connection.sendall(post(b"one") + post(b"two") + post(b"x" * 300_000) + post(b"three"))

        assert answers(connection, 4) == [b"one", b"two", b"x" * 300_000, b"three"]


def test_a_message_may_come_byte_by_byte(echo: Echo) -> None:
    with echo.connect() as connection:
        for byte in post(b"slowly"):
            connection.sendall(bytes([byte]))

        assert answers(connection, 1) == [b"slowly"]


def test_chunks_and_continue_are_understood(echo: Echo) -> None:
    with echo.connect() as connection:
        head = b"POST /echo HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n" % ROW
        connection.sendall(head)
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"3\r\none\r\n4;a=b\r\n two\r\n0\r\nX: y\r\n\r\n" + post(b"next"))

        assert answers(connection, 2) == [b"one two", b"next"]


@pytest.mark.parametrize("size", [1, 5000, 300_000])
def test_chunks_of_any_size_are_put_together_and_followed_by_others(echo: Echo, size: int) -> None:
    body = bytes(ord("a") + number % 26 for number in range(400_000 if size > 1 else 60_000))
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(body[at : at + size]), body[at : at + size]) for at in range(0, len(body), size)
    )
    head = b"POST /echo HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n" % ROW
    with echo.connect() as connection, ThreadPoolExecutor(1) as pool:
        message = head + chunks + b"0\r\n\r\n"
        sent = pool.submit(connection.sendall, message + post(b"next") + message)

        assert answers(connection, 3) == [body, b"next", body]
        sent.result()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /echo HTTP/1.1\r\nContent-Length: 1\r\n\r\n", b" 400 "),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 40_000, b" 431 "),
        (b"hello\r\n\r\n", b" 400 "),
    ],
)
def test_a_bad_head_is_refused_and_the_connection_closed(echo: Echo, head: bytes, status: bytes) -> None:
    with echo.connect() as connection:
        connection.sendall(head)
        connection.shutdown(socket.SHUT_WR)

        assert status in connection.makefile("rb").read()


def test_head_has_no_body(echo: Echo) -> None:
    with echo.connect() as connection:
        connection.sendall(b"HEAD /pid HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

        assert connection.makefile("rb").read().endswith(b"\r\n\r\n")


def test_an_answer_is_taken_slowly_at_no_threads_cost(echo: Echo) -> None:
    stalled = [echo.connect() for _ in range(16)]  # more than the threads of both workers
    for connection in stalled:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")

    assert requests.get(f"{echo.url}/pid", timeout=1).ok
    assert all(len(answers(connection, 1)[0]) == LARGE for connection in stalled)
    for connection in stalled:
        connection.close()


def test_a_worker_that_dies_is_replaced(echo: Echo) -> None:
    before = echo.workers()
    assert len(before) == 2
    os.kill(min(before), signal.SIGKILL)
    until = time.monotonic() + 10
    while len(after := echo.workers()) < 2 and time.monotonic() < until:
        time.sleep(0.1)

    assert min(before) not in after
    assert len(after) == 2


def test_what_is_being_answered_is_answered_before_the_end(echo: Echo) -> None:
    with ThreadPoolExecutor(6) as pool:
        waiting = [pool.submit(requests.get, f"{echo.url}/late", timeout=20) for _ in range(6)]
        time.sleep(0.3)
        echo.process.terminate()

        assert all(each.result().ok for each in waiting)
    assert echo.process.wait(20) == 0


def test_more_than_can_wait_is_told_to_come_later(echo: Echo) -> None:
    with ThreadPoolExecutor(80) as pool:
        found = list(pool.map(lambda _: requests.get(f"{echo.url}/late", timeout=20), range(80)))

    refused = [answer for answer in found if answer.status_code == 503]
    assert refused
    assert all(answer.headers["Retry-After"] for answer in refused)
    assert any(answer.ok for answer in found)
