"""Answers are carried where that is allowed, to the machine that was looked at, and no further."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from common.client.carrier import Carrier, NotDelivered
from common.soap.destination import Allowed
from tests.unit.common.client.peer import Peer, a_peer, answering, http, request


class Parcel:
    """Some bytes."""

    content_type = "application/soap+xml"

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces or (b"<answer/>",)
        self.length = sum(map(len, self._pieces))

    def chunks(self) -> Iterator[bytes]:
        yield from self._pieces


def a_carrier(listed: str = "", *, loopback: bool = True, timeout: float = 2.0) -> Carrier:
    allowed = Allowed.from_list(listed, loopback=loopback)
    return Carrier(allowed, connect_timeout=1, answer_timeout=timeout)


def named(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let every name lead to these addresses, and note which were asked for."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize("status", [200, 202, 204])
def test_it_is_delivered_when_the_receiver_says_so(status: int) -> None:
    with a_peer(answering(http(b"", status=status))) as peer:
        a_carrier().carry(peer.url, Parcel(b"<one", b"/>"))

        assert peer.received[0].endswith(b"\r\n\r\n<one/>")
        assert b"Content-Type: application/soap+xml\r\n" in peer.received[0]


@pytest.mark.parametrize("status", [201, 301, 307, 400, 404, 500, 503])
def test_whatever_else_it_says_it_is_not(status: int) -> None:
    with a_peer(answering(http(b"patient data", status=status, more="Location: http://127.0.0.1:9/\r\n"))) as peer:
        with pytest.raises(NotDelivered, match=f"HTTP status {status}") as caught:
            a_carrier().carry(peer.url, Parcel())

        assert not caught.value.silent
        assert "patient" not in str(caught.value)
        assert peer.connections == 1


def test_an_address_that_is_not_allowed_any_more_is_not_connected_to() -> None:
    with a_peer() as peer:
        with pytest.raises(NotDelivered, match="async_reply_to"):
            a_carrier("https://other.example").carry(peer.url, Parcel())
        with pytest.raises(NotDelivered, match="not a plain"):
            a_carrier().carry("http://2130706433/", Parcel())

        assert peer.connections == 0


@pytest.mark.parametrize("leads_to", ["127.0.0.1", "169.254.169.254", "::1", "0.0.0.0", "::ffff:127.0.0.1"])
def test_w12_a_listed_name_that_leads_inwards_is_not_followed(monkeypatch: pytest.MonkeyPatch, leads_to: str) -> None:
    with a_peer(answering(http(b""))) as peer:
        port = peer.url.rpartition(":")[2].partition("/")[0]
        asked = named(monkeypatch, leads_to)
        with pytest.raises(NotDelivered, match="does not list"):
            a_carrier(f"http://answers.example:{port}").carry(f"http://answers.example:{port}/", Parcel())

        assert asked == ["answers.example"]
        assert peer.received == []


def test_w12_the_connection_is_made_to_what_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = named(monkeypatch, "192.0.2.1")
    dialled: list[Any] = []

    def connect(_: socket.socket, address: Any) -> None:
        dialled.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(NotDelivered, match="Connection refused"):
        a_carrier("http://answers.example").carry("http://answers.example/", Parcel())

    assert (asked, dialled) == (["answers.example"], [("192.0.2.1", 80)])


def test_the_next_address_of_a_host_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_peer(answering(http(b""))) as peer:
        port = int(peer.url.rpartition(":")[2].partition("/")[0])
        named(monkeypatch, "169.254.169.254", "127.0.0.2", "127.0.0.1")
        a_carrier(f"http://localhost:{port}", loopback=False).carry(f"http://localhost:{port}/", Parcel())

        assert len(peer.received) == 1


def test_nobody_there_is_told_from_a_refusal() -> None:
    with a_peer() as peer:
        url = peer.url
    with pytest.raises(NotDelivered, match="cannot be reached") as caught:
        a_carrier().carry(url, Parcel())

    assert caught.value.silent


def test_a_receiver_that_never_answers_is_left() -> None:
    def deaf(connection: socket.socket, peer: Peer) -> None:
        peer.received.append(request(connection))
        time.sleep(1)

    with a_peer(deaf) as peer, pytest.raises(NotDelivered, match="no answer within") as caught:
        a_carrier(timeout=0.3).carry(peer.url, Parcel())

    assert caught.value.silent


def test_a_receiver_that_answers_a_byte_now_and_then_is_left() -> None:
    ended = []

    def dripping(connection: socket.socket, peer: Peer) -> None:
        peer.received.append(request(connection))
        try:
            for _ in range(100):
                connection.sendall(b"H")
                time.sleep(0.05)
        except OSError:
            pass
        ended.append(time.monotonic())

    with a_peer(dripping) as peer:
        carrier, began = a_carrier(timeout=0.5), time.monotonic()
        done: list[BaseException] = []
        thread = _in_thread(lambda: carrier.carry(peer.url, Parcel()), done)
        while thread.is_alive() and time.monotonic() < began + 10:
            carrier.drop_late()
            time.sleep(0.05)
        thread.join(1)

        assert isinstance(done[0], NotDelivered)
        assert time.monotonic() - began < 4


def _in_thread(call: Callable[[], None], done: list[BaseException]) -> Any:
    import threading

    def run() -> None:
        try:
            call()
        except Exception as error:
            done.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_tls_that_is_not_trusted_is_not_spoken() -> None:
    with a_peer(lambda connection, _: connection.close()) as peer:
        secure = peer.url.replace("http:", "https:")
        with pytest.raises(NotDelivered, match="no TLS with"):
            a_carrier().carry(secure, Parcel())

        assert peer.received == []
