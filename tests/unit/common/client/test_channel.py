"""What becomes of a message when the other side, or the line, does not behave."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from common.client.channel import Channel, Reply
from common.client.connections import Connections
from common.client.errors import NoAnswer, NotReached
from tests.unit.common.client.peer import Act, Peer, a_peer, answering, http, request, silent

OK = http(b"<ok/>")


@dataclass
class Message:
    """What is sent."""

    pieces: tuple[bytes, ...] = (b"hello",)
    length: int | None = 5
    repeatable: bool = True

    def chunks(self) -> Iterator[bytes]:
        yield from self.pieces


def a_channel(url: str) -> Channel:
    return Channel(url, connect_timeout=1, answer_timeout=2)


def body(reply: Reply) -> bytes:
    try:
        return b"".join(iter(reply.read, b""))
    finally:
        reply.close()


def test_connections_are_kept() -> None:
    with a_peer(answering(OK, OK, OK)) as peer:
        channel = a_channel(peer.url)
        assert [body(channel.post(Message(), {"X-A": "b"})) for _ in range(3)] == [b"<ok/>"] * 3
        channel.close()

    assert [each[-5:] for each in peer.received] == [b"hello"] * 3
    assert b"X-A: b" in peer.received[0]
    assert b"Content-Length: 5" in peer.received[0]


def test_a_body_of_unknown_length_is_sent_in_chunks() -> None:
    with a_peer(answering(OK)) as peer:
        channel = a_channel(peer.url)
        body(channel.post(Message((b"he", b"llo"), length=None), {}))
        channel.close()

    assert peer.received[0].endswith(b"\r\n\r\nhello")


def test_a_kept_connection_that_was_closed_meanwhile_is_replaced() -> None:
    with a_peer(answering(OK), answering(OK)) as peer:
        channel = a_channel(peer.url)
        for _ in range(2):
            assert body(channel.post(Message(), {})) == b"<ok/>"
        channel.close()
        assert len(peer.received) == 2


def closing_late(connection: socket.socket, peer: Peer) -> None:
    """Answers once; of the second request it takes everything and answers nothing."""
    answering(OK)(connection, peer)
    silent(connection, peer)


def test_a_kept_connection_that_dies_under_a_message_is_replaced_once() -> None:
    with a_peer(closing_late, answering(OK)) as peer:
        channel = a_channel(peer.url)
        for _ in range(2):
            assert body(channel.post(Message(), {})) == b"<ok/>"
        channel.close()
        assert [each[-5:] for each in peer.received] == [b"hello"] * 3


def and_then_gone(connection: socket.socket, peer: Peer) -> None:
    """Like ``closing_late``, and by then nobody listens any more."""
    answering(OK)(connection, peer)
    peer.received.append(request(connection))
    peer.listener.close()


def test_a_message_that_may_have_arrived_is_never_said_not_to_have_been_sent() -> None:
    with a_peer(and_then_gone) as peer:
        channel = a_channel(peer.url)
        body(channel.post(Message(), {}))
        with pytest.raises(NoAnswer):
            channel.post(Message(), {})
        channel.close()


def test_neither_do_the_connections_of_the_repository_say_so() -> None:
    with a_peer(and_then_gone) as peer:
        connections = Connections(peer.url, connect_timeout=1, answer_timeout=2, max_answer=1000)
        assert connections.post(b"hello", {}).body == b"<ok/>"
        with pytest.raises(NoAnswer):
            connections.post(b"hello", {})
        connections.close()


def test_a_neighbour_that_stopped_between_two_messages_was_not_reached() -> None:
    with a_peer(answering(OK)) as peer:
        channel = a_channel(peer.url)
        connections = Connections(peer.url, connect_timeout=1, answer_timeout=2, max_answer=1000)
        body(channel.post(Message(), {}))
    for post in (lambda: channel.post(Message(), {}), lambda: connections.post(b"", {})):
        with pytest.raises(NotReached):
            post()
    channel.close()
    connections.close()


def test_what_cannot_be_repeated_is_sent_over_a_connection_of_its_own() -> None:
    with a_peer(answering(OK), answering(OK)) as peer:
        channel = a_channel(peer.url)
        body(channel.post(Message(), {}))
        body(channel.post(Message(repeatable=False), {}))
        channel.close()
        assert peer.connections == 2


def hanging(connection: socket.socket, peer: Peer) -> None:
    """Reads and says nothing."""
    request(connection)
    connection.recv(1)


def cut(connection: socket.socket, peer: Peer) -> None:
    """Breaks its answer off."""
    request(connection)
    connection.sendall(http(b"x" * 100)[:-50])


def cut_chunk(connection: socket.socket, peer: Peer) -> None:
    """Breaks its answer off in a chunk."""
    request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc")


def nonsense(connection: socket.socket, peer: Peer) -> None:
    """Speaks something else."""
    request(connection)
    connection.sendall(b"SSH-2.0-OpenSSH\r\n")


@pytest.mark.parametrize("act", [silent, cut, cut_chunk, nonsense])
def test_whatever_is_no_whole_answer_is_none(act: Act) -> None:
    with a_peer(act) as peer:
        channel = a_channel(peer.url)
        with pytest.raises(NoAnswer):
            body(channel.post(Message(), {}))
        channel.close()


def test_an_answer_that_takes_too_long_is_none() -> None:
    with a_peer(hanging) as peer:
        channel = Channel(peer.url, connect_timeout=1, answer_timeout=0.1)
        with pytest.raises(NoAnswer, match=r"0\.1 seconds"):
            channel.post(Message(), {})


def test_an_answer_that_is_left_unread_closes_its_connection() -> None:
    with a_peer(answering(OK, OK), answering(OK)) as peer:
        channel = a_channel(peer.url)
        channel.post(Message(), {}).close()
        body(channel.post(Message(), {}))
        channel.close()
        assert peer.connections == 2


def test_a_refusal_before_the_end_of_a_large_message_is_heard() -> None:
    refused = threading.Event()

    def early(connection: socket.socket, peer: Peer) -> None:
        connection.recv(1000)
        connection.sendall(http(b"<no/>", status=400, more="Connection: close\r\n"))
        refused.set()
        connection.recv(1)

    class Large(Message):
        sent = 0

        def chunks(self) -> Iterator[bytes]:
            yield b"x" * 100
            assert refused.wait(5)
            for _ in range(1000):
                self.sent += 1
                yield b"x" * 1000

    message = Large(length=1_000_100)
    with a_peer(early) as peer:
        channel = a_channel(peer.url)
        reply = channel.post(message, {})
        assert (reply.status, body(reply)) == (400, b"<no/>")
        channel.close()
    assert message.sent < 1000


@pytest.mark.parametrize("url", ["", "ftp://host/", "http://", "nonsense"])
def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        a_channel(url)


def test_nobody_there_is_told_as_such() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for host in (f"127.0.0.1:{port}", "no-such-host.invalid"):
        with pytest.raises(NotReached):
            a_channel(f"http://{host}/").post(Message(), {})
