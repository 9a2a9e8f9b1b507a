"""The listener for patient feeds as a process: started, killed, stopped, switched off, and behind TLS."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.tls import Files, Role
from common.tls.contexts import made
from tests.factories import a_patient_id
from tests.feeds import a_pas, admitted
from tests.running import Pair, a_pair, descendants
from tests.servers.fixtures import do_without
from tests.servers.process import eventually, free_port
from tests.service.test_mutual_tls import Pki


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """A Registry that a test starts, stopped at the end."""
    made = a_pair(tmp_path / "services")
    yield made
    made.registry.kill()


def listeners(pair: Pair) -> list[int]:
    """The processes that belong to the listener, the one that looks after it first."""
    assert pair.registry.process is not None
    found = [
        pid
        for pid in descendants(pair.registry.process.pid)
        if b"registry-mllp" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    return sorted(found)


@pytest.mark.parametrize("which", [0, 1], ids=["keeper", "worker"])
def test_it_is_back_within_moments_when_it_is_killed(pair: Pair, which: int) -> None:
    pair.registry.start()
    with a_pas(pair.mllp) as pas:
        assert pas.send(admitted(a_patient_id())).code == "AA"
        time.sleep(1.1)  # what dies as soon as it is started is given time
        os.kill(listeners(pair)[which], signal.SIGKILL)
        began = time.monotonic()
        if which == 1:
            assert pas.is_closed()
    while True:
        try:
            with a_pas(pair.mllp) as pas:
                assert pas.send(admitted(a_patient_id())).code == "AA"
            break
        except ConnectionError:
            assert time.monotonic() - began < 20
    assert time.monotonic() - began < (10 if which == 0 else 2)  # a busy machine starts processes slowly


def test_it_stops_with_its_service_and_answers_what_it_has(pair: Pair) -> None:
    pair.registry.start()
    with a_pas(pair.mllp) as pas:
        assert pas.send(admitted(a_patient_id())).code == "AA"
        assert pair.registry.stop() == 0
        assert pas.is_closed()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", pair.mllp)).close()


def test_it_can_be_switched_off_and_says_where_it_is(pair: Pair) -> None:
    pair.registry.environment["PORTOLAN_REGISTRY_MLLP_BIND"] = "off"
    pair.registry.start()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", pair.mllp)).close()
    assert "feeds" not in pair.registry.log.read_text()
    pair.registry.stop()

    pair.registry.environment["PORTOLAN_REGISTRY_MLLP_BIND"] = f"127.0.0.1:{pair.mllp}"
    pair.registry.start()
    with a_pas(pair.mllp) as pas:
        assert pas.send(admitted(a_patient_id())).code == "AA"
    eventually(lambda: f"feeds       127.0.0.1:{pair.mllp}" in pair.registry.log.read_text(), "said where it is")


def certificate(folder: Path, name: str, signer: str | None = None) -> Path:
    """A key and a certificate made with openssl; self-signed, or by another one of these."""
    key, made = folder / f"{name}.key", folder / f"{name}.pem"
    signed = ["-CA", f"{folder / signer}.pem", "-CAkey", f"{folder / signer}.key"] if signer else []
    more = ["-addext", "subjectAltName=DNS:localhost", "-days", "2", "-subj", f"/CN={name}"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    try:
        subprocess.run([*command, "-keyout", key, "-out", made, *more, *signed], check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        do_without(error)
    return made


def test_with_tls_only_clients_with_a_certificate_of_the_ca_get_in(pair: Pair, tmp_path: Path) -> None:
    for name, signer in (("ca", None), ("server", "ca"), ("client", "ca"), ("stranger", None)):
        certificate(tmp_path, name, signer)
    pair.registry.environment |= {
        "PORTOLAN_MLLP_TLS_CERTIFICATE": str(tmp_path / "server.pem"),
        "PORTOLAN_MLLP_TLS_KEY": str(tmp_path / "server.key"),
        "PORTOLAN_MLLP_TLS_CLIENT_CA": str(tmp_path / "ca.pem"),
    }
    pair.registry.start()

    def a_context(name: str) -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        made.load_cert_chain(tmp_path / f"{name}.pem", tmp_path / f"{name}.key")
        return made

    with a_pas(pair.mllp, a_context("client")) as pas:
        assert pas.send(admitted(a_patient_id())).code == "AA"
    # TLS 1.3 tells a client that it is not wanted only once it has spoken.
    with pytest.raises((ssl.SSLError, ConnectionError)), a_pas(pair.mllp, a_context("stranger")) as pas:
        pas.send(admitted(a_patient_id()))
    with a_pas(pair.mllp) as plain:
        plain.write(b"\x0b" + admitted(a_patient_id()) + b"\x1c\r")
        with pytest.raises((ConnectionError, AssertionError)):
            plain.read()


def test_with_the_certificates_of_all_services_it_follows_their_lists(pair: Pair, tmp_path: Path) -> None:
    """One certificate, trust, list of peers and revocation list for SOAP and MLLP (ITI TF-2 3.19)."""
    pki, peers = Pki(tmp_path / "pki"), tmp_path / "peers"
    node, pas, portal, revoked = (pki.issue(each, "localhost") for each in ("node", "pas", "portal", "revoked"))
    pki.authority.revoke(revoked.read_bytes())
    peers.write_text("name:pas\nname:revoked\n")
    pair.registry.environment |= {
        "PORTOLAN_TLS_CERTIFICATE": str(node),
        "PORTOLAN_TLS_TRUST": pki.ca,
        "PORTOLAN_TLS_CRL": str(pki.folder / "crl.pem"),
        "PORTOLAN_TLS_PEERS": str(peers),
        "PORTOLAN_REGISTRY_PROBE_BIND": f"127.0.0.1:{pair.registry.port}",
        "PORTOLAN_REGISTRY_BIND": f"127.0.0.1:{free_port()}",
    }
    pair.registry.start()

    def tries(certificate: Path | None) -> str:
        context = made(Files(str(certificate) if certificate else "", trust=pki.ca), Role.CLIENT)
        with a_pas(pair.mllp, context) as connection:
            return connection.send(admitted(a_patient_id())).code

    def refused(certificate: Path | None, why: str) -> None:
        with pytest.raises((OSError, AssertionError)):
            tries(certificate)
        eventually(lambda: why in pair.registry.log.read_text(), why)

    assert tries(pas) == "AA"
    refused(None, "the other side gave no certificate")
    refused(revoked, "the certificate was refused: it was revoked")
    refused(portal, "is trusted, but not on the list of those who may connect")

    with a_pas(pair.mllp, made(Files(str(pas), trust=pki.ca), Role.CLIENT)) as kept:
        assert kept.send(admitted(a_patient_id())).code == "AA"
        peers.write_text("name:portal\n")
        time.sleep(1.2)  # files are looked at once a second
        assert kept.send(admitted(a_patient_id())).code == "AA"
        assert kept.is_closed()
    refused(pas, "is trusted, but not on the list of those who may connect")
    assert tries(portal) == "AA"


def test_a_certificate_that_is_not_there_is_told_at_once(pair: Pair, tmp_path: Path) -> None:
    pair.registry.environment["PORTOLAN_MLLP_TLS_CERTIFICATE"] = str(tmp_path / "nowhere.pem")
    with contextlib.suppress(AssertionError):  # it may have been ready for a moment
        pair.registry.start()
    assert pair.registry.process is not None
    assert pair.registry.process.wait(30) != 0
    assert "cannot be served over TLS" in pair.registry.log.read_text()
