"""Audit records arrive over TLS (ITI-20): kept before they are acknowledged, once each, whatever is sent or killed."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from sqlalchemy import text

from console import development_ca
from tests.audit_sender import Sender, send
from tests.running import descendants
from tests.servers.process import eventually
from tests.service.audit_kit import Repository, a_repository
from tests.service.test_mutual_tls import Pki
from tests.system.survival_kit import of_back_ends
from tests.unit.auditing.kit import an_event, framed, syslog


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """An authority, with a node's certificate, two senders', and one that was taken back."""
    made = Pki(tmp_path_factory.mktemp("pki"))
    made.issue("node", "127.0.0.1")
    for name in ("sender", "stranger", "revoked"):
        made.issue(name)
    made.authority.revoke((made.folder / "revoked.pem").read_bytes())
    (made.folder / "peers").write_text(f"name:sender\nname:revoked\nname:node # {made.ca}\n")
    return made


@pytest.fixture(scope="module", params=of_back_ends(["sqlite", "postgresql"]))
def repository(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, pki: Pki
) -> Iterator[Repository]:
    """One for the module; tests keep apart by sending records of their own."""
    settings = {
        "TLS_CERTIFICATE": str(pki.folder / "node.pem"),
        "TLS_TRUST": pki.ca,
        "TLS_CRL": str(pki.folder / "crl.pem"),
        "TLS_PEERS": str(pki.folder / "peers"),
        "AUDIT_REPOSITORY_MAX_BYTES": "64KiB",
    }
    if request.param == "postgresql":
        database: Callable[[], str] = request.getfixturevalue("postgres_database")
        settings["AUDIT_REPOSITORY_DATABASE"] = database()
    made = a_repository(tmp_path_factory.mktemp("audit"), settings)
    made.start()
    made.await_listening()
    yield made
    made.kill()  # the last test has stopped it


def sender(pki: Pki) -> Path:
    """The certificate of one who may send."""
    return pki.folder / "sender.pem"


def some(count: int, begin: int) -> list[bytes]:
    """Records of their own."""
    return [syslog(an_event(), begin + number) for number in range(count)]


def kept(repository: Repository, messages: list[bytes]) -> int:
    """How many rows there are of them."""
    database = repository.database()
    with database.engine.connect() as connection:
        found = [bytes(raw) for (raw,) in connection.execute(text("SELECT raw FROM arr_record"))]
    database.close()
    return sum(found.count(message) for message in messages)


def test_what_was_acknowledged_is_on_disk(repository: Repository, pki: Pki) -> None:
    messages = some(300, 1_000)

    assert send(repository.syslog, messages, sender(pki), pki.ca)

    assert kept(repository, messages) == 300
    assert send(repository.syslog, messages[:100], sender(pki), pki.ca)
    assert kept(repository, messages) == 300


def test_an_unreadable_record_is_kept_as_it_is(repository: Repository, pki: Pki) -> None:
    messages = [b"\x00\xff not syslog at all", syslog(b"<!DOCTYPE a><a/>", 2_000), syslog(b"<a>" * 9_000, 2_001)]

    assert send(repository.syslog, messages, sender(pki), pki.ca)
    assert kept(repository, messages) == 3


@pytest.mark.parametrize("who", ["stranger", "revoked", "nobody", "self-signed"])
def test_who_may_not_send_is_told_in_one_line_of_the_log(
    repository: Repository, pki: Pki, tmp_path: Path, who: str
) -> None:
    certificate: Path | None = pki.folder / f"{who}.pem"
    if who == "nobody":
        certificate = None
    if who == "self-signed":
        other = development_ca.create(tmp_path / "other", 5)
        certificate = tmp_path / "own.pem"
        certificate.write_bytes(other.issue("own", (), 5).pem)
    before = len(repository.log.read_text())

    assert not send(repository.syslog, some(1, 3_000), certificate, pki.ca)

    eventually(lambda: "refused a connection from 127.0.0.1" in repository.log.read_text()[before:], "told in the log")
    told = repository.log.read_text()[before:]
    expected = {
        "stranger": "is trusted, but not on the list",
        "revoked": "it was revoked",
        "nobody": "gave no certificate",
        "self-signed": "not trusted",
    }
    assert expected[who] in told
    assert "Traceback" not in told
    assert kept(repository, some(1, 3_000)) == 0


HOSTILE = {
    "no length": b"hello ",
    "endless digits": b"9" * 100_000,
    "zero": b"0 ",
    "too large": b"65537 <85>",
    "plain HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "binary": bytes(range(256)) * 10,
    "cut": b"500 <85>1 - cut off",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_frames_end_their_connection_and_nothing_else(repository: Repository, pki: Pki, data: bytes) -> None:
    good = some(1, 4_000 + len(data) % 997)
    connection = Sender(repository.syslog, sender(pki), pki.ca)
    connection.send(framed(good[0]) + data)

    assert not connection.end()

    eventually(lambda: kept(repository, good) == 1, "what came before is kept")
    assert send(repository.syslog, some(1, 5_000 + len(data) % 997), sender(pki), pki.ca)
    assert "Traceback" not in repository.log.read_text()


def test_a_sender_that_vanishes_is_not_told_and_what_it_sent_is_kept(repository: Repository, pki: Pki) -> None:
    messages = some(5, 6_000)
    connection = Sender(repository.syslog, sender(pki), pki.ca)
    connection.send(b"".join(map(framed, messages)))
    connection.socket.shutdown(socket.SHUT_WR)  # an end of TCP, and none of TLS
    assert not connection.end()

    eventually(lambda: kept(repository, messages) == 5, "kept")


def _listener(repository: Repository) -> int:
    """The process that receives."""
    assert repository.process is not None
    found = [
        pid
        for pid in descendants(repository.process.pid)
        if b"audit-syslog" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    return max(found)


def test_killed_again_and_again_nothing_is_lost_and_nothing_is_twice(repository: Repository, pki: Pki) -> None:
    batches = [some(40, 10_000 + 100 * number) for number in range(12)]
    killed = tries = 0
    for number, batch in enumerate(batches):
        arrived = False
        while not arrived:
            tries += 1
            assert tries < 200
            try:
                connection = Sender(repository.syslog, sender(pki), pki.ca)
                connection.send(b"".join(map(framed, batch[:20])))
                if number % 3 == 0 and killed <= number // 3:
                    killed += 1
                    time.sleep(0.02 * (number % 5))
                    os.kill(_listener(repository), signal.SIGKILL)
                connection.send(b"".join(map(framed, batch[20:])))
            except (OSError, ValueError):
                time.sleep(0.05)
                continue
            arrived = connection.end()

    assert killed == 4
    messages = [message for batch in batches for message in batch]
    assert kept(repository, messages) == len(messages)
    assert repository.verdict().is_whole


def test_it_counts_what_came(repository: Repository, pki: Pki) -> None:
    assert send(repository.syslog, some(1, 90_000) * 2, sender(pki), pki.ca)

    told = requests.get(f"http://{repository.probes}/metrics", timeout=5).text
    for outcome in ("kept", "known", "unreadable"):
        assert f'portolan_audit_records_total{{outcome="{outcome}"}}' in told
    assert "portolan_audit_last_record_seconds" in told


def test_told_to_stop_it_keeps_what_has_come(repository: Repository, pki: Pki) -> None:
    messages = some(200, 50_000)
    connection = Sender(repository.syslog, sender(pki), pki.ca)
    connection.send(b"".join(map(framed, messages)))
    time.sleep(0.3)

    assert repository.stop() == 0

    assert kept(repository, messages) == 200
    # It was not told that everything arrived, since it had not said that this was everything.
    assert not connection.end()
    assert repository.verdict().is_whole
