"""Starts Registry and Repository the way an operator does, on free ports, and stops them again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from tests.servers.process import free_ports
from tests.servers.s3 import S3Service
from tests.wire import Services

ROOT = Path(__file__).parents[1]


def _processes() -> dict[int, list[str]]:
    """State, parent, group, session and so on of every running process by its id, as ``/proc`` has them."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found[int(path.name)] = (path / "stat").read_text().rpartition(")")[2].split()
    return {pid: status for pid, status in found.items() if status[0] != "Z"}


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those have, and so on."""
    parents = {each: int(status[1]) for each, status in _processes().items()}
    found, layer = [], {pid}
    while layer:
        layer = {child for child, parent in parents.items() if parent in layer}
        found += layer
    return found


def _kill_sessions(sessions: set[str], seconds: float = 10) -> None:
    """End all processes of some sessions; again and again, since one that dies may just have been replaced."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        left = [pid for pid, status in _processes().items() if status[3] in sessions]
        if not left:
            return
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


@dataclass
class Running:
    """One service as a process of its own."""

    name: str
    port: int
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        """Its SOAP address."""
        scheme = "https" if "PORTOLAN_TLS_CERTIFICATE" in self.environment else "http"
        return f"{scheme}://127.0.0.1:{self.port}/{self.name}"

    @property
    def _watched(self) -> str:
        """Where it says that it is ready, without TLS."""
        probes = self.environment.get(f"PORTOLAN_{self.name.upper()}_PROBE_BIND")
        return f"http://{probes or f'127.0.0.1:{self.port}'}/ready"

    def start(self, **more: str) -> None:
        """Start it, and wait until it is ready; ``more`` are further environment variables."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "console", "serve", self.name],
                env={**self.environment, **more},
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.await_ready()

    def await_ready(self, seconds: float = 30) -> None:
        """Wait for ``/ready``."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process is not None and self.process.poll() is not None:
                break
            try:
                if requests.get(self._watched, timeout=2).ok:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.05)
        raise AssertionError(f"{self.name} did not become ready:\n{self.log.read_text()[-3000:]}")

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        finally:
            self.kill()

    def kill(self) -> None:
        """End it and its workers at once, as a power cut would."""
        if self.process is None:
            return
        family = {self.process.pid, *descendants(self.process.pid)}
        # The supervisor, its child and the child's workers: each service process has a session of its own.
        _kill_sessions({status[3] for pid, status in _processes().items() if pid in family})
        self.process.wait(10)


@dataclass
class Pair:
    """A Registry and a Repository that know each other."""

    registry: Running
    repository: Running
    settings: dict[str, str]

    @property
    def services(self) -> Services:
        """Their addresses, to speak to."""
        return Services(self.registry.url, self.repository.url, mllp=self.mllp)

    @property
    def mllp(self) -> int:
        """The port where the Registry listens for patient feeds."""
        return int(self.settings["REGISTRY_MLLP_BIND"].rpartition(":")[2])

    def start(self) -> None:
        """Start both."""
        self.registry.start()
        self.repository.start()

    def stop(self) -> None:
        """Stop both, however they are."""
        for each in (self.repository, self.registry):
            if each.process is not None:
                each.stop()


def back_end(name: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings of one of the back ends, ``sqlite and folder`` or ``postgresql and s3``; always empty stores."""
    if name != "postgresql and s3":
        return {}
    database: Callable[[], str] = request.getfixturevalue("postgres_database")
    server: S3Service = request.getfixturevalue("minio_server")
    return {
        "DATABASE": database(),
        "OUTBOX": database(),
        "STORAGE": f"s3://{server.new_bucket()}",
        "S3_ENDPOINT": server.endpoint,
        "S3_ACCESS_KEY": server.access_key,
        "S3_SECRET_KEY": server.secret_key,
    }


def a_pair(data: Path, settings: Mapping[str, str] | None = None) -> Pair:
    """A pair on free ports, not started yet; ``settings`` are PORTOLAN_ variables without that prefix."""
    data.mkdir(parents=True, exist_ok=True)
    registry, repository, mllp, identity, identity_mllp = free_ports(5)
    named = {
        "DATA": str(data),
        "REGISTRY_BIND": f"127.0.0.1:{registry}",
        "REGISTRY_MLLP_BIND": f"127.0.0.1:{mllp}",
        "REPOSITORY_BIND": f"127.0.0.1:{repository}",
        "IDENTITY_BIND": f"127.0.0.1:{identity}",
        "IDENTITY_URL": f"http://127.0.0.1:{identity}/identity",
        "IDENTITY_MLLP_BIND": f"127.0.0.1:{identity_mllp}",
        "REGISTRY_URL": f"http://127.0.0.1:{registry}/registry",
        "REPOSITORY_URL": f"http://127.0.0.1:{repository}/repository",
        "REGISTRY_WORKERS": "1",
        "REPOSITORY_WORKERS": "1",
        **(settings or {}),
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PORTOLAN_")}
    environment = inherited | {f"PORTOLAN_{name}": value for name, value in named.items()}
    return Pair(
        Running("registry", registry, environment, data / "registry.log"),
        Running("repository", repository, environment, data / "repository.log"),
        named,
    )


def an_identity(data: Path, settings: Mapping[str, str] | None = None) -> tuple[Running, int]:
    """A cross-reference service on free ports, not started yet, and the port of its listener for feeds."""
    pair = a_pair(data, {"IDENTITY_WORKERS": "1", **(settings or {})})
    port, mllp = (int(pair.settings[name].rpartition(":")[2]) for name in ("IDENTITY_BIND", "IDENTITY_MLLP_BIND"))
    return Running("identity", port, pair.registry.environment, data / "identity.log"), mllp
