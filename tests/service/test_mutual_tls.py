"""Mutual TLS in the server of HTTP itself (ITI-19): who gets in, who does not, and what the log says of them."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from common.tls import Files, Role
from common.tls.contexts import made
from console import development_ca
from console.development_ca import Authority
from tests.servers.process import free_port
from tests.service.echo_app import LARGE
from tests.service.test_http_server import answers, post


@dataclass
class Pki:
    """An authority, with a certificate of the server's, and those that a test asks for."""

    folder: Path
    authority: Authority = field(init=False)

    def __post_init__(self) -> None:
        """Made where it was not."""
        self.authority = development_ca.create(self.folder, 30)

    def issue(self, name: str, *hosts: str, days: int = 5) -> Path:
        """A key and a certificate."""
        place = self.folder / f"{name}.pem"
        development_ca.write_secret(place, self.authority.issue(name, hosts, days).pem)
        return place

    @property
    def ca(self) -> str:
        """Its certificate."""
        return str(self.folder / "ca.pem")


class Node:
    """A server over TLS."""

    def __init__(self, pki: Pki, folder: Path, peers: str = "", trust: str = "", crl: bool = True) -> None:
        self.pki, self.port, self.log = pki, free_port(), folder / "log"
        self.certificate = folder / "node.pem"
        self.certificate.write_bytes(pki.issue("node", "localhost", "127.0.0.1").read_bytes())
        files = [str(self.certificate), "", trust or pki.ca, str(pki.folder / "crl.pem") if crl else "", peers]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.service.echo_app", str(self.port), *files], stderr=log
            )
        self._await()

    def _await(self) -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def stop(self) -> None:
        """End it and its workers."""
        self.process.terminate()
        assert self.process.wait(20) == 0

    def connect(self, certificate: Path | None = None, *, name: str = "localhost", **more: str) -> ssl.SSLSocket:
        """A connection of a client with a certificate, or with none."""
        files = Files(str(certificate) if certificate else "", "", more.get("trust", self.pki.ca))
        plain = socket.create_connection(("127.0.0.1", self.port), 20)
        return made(files, Role.CLIENT).wrap_socket(plain, server_hostname=name)

    def asked(self, certificate: Path | None) -> bytes:
        """What is answered to a client; OSError where it is not let in."""
        with self.connect(certificate) as connection:
            connection.sendall(b"GET /peer HTTP/1.1\r\nHost: x\r\n\r\n")
            return answers(connection, 1)[0]

    def says(self, told: str) -> bool:
        """Whether the log does, soon."""
        until = time.monotonic() + 5
        while time.monotonic() < until:
            if told in self.log.read_text():
                return True
            time.sleep(0.05)
        return False


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path / "pki")


@pytest.fixture
def node(pki: Pki, tmp_path: Path) -> Iterator[Node]:
    made = Node(pki, tmp_path)
    yield made
    made.stop()


def refused(node: Node, certificate: Path | None, why: str) -> None:
    """A client is not let in, and the log says why."""
    with pytest.raises((OSError, AssertionError)):
        node.asked(certificate)
    assert node.says(why), node.log.read_text()


def test_who_has_a_certificate_is_let_in_and_known(node: Node, pki: Pki) -> None:
    told = node.asked(pki.issue("source", "source.example")).decode()

    assert told.startswith("https Peer(subject='CN=source, O=Portolan development, trust it with nothing'")
    assert "'source.example', 'source'" in told


def test_who_has_none_or_a_wrong_one_is_not_let_in_and_the_log_says_why(node: Node, pki: Pki, tmp_path: Path) -> None:
    revoked = pki.issue("revoked")
    pki.authority.revoke(revoked.read_bytes())
    stranger = Pki(tmp_path / "other").issue("stranger")
    time.sleep(1.2)  # the list is looked at once a second

    refused(node, None, "the other side gave no certificate")
    refused(node, stranger, "the certificate was refused: it was issued by an authority that is not trusted")
    refused(node, pki.issue("expired", days=-1), "the certificate was refused: it has expired")
    refused(node, revoked, "the certificate was refused: it was revoked")
    assert node.asked(pki.issue("source"))


def test_plain_http_and_noise_and_old_versions_are_refused(node: Node, pki: Pki) -> None:
    for data, why in ((b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "plain HTTP came"), (bytes(100), "what came is not TLS")):
        with socket.create_connection(("127.0.0.1", node.port), 20) as plain:
            plain.sendall(data)
            with contextlib.suppress(ConnectionResetError):
                while plain.recv(1000):
                    pass
        assert node.says(why), node.log.read_text()
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", node.port), 20) as plain, pytest.raises(ssl.SSLError):
        old.wrap_socket(plain)
    assert node.says("the other side speaks an old version of TLS only"), node.log.read_text()


