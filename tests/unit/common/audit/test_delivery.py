"""What counts as arrived over TLS: the receiver's own end, and nothing that only looks like it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.audit.delivery import Connection, NotArrived
from common.audit.segments import Destination
from common.tls import Files, Role
from common.tls.contexts import made
from tests.service.test_mutual_tls import Pki

Ending = Callable[[ssl.SSLSocket], None]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    made = Pki(tmp_path_factory.mktemp("pki") / "pki")
    for name in ("receiver", "node", "revoked"):
        made.issue(name, "127.0.0.1")
    made.authority.revoke((made.folder / "revoked.pem").read_bytes())
    return made


@contextlib.contextmanager
def receiver(pki: Pki, ending: Ending) -> Iterator[int]:
    """Takes connections, reads to their end, and ends each as told."""
    files = Files(str(pki.folder / "receiver.pem"), "", pki.ca, str(pki.folder / "crl.pem"))
    context = made(files, Role.SERVER)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = listener.accept()
                with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as sealed:
                    while sealed.recv(65536):
                        pass
                    ending(sealed)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def delivered(port: int, pki: Pki, name: str) -> bool:
    context = made(Files(str(pki.folder / f"{name}.pem"), "", pki.ca), Role.CLIENT)
    try:
        connection = Connection(Destination("127.0.0.1", port), lambda: context)
        connection.send(b"5 <85>1" * 1000)
        connection.finish(0)
    except NotArrived:
        return False
    return True


def with_close_notify(sealed: ssl.SSLSocket) -> None:
    sealed.unwrap()


def with_a_cut(sealed: ssl.SSLSocket) -> None:
    sealed.shutdown(socket.SHUT_RDWR)


def test_the_receivers_own_end_is_proof(pki: Pki) -> None:
    with receiver(pki, with_close_notify) as port:
        assert all(delivered(port, pki, "node") for _ in range(20))


def test_a_cut_is_none(pki: Pki) -> None:
    with receiver(pki, with_a_cut) as port:
        assert not any(delivered(port, pki, "node") for _ in range(20))


def test_n10_nor_is_the_alert_that_our_certificate_is_refused(pki: Pki) -> None:
    """In TLS 1.3 it comes when our side of the handshake is long over."""
    with receiver(pki, with_close_notify) as port:
        assert not any(delivered(port, pki, "revoked") for _ in range(60))
        assert delivered(port, pki, "node")


def test_a_receiver_of_another_name_is_none_of_ours(pki: Pki, tmp_path: Path) -> None:
    other = Pki(tmp_path / "other")
    other.issue("receiver", "127.0.0.1")
    with receiver(other, with_close_notify) as port:
        assert not delivered(port, pki, "node")
