"""What `portolan doctor` says of one part of a set-up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from common.settings import Settings
from console.doctor import database, disk, machine, neighbours, storage
from console.doctor.finding import Finding, Findings, Outcome
from tests.servers.process import free_port


def outcomes(findings: Findings, about: str | None = None) -> list[Outcome]:
    return [finding.outcome for finding in findings if about in (None, finding.about)]


def worst(findings: Findings) -> Finding:
    order = [Outcome.OK, Outcome.WARN, Outcome.FAIL]
    return max(findings, key=lambda finding: order.index(finding.outcome))


def test_every_finding_that_is_not_well_comes_with_advice(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "none", storage="s3://bucket", s3_endpoint=f"http://127.0.0.1:{free_port()}")
    looks = (database.look, storage.look, machine.codes, machine.memory, machine.production, neighbours.look)

    found = [finding for look in looks for finding in look(settings)]

    assert [finding for finding in found if finding.outcome is not Outcome.OK and not finding.advice] == []
    assert any(finding.outcome is Outcome.FAIL for finding in found)


def test_looking_makes_nothing(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "none")

    for look in (database.look, storage.look):
        assert worst(look(settings)).outcome is Outcome.WARN

    assert list(tmp_path.iterdir()) == []


def test_too_little_room_is_a_failure_and_little_room_a_warning(tmp_path: Path) -> None:
    huge = 10**18

    assert outcomes(disk.room("x", tmp_path, least=huge, better=huge)) == [Outcome.FAIL]
    assert outcomes(disk.room("x", tmp_path, least=1, better=huge)) == [Outcome.WARN]
    assert outcomes(disk.room("x", tmp_path, least=1, better=2)) == [Outcome.OK]


@pytest.mark.parametrize(
    ("kind", "shared", "expected"),
    [("tmpfs", False, Outcome.WARN), ("nfs4", True, Outcome.FAIL), ("nfs4", False, None), ("ext4", True, None)],
)
def test_file_systems_that_forget_or_cannot_lock_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, shared: bool, expected: Outcome | None
) -> None:
    monkeypatch.setattr(disk, "file_system", lambda folder: kind)
    monkeypatch.setattr(disk, "_seconds_of_a_sync", lambda folder: 0.001)

    [found] = disk.syncing("x", tmp_path, shared_memory=shared)

    assert found.outcome is (expected or Outcome.OK)


def test_a_sync_that_is_too_quick_for_a_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "file_system", lambda folder: "ext4")
    monkeypatch.setattr(disk, "_seconds_of_a_sync", lambda folder: 0.000_001)

    assert outcomes(disk.syncing("x", tmp_path)) == [Outcome.WARN]


def test_codes_that_cannot_be_used_are_a_failure(tmp_path: Path) -> None:
    file = tmp_path / "codes.toml"
    file.write_text("[typeCode\n")

    assert outcomes(machine.codes(Settings(codes=str(file)))) == [Outcome.FAIL]
    assert outcomes(machine.codes(Settings())) == [Outcome.OK]


def test_limits_that_do_not_fit_into_memory_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_memory", lambda: 1000)
    assert outcomes(machine.memory(Settings())) == [Outcome.WARN]
    monkeypatch.setattr(machine, "_memory", lambda: 10**15)
    assert outcomes(machine.memory(Settings())) == [Outcome.OK]
    monkeypatch.setattr(machine, "_memory", lambda: None)
    assert outcomes(machine.memory(Settings())) == []


def test_what_suits_a_try_out_only_is_told_with_a_server_database() -> None:
    assert outcomes(machine.production(Settings())) == []
    assert outcomes(machine.production(Settings(database="postgresql://x/y"))) == [Outcome.WARN] * 2


@contextmanager
def answering(status: int, body: bytes, date: str | None = None) -> Iterator[str]:
    """An HTTP server that gives one answer; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(status)
            if date:
                self.send_header("Date", date)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/registry"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def told(address: str) -> list[Finding]:
    return list(neighbours.look(Settings(registry_url=address, repository_url=address)))


def test_a_service_that_is_not_ready_is_a_warning_with_its_reasons() -> None:
    with answering(503, b'{"ready": false, "checks": {"database": "failed (DatabaseBusy)"}}') as address:
        found = told(address)[0]

    assert found.outcome is Outcome.WARN
    assert "database failed (DatabaseBusy)" in found.text


def test_a_service_that_is_down_is_a_warning() -> None:
    assert told(f"http://127.0.0.1:{free_port()}/registry")[0].outcome is Outcome.WARN


def test_another_program_at_the_address_is_told() -> None:
    with answering(404, b"<html>") as address:
        assert "not a service of Portolan" in told(address)[0].text


def test_a_clock_that_differs_is_told() -> None:
    with answering(200, b"{}", "Thu, 01 Jan 2015 00:00:00 GMT") as address:
        found = told(address)

    assert [finding.outcome for finding in found if finding.about == "clock"] == [Outcome.WARN] * 2


@pytest.mark.parametrize(("days", "expected"), [(5, Outcome.WARN), (90, Outcome.OK)])
def test_a_certificate_that_ends_soon_is_told(monkeypatch: pytest.MonkeyPatch, days: int, expected: Outcome) -> None:
    monkeypatch.setattr(neighbours.time, "time", lambda: 1_700_000_000.0)
    monkeypatch.setattr(neighbours.ssl, "cert_time_to_seconds", lambda text: 1_700_000_000 + days * 86_400)

    assert neighbours._expiry("registry", "some day").outcome is expected


def test_https_without_a_certificate_is_a_failure() -> None:
    with answering(200, b"{}") as address:
        found = told(address.replace("http:", "https:"))

    assert found[0].outcome is Outcome.FAIL
    assert found[0].about == "certificate"
