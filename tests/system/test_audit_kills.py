"""As many records as transactions, none lost and none made up, while the audit repository, and services, are killed.

The long form is asked for by its size: PORTOLAN_AUDIT_TRANSACTIONS=100000 PORTOLAN_AUDIT_KILLS=10.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from lxml import etree
from sqlalchemy import text

from common.audit.segments import Destination, waiting
from common.standard.transactions import ITI_18
from tests.factories import a_patient_id
from tests.running import Pair, a_pair, descendants
from tests.secure import a_pki, a_portal, a_secure_pair
from tests.servers.audit_repository import AuditRepository
from tests.servers.process import free_port
from tests.service.audit_kit import Repository, a_repository
from tests.service.test_audit_services import details, short
from tests.service.test_mutual_tls import Pki
from tests.system.survival_kit import only_when_asked_for
from tests.wire import STATUS, Services, answer, envelope, query_body

pytestmark = [pytest.mark.system]

TRANSACTIONS = int(os.environ.get("PORTOLAN_AUDIT_TRANSACTIONS", "1500"))
KILLS = int(os.environ.get("PORTOLAN_AUDIT_KILLS", "2"))
AT_ONCE = 6


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[AuditRepository]:
    """Over TLS, with a certificate that the services trust as the system's."""
    pki = a_pki(tmp_path / "pki")
    pki.issue("audit", "127.0.0.1")
    made = AuditRepository(tmp_path, (str(pki.folder / "audit.pem"), ""))
    made.start()
    yield made
    made.kill()


def recorded(folder: Path, repository: AuditRepository, **settings: str) -> Pair:
    """A pair whose Registry records to it."""
    pair = a_pair(folder / "data", {"AUDIT": "true", "AUDIT_REPOSITORIES": repository.address, **settings})
    pair.registry.environment["SSL_CERT_FILE"] = str(folder / "pki/ca.pem")
    return pair


@contextmanager
def again_and_again(act: Callable[[], None], times: int, seconds: float) -> Iterator[None]:
    """Do something every few seconds, so many times, while the block goes on."""
    stop = threading.Event()

    def run() -> None:
        for _ in range(times):
            if stop.wait(seconds):
                return
            act()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def ask(services: Services, number: int) -> bool:
    """One query by a correlation id of its own; whether it was answered."""
    patient, status = f"'{a_patient_id()}'", f"('{STATUS}Approved')"
    slots = [("$XDSDocumentEntryPatientId", patient), ("$XDSDocumentEntryStatus", status)]
    message = envelope(ITI_18, query_body("FindDocuments", slots, leaf=False))
    try:
        kind = "application/soap+xml; charset=UTF-8"
        told = services.post(services.registry, message, kind, X_Correlation_Id=f"{number:032x}")
    except requests.RequestException:
        return False
    return answer(told).registry_status == "Success"


def ask_many(pair: Pair, count: int, pki: Pki | None = None) -> list[int]:
    """Those that were answered."""

    def some(start: int) -> list[int]:
        services = a_portal(pair, pki) if pki else pair.services.apart()
        return [number for number in range(start, count, AT_ONCE) if ask(services, number)]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [number for part in pool.map(some, range(AT_ONCE)) for number in part]


def await_sent(data: Path, repository: AuditRepository, seconds: float = 60) -> None:
    """Until the repository has confirmed everything."""
    until = time.monotonic() + seconds
    while left := waiting(data / "audit", Destination("127.0.0.1", repository.port)).records:
        assert time.monotonic() < until, f"{left} records are not confirmed"
        time.sleep(0.2)


def queries(repository: AuditRepository) -> Counter[str]:
    """How many records there are of each query."""
    return Counter(details(each)["Correlation"] for each in repository.records() if " ITI-18 " in short(each))


@only_when_asked_for("PORTOLAN_AUDIT_TRANSACTIONS")
def test_there_are_as_many_records_as_transactions_while_the_repository_is_killed(
    tmp_path: Path, repository: AuditRepository
) -> None:
    pair = recorded(tmp_path, repository, LOG_LEVEL="error")
    pair.registry.start()
    killed = []

    def kill() -> None:
        repository.kill()
        killed.append(True)
        time.sleep(0.3)
        repository.start()

    try:
        done = list[int]()
        begun = time.monotonic()
        with again_and_again(kill, KILLS, max(0.5, TRANSACTIONS / 1500 / (KILLS + 1))):
            done = ask_many(pair, TRANSACTIONS)
            while len(killed) < KILLS and time.monotonic() - begun < 60 + TRANSACTIONS / 400:
                time.sleep(0.1)  # it went faster than was thought
        await_sent(tmp_path / "data", repository, 60 + TRANSACTIONS / 500)
    finally:
        pair.registry.stop()

    found = queries(repository)
    assert len(done) == TRANSACTIONS
    assert len(killed) == KILLS
    assert set(found) == {f"{number:032x}" for number in done}
    assert set(found.values()) == {1}


