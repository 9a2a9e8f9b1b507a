"""The way out over MLLP: an acknowledgement, or an error that says whether anything was sent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from common.client.errors import NoAnswer, NotReached
from common.client.mllp import MllpClient


@contextmanager
def a_receiver(*serve: Callable[[socket.socket], None]) -> Iterator[MllpClient]:
    """A client of a listener that serves one connection after the other, each in its way."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        for each in serve:
            made, _ = listener.accept()
            with made:
                each(made)

    thread = threading.Thread(target=run)
    thread.start()
    client = MllpClient("127.0.0.1", listener.getsockname()[1], connect_timeout=2, answer_timeout=1)
    try:
        yield client
    finally:
        client.close()
        thread.join()
        listener.close()


def acknowledges(times: int) -> Callable[[socket.socket], None]:
    def serve(made: socket.socket) -> None:
        for _ in range(times):
            heard = b""
            while not heard.endswith(b"\x1c\r"):
                heard += made.recv(1024)
            for piece in (b"\x0bMSH|re", heard[1:-2], b"\x1c\r"):
                made.sendall(piece)

    return serve


def says(*pieces: bytes) -> Callable[[socket.socket], None]:
    def serve(made: socket.socket) -> None:
        made.recv(1024)
        for piece in pieces:
            made.sendall(piece)

    return serve


def test_messages_go_over_one_connection_and_a_closed_one_is_replaced() -> None:
    with a_receiver(acknowledges(2), acknowledges(1)) as client:
        assert [client.send(each) for each in (b"one", b"two")] == [b"MSH|reone", b"MSH|retwo"]
        threading.Event().wait(0.1)  # the other side has had enough
        assert client.send(b"three") == b"MSH|rethree"


@pytest.mark.parametrize("pieces", [(), (b"HTTP/1.1 400 " * 100,), (b"\x0bMSH|",), (b"\x0b" + b"x" * 70_000,)])
def test_what_is_no_acknowledgement_is_no_answer(pieces: tuple[bytes, ...]) -> None:
    with a_receiver(says(*pieces)) as client, pytest.raises(NoAnswer):
        client.send(b"one")


def test_who_says_nothing_is_not_waited_for_longer_than_told() -> None:
    done = threading.Event()
    with a_receiver(lambda made: bool(done.wait(5)) or None) as client:
        with pytest.raises(NoAnswer):
            client.send(b"one")
        done.set()


def test_nobody_there_means_that_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(NotReached):
        MllpClient("127.0.0.1", port, connect_timeout=1, answer_timeout=1).send(b"one")
