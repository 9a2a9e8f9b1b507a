"""What is spooled arrives, once both ends have said so; and is sent again until then."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from common.audit.delivery import Connection, NotArrived
from common.audit.segments import Destination, segments, waiting
from common.audit.sender import Delivery, Portion, Sender
from common.audit.spool import Bounds, Spool, Sync
from common.audit.syslog import frames_in
from common.faults import armed
from common.tls import Files, Renewed, Role
from common.tls.contexts import made
from console import development_ca
from tests.unit.common.audit.test_spool import a_frame

QUICK = Portion(seconds=0.2)


@dataclass
class Receiver:
    """Takes frames; how a connection ends is as ``manner`` says, a word for each, the last one for all others."""

    context: ssl.SSLContext | None
    manner: list[str] = field(default_factory=lambda: ["clean"])
    connections: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Listen."""
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def destination(self) -> Destination:
        """Where it listens."""
        return Destination("127.0.0.1", self.listener.getsockname()[1])

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                manner = self.manner.pop(0) if len(self.manner) > 1 else self.manner[0]
                number = len(self.connections)
                self.connections.append(b"")
                threading.Thread(target=self._take, args=(sock, manner, number), daemon=True).start()

    def _take(self, sock: socket.socket, manner: str, number: int) -> None:
        with suppress(OSError):
            connection = self.context.wrap_socket(sock, server_side=True) if self.context else sock
            if manner == "early":
                connection.recv(1 << 12)
                sock.close()
                connection.close()
                return
            while data := connection.recv(1 << 16):
                self.connections[number] += data
            if manner == "silent":
                time.sleep(30)
            if manner == "clean" and isinstance(connection, ssl.SSLSocket):
                connection = connection.unwrap()
            connection.close()

    def close(self) -> None:
        """No more."""
        self.listener.close()


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates."""
    folder = tmp_path_factory.mktemp("pki")
    authority = development_ca.create(folder, 2)
    for name in ("node", "receiver"):
        development_ca.write_secret(folder / f"{name}.pem", authority.issue(name, ("127.0.0.1",), 2).pem)
    return folder


@pytest.fixture
def receive(pki: Path) -> Iterator[Callable[..., Receiver]]:
    """Makes receivers with mutual TLS, or without any."""
    found: list[Receiver] = []

    def make(*manner: str, tls: bool = True) -> Receiver:
        files = Files(str(pki / "receiver.pem"), "", str(pki / "ca.pem"))
        found.append(Receiver(made(files, Role.SERVER) if tls else None, list(manner) or ["clean"]))
        return found[-1]

    yield make
    for each in found:
        each.close()


@pytest.fixture
def connect(pki: Path) -> Callable[[Destination], Connection]:
    """Over mutual TLS."""
    tls = Renewed(Files(str(pki / "node.pem"), "", str(pki / "ca.pem")), Role.CLIENT)
    return lambda destination: Connection(destination, tls)


def a_spool(folder: Path, *names: str, close: bool = True) -> Spool:
    spool = Spool(folder, "registry", sync=Sync.OS, bounds=Bounds(1 << 30, 8192))
    for name in names:
        spool.append([a_frame(name)])
    if close:
        spool.close()
    return spool


def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def frames_of(data: bytes) -> int:
    return len(frames_in(data).starts)


NAMES = [str(number) for number in range(30)]


def test_all_arrives_in_order_and_nothing_stays(
    tmp_path: Path, receive: Callable[..., Receiver], connect: Callable[[Destination], Connection]
) -> None:
    receiver = receive()
    a_spool(tmp_path, *NAMES)
    sender = Sender(tmp_path, [receiver.destination], connect, QUICK)

    sender.start()
    until(lambda: not segments(tmp_path))
    sender.stop()

    assert b"".join(receiver.connections) == b"".join(a_frame(name) for name in NAMES)
    assert [each.name for each in tmp_path.iterdir()] == ["sender.lock"]


def test_what_a_living_process_writes_is_sent_while_it_does(
    tmp_path: Path, receive: Callable[..., Receiver], connect: Callable[[Destination], Connection]
) -> None:
    receiver = receive()
    sender = Sender(tmp_path, [receiver.destination], connect, QUICK)
    sender.start()
    spool = a_spool(tmp_path, "a", close=False)
    until(lambda: waiting(tmp_path, receiver.destination).records == 0)

    spool.append([a_frame("b")])
    until(lambda: b"".join(receiver.connections) == a_frame("a") + a_frame("b"))
    until(lambda: waiting(tmp_path, receiver.destination).records == 0)
    assert segments(tmp_path)
    spool.close()
    until(lambda: not segments(tmp_path))
    sender.stop()


@pytest.mark.parametrize("manner", ["cut", "early"])
def test_what_was_not_confirmed_is_sent_again(
    tmp_path: Path, receive: Callable[..., Receiver], connect: Callable[[Destination], Connection], manner: str
) -> None:
    receiver = receive(manner, manner, "clean")
    a_spool(tmp_path, *NAMES)
    sender = Sender(tmp_path, [receiver.destination], connect, QUICK)

    sender.start()
    until(lambda: not segments(tmp_path))
    sender.stop()

    assert len(receiver.connections) >= 3
    assert receiver.connections[-1] == b"".join(a_frame(name) for name in NAMES)
    if manner == "cut":
        assert receiver.connections[0] == receiver.connections[-1]


def test_each_destination_gets_everything_and_one_that_is_away_holds_up_no_other(
    tmp_path: Path, receive: Callable[..., Receiver], connect: Callable[[Destination], Connection]
) -> None:
    here, away = receive(), receive("cut")
    a_spool(tmp_path, *NAMES)
    sender = Sender(tmp_path, [here.destination, away.destination], connect, QUICK)

    sender.start()
    until(lambda: waiting(tmp_path, here.destination).records == 0)
    kept = len(segments(tmp_path))
    away.manner[:] = ["clean"]
    until(lambda: not segments(tmp_path))
    sender.stop()

    assert kept
    assert frames_of(b"".join(here.connections)) == 30
    assert frames_of(away.connections[-1]) == 30


def test_one_process_sends_and_another_goes_on_when_it_dies(
    tmp_path: Path, receive: Callable[..., Receiver], connect: Callable[[Destination], Connection]
) -> None:
    receiver = receive()
    first, second = (Sender(tmp_path, [receiver.destination], connect, QUICK) for _ in range(2))
    first.start()
    until((tmp_path / "sender.lock").exists)
    time.sleep(0.1)
    second.start()
    a_spool(tmp_path, "a")
    until(lambda: not segments(tmp_path))
    assert frames_of(b"".join(receiver.connections)) == 1

    first.stop()
    a_spool(tmp_path, "b")
    until(lambda: not segments(tmp_path))
    second.stop()

    assert frames_of(b"".join(receiver.connections)) == 2


def test_a_receiver_that_never_confirms_is_believed_after_a_quiet_time_if_settings_say_so(
    tmp_path: Path, receive: Callable[..., Receiver], connect: Callable[[Destination], Connection]
) -> None:
    receiver = receive("silent")
    a_spool(tmp_path, *NAMES)
    delivery = Delivery(tmp_path, receiver.destination, connect, Portion(quiet=0.3))

    while not delivery.step():
        pass
    delivery.settle()

    assert waiting(tmp_path, receiver.destination).records == 0
    until(lambda: frames_of(receiver.connections[0]) == 30)


def test_a_receiver_that_ends_within_the_quiet_time_is_not_believed(
    tmp_path: Path, receive: Callable[..., Receiver], connect: Callable[[Destination], Connection]
) -> None:
    receiver = receive("early")
    a_spool(tmp_path, *NAMES)
    delivery = Delivery(tmp_path, receiver.destination, connect, Portion(quiet=1.0))

    with pytest.raises(NotArrived):  # noqa: PT012 - when it is noticed depends on the system's buffers
        while not delivery.step():
            pass
        delivery.settle()

    assert waiting(tmp_path, receiver.destination).records == 30


def test_without_tls_the_end_of_the_connection_confirms(tmp_path: Path, receive: Callable[..., Receiver]) -> None:
    receiver = receive(tls=False)
    a_spool(tmp_path, "a")
    sender = Sender(tmp_path, [receiver.destination], lambda each: Connection(each, None), QUICK)

    sender.start()
    until(lambda: not segments(tmp_path))
    sender.stop()

    assert receiver.connections == [a_frame("a")]


def test_a_process_that_dies_before_it_noted_what_was_confirmed_sends_it_again(
    tmp_path: Path, receive: Callable[..., Receiver], connect: Callable[[Destination], Connection]
) -> None:
    receiver = receive()
    a_spool(tmp_path, "a")

    def sent() -> None:
        delivery = Delivery(tmp_path, receiver.destination, connect, Portion())
        while not delivery.step():
            pass
        delivery.settle()

    with armed("audit.confirmed=raise:EIO"), pytest.raises(OSError, match="Input/output"):
        sent()
    sent()

    assert receiver.connections == [a_frame("a")] * 2


@pytest.mark.parametrize("trust", ["other", "none"])
def test_nothing_is_told_to_whom_nobody_trusts(
    tmp_path: Path, receive: Callable[..., Receiver], pki: Path, trust: str
) -> None:
    receiver = receive()
    other = Path(__file__).parents[3] / "other-ca.pem"
    files = Files("", "", str(other)) if trust == "other" else Files(str(pki / "node.pem"), "", str(other))

    with pytest.raises(NotArrived, match="refused"):
        Connection(receiver.destination, Renewed(files, Role.CLIENT))


def test_a_sender_that_is_told_to_stop_sends_what_there_is(
    tmp_path: Path, receive: Callable[..., Receiver], connect: Callable[[Destination], Connection]
) -> None:
    receiver = receive()
    a_spool(tmp_path, *NAMES)
    sender = Sender(tmp_path, [receiver.destination], connect, Portion(seconds=60))

    sender.start()
    sender.stop(10)

    assert waiting(tmp_path, receiver.destination).records == 0
    assert frames_of(b"".join(receiver.connections)) == 30