def test_the_chain_has_as_many_records_as_transactions_while_its_keeper_is_killed(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Our own audit record repository, over mutual TLS: all of it is killed, and started again."""
    pki = a_pki(tmp_path / "pki")
    database: Callable[[], str] = request.getfixturevalue("postgres_database")
    keeper = a_repository(
        tmp_path / "audit",
        {
            "TLS_CERTIFICATE": str(pki.folder / "node.pem"),
            "TLS_TRUST": pki.ca,
            "AUDIT_REPOSITORY_DATABASE": database(),
            "LOG_LEVEL": "info",
        },
    )
    keeper.start()
    keeper.await_listening()
    probe = free_port()
    settings = {
        "AUDIT": "true",
        "AUDIT_REPOSITORIES": f"127.0.0.1:{keeper.syslog}",
        "DATABASE": database(),
        "LOG_LEVEL": "error",
        "REGISTRY_MLLP_BIND": "off",
        "REGISTRY_PROBE_BIND": f"127.0.0.1:{probe}",
    }
    pair = a_secure_pair(tmp_path / "data", pki, settings)
    pair.registry.start()
    killed = []

    def kill() -> None:
        keeper.kill()
        killed.append(True)
        time.sleep(0.3)
        keeper.start()

    try:
        begun = time.monotonic()
        with again_and_again(kill, KILLS, max(0.5, TRANSACTIONS / 2500 / (KILLS + 1))):
            done = ask_many(pair, TRANSACTIONS, pki)
            while len(killed) < KILLS and time.monotonic() - begun < 60 + TRANSACTIONS / 400:
                time.sleep(0.1)
        until = time.monotonic() + 60 + TRANSACTIONS / 200
        while left := waiting(tmp_path / "data/audit", Destination("127.0.0.1", keeper.syslog)).records:
            assert time.monotonic() < until, f"{left} records are not confirmed"
            time.sleep(0.2)
        pair.registry.stop()
        verdict = keeper.verdict()
        found = correlations(keeper)
    finally:
        pair.registry.kill()
        keeper.kill()

    print(f"\n{len(done)} transactions, {len(killed)} kills, {verdict.records} records in the chain")
    assert (len(done), len(killed)) == (TRANSACTIONS, KILLS)
    assert verdict.is_whole, verdict.findings[:3]
    assert found == Counter({f"{number:032x}": 1 for number in done})


def correlations(keeper: Repository) -> Counter[str]:
    """How many records the chain has of each query."""
    trail, found = keeper.database(), Counter[str]()
    with trail.engine.connect() as connection:
        for (raw,) in connection.execute(text("SELECT raw FROM arr_record ORDER BY number")):
            record = etree.fromstring(bytes(raw).partition(b" - ")[2])
            if " ITI-18 " in short(record):
                found[details(record)["Correlation"]] += 1
    trail.close()
    return found


@pytest.mark.parametrize("sync", ["os", "always"] if KILLS > 2 else ["os"])
def test_no_record_of_what_was_answered_is_lost_when_workers_are_killed(
    tmp_path: Path, repository: AuditRepository, sync: str
) -> None:
    pair = recorded(tmp_path, repository, LOG_LEVEL="error", REGISTRY_WORKERS="2", AUDIT_SYNC=sync)
    pair.registry.start()
    assert pair.registry.process is not None
    parent = pair.registry.process.pid

    def kill() -> None:
        """Whoever serves, and whoever sends: the youngest processes are the workers."""
        for pid in descendants(parent)[-2:]:
            os.kill(pid, signal.SIGKILL)

    try:
        with again_and_again(kill, 3, 0.4):
            done = ask_many(pair, 600)
        pair.registry.await_ready()
        await_sent(tmp_path / "data", repository)
    finally:
        pair.registry.stop()

    found = queries(repository)
    assert len(done) > 300
    assert {f"{number:032x}" for number in done} <= set(found)
    assert set(found.values()) == {1}
