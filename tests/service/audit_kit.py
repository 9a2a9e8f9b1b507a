"""An audit record repository as a process, for tests."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from auditing.verifying import Verdict, verify
from common.db import Database, open_database
from tests.running import Running, a_pair
from tests.servers.process import free_ports


@dataclass
class Repository(Running):
    """The service, its listener for syslog, and its database."""

    syslog: int = 0
    probes: str = ""

    @property
    def _watched(self) -> str:
        return f"http://{self.probes}/ready"

    def database(self) -> Database:
        """Its database, to look into."""
        data = self.environment["PORTOLAN_DATA"]
        return open_database(
            self.environment.get("PORTOLAN_AUDIT_REPOSITORY_DATABASE", f"sqlite:///{data}/audit-trail.db")
        )

    def verdict(self) -> Verdict:
        """How its trail is found."""
        database = self.database()
        try:
            return verify(database)
        finally:
            database.close()

    def await_listening(self, seconds: float = 20) -> None:
        """Until it has said that it listens for records; a worker that was killed says it anew."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if "listening for audit records" in self.log.read_text():
                return
            time.sleep(0.05)
        raise AssertionError(self.log.read_text()[-3000:])


def a_repository(data: Path, settings: Mapping[str, str] | None = None) -> Repository:
    """On free ports, not started yet; plain and open unless settings have TLS."""
    http, syslog, probes = free_ports(3)
    secure = "TLS_CERTIFICATE" in (settings or {})
    scheme = "https" if secure else "http"
    pair = a_pair(
        data,
        {
            "AUDIT_REPOSITORY_BIND": f"127.0.0.1:{syslog}",
            "AUDIT_REPOSITORY_HTTP_BIND": f"127.0.0.1:{http}",
            "AUDIT_REPOSITORY_URL": f"{scheme}://127.0.0.1:{http}/audit",
            "AUDIT_REPOSITORY_PROBE_BIND": f"127.0.0.1:{probes}",
            "AUDIT_REPOSITORY_PLAIN": "false" if secure else "true",
            "AUDIT_REPOSITORY_OPEN": "false" if secure else "true",
            "LOG_FORMAT": "text",
            **(settings or {}),
        },
    )
    return Repository(
        "audit", http, pair.registry.environment, data / "audit.log", syslog=syslog, probes=f"127.0.0.1:{probes}"
    )