@pytest.mark.parametrize(
    "suite",
    [
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "TLSv1.3",
    ],
)
def test_what_bcp_195_recommends_is_spoken(node: Node, pki: Pki, suite: str) -> None:
    context = made(Files(str(pki.issue("source")), "", pki.ca), Role.CLIENT)
    if suite != "TLSv1.3":
        context.set_ciphers(suite)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("127.0.0.1", node.port), 20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(post(b"a"))
        assert answers(connection, 1) == [b"a"]
        assert suite in (connection.version(), (connection.cipher() or ("",))[0])


def test_a_client_tells_a_server_of_another_name_or_authority_by_itself(node: Node, pki: Pki, tmp_path: Path) -> None:
    own = pki.issue("source")
    with pytest.raises(ssl.SSLCertVerificationError):
        node.connect(own, name="elsewhere.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        node.connect(own, trust=Pki(tmp_path / "other").ca)


def test_a_single_certificate_may_be_trusted_as_it_stands(pki: Pki, tmp_path: Path) -> None:
    partner = Pki(tmp_path / "partner")
    known, other = partner.issue("known"), partner.issue("other")
    trust = tmp_path / "trust"
    trust.mkdir()
    text = known.read_text()
    (trust / "known.pem").write_text(text[text.index("-----BEGIN CERTIFICATE") :])
    node = Node(pki, tmp_path, trust=str(trust), crl=False)
    try:
        assert node.asked(known)
        refused(node, other, "an authority that is not trusted")
    finally:
        node.stop()


def test_being_trusted_is_not_being_expected(pki: Pki, tmp_path: Path) -> None:
    first, second, third = (pki.issue(name, f"{name}.example") for name in ("first", "second", "third"))
    fingerprint = development_ca.fingerprint(first.read_bytes())
    peers = tmp_path / "peers"
    peers.write_text(f"# who may connect\nsha256:{fingerprint}\n\nname:second.example  # the portal\n")
    node = Node(pki, tmp_path, peers=str(peers))
    try:
        assert node.asked(first)
        assert node.asked(second)
        refused(node, third, "is trusted, but not on the list of those who may connect")
        peers.write_text("name:third.example\n")
        time.sleep(1.2)
        assert node.asked(third)
        refused(node, first, "not on the list")
    finally:
        node.stop()


def test_certificates_are_renewed_without_a_restart_and_connections_end_with_their_next_answer(
    node: Node, pki: Pki
) -> None:
    own = pki.issue("source")
    with node.connect(own) as kept:
        kept.sendall(post(b"a"))
        assert answers(kept, 1) == [b"a"]
        before = kept.getpeercert(binary_form=True)

        node.certificate.write_text("half a file")
        time.sleep(1.2)
        assert node.asked(own)
        assert node.says("those from before stay in force")
        node.certificate.write_bytes(pki.issue("renewed", "localhost").read_bytes())
        time.sleep(1.2)

        with node.connect(own) as new:
            assert new.getpeercert(binary_form=True) != before
        kept.sendall(post(b"b"))
        assert answers(kept, 1) == [b"b"]
        assert kept.recv(1) == b""


def test_bodies_of_any_size_pass_both_ways(node: Node, pki: Pki) -> None:
    own = pki.issue("source")
    bodies = [
        bytes([number % 251]) * size for number, size in enumerate((0, 1, 16_384, 16_385, 70_000, 300_000, LARGE))
    ]
    with node.connect(own) as connection:
        for body in bodies:
            connection.sendall(post(body))  # here, since TLS is for one thread at a time at this end as well
            assert answers(connection, 1) == [body]
        connection.sendall(post(b"a") + post(b"b" * 30_000) + post(b"c"))
        assert answers(connection, 3) == [b"a", b"b" * 30_000, b"c"]


def test_many_at_once_and_who_never_shakes_hands_is_in_nobodys_way(node: Node, pki: Pki) -> None:
    own = pki.issue("source")
    silent = [socket.create_connection(("127.0.0.1", node.port), 20) for _ in range(50)]

    def client(number: int) -> bool:
        with node.connect(own) as connection:
            for serial in range(20):
                body = f"{number} {serial}".encode() * (1 + 997 * (serial % 3))
                connection.sendall(post(body))
                if answers(connection, 1) != [body]:
                    return False
        return True

    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(client, range(36)))
    assert silent[0].recv(1) == b""  # after two seconds
    for each in silent:
        each.close()


def test_a_session_is_not_resumed_so_that_nobody_gets_in_on_an_old_check(node: Node, pki: Pki) -> None:
    context = made(Files(str(pki.issue("source")), "", pki.ca), Role.CLIENT)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # TLS 1.3 has tickets only, and the server gives none
    session = None
    for _ in range(12):  # there are two workers, each of which could remember
        with (
            socket.create_connection(("127.0.0.1", node.port), 20) as plain,
            context.wrap_socket(plain, server_hostname="localhost", session=session) as connection,
        ):
            connection.sendall(post(b"a"))
            assert answers(connection, 1) == [b"a"]
            assert not connection.session_reused
            session = connection.session
            assert not session.has_ticket
