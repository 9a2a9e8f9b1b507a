"""The services that can be started, each a row."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from common.settings import Settings
from common.settings_types import split_bind

_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not listened on


@dataclass(frozen=True)
class Service:
    """What differs between services; `describe` names what a person may want to know, without secrets."""

    name: str
    bind: Callable[[Settings], str]
    url: Callable[[Settings], str]
    threads: Callable[[Settings], int]
    describe: Callable[[Settings], str]
    bind_setting: str
    after: str = ""
    module: str = ""
    """The package that it is in, where that has another name."""
    probe_setting: str = ""

    @property
    def package(self) -> str:
        """The package that it is in."""
        return self.module or self.name

    def probe_bind(self, settings: Settings) -> str:
        """Where watchers look without TLS, or `off`."""
        found: str = getattr(settings, self.probe_setting or f"{self.name}_probe_bind")
        return found

    def answers(self, settings: Settings) -> bool:
        """Whether it answers at /live; over TLS, whether it is there to shake hands."""
        if settings.tls_certificate:
            return accepts(*self.host_and_port(settings))
        try:
            with urllib.request.urlopen(self.local(settings, "/live"), timeout=1) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def host_and_port(self, settings: Settings) -> tuple[str, int]:
        """Where it listens."""
        return split_bind(self.bind(settings))

    def local(self, settings: Settings, path: str = "") -> str:
        """An address at which it can be reached from this machine."""
        host, port = self.host_and_port(settings)
        host = _ANY.get(host, host)
        scheme = "https" if settings.tls_certificate else "http"
        return f"{scheme}://[{host}]:{port}{path}" if ":" in host else f"{scheme}://{host}:{port}{path}"

    def told(self, settings: Settings) -> str:
        """One line for whoever started it."""
        address = self.local(settings, f"/{self.name}")
        outside = self.url(settings)
        elsewhere = "" if _same(address, outside) else f", for others {outside}"
        workers = settings.workers(self.name)
        crew = f"{workers} worker{'s' if workers > 1 else ''} of {self.threads(settings)} threads"
        return f"{self.name:<10}  {address}{elsewhere}  ({self.describe(settings)}; {crew})"


@dataclass(frozen=True)
class Feeds(Service):
    """A service's listener for patient feeds: a process of its own, which speaks MLLP."""

    title: str = "feeds"

    def answers(self, settings: Settings) -> bool:
        """Whether it accepts connections."""
        return accepts(*self.host_and_port(settings))

    def told(self, settings: Settings) -> str:
        """One line for whoever started it."""
        tls = "MLLP over TLS" if settings.mllp_tls_files.certificate else "MLLP"
        return f"{self.title:<10}  {self.bind(settings)}  (patient identity feeds, {tls}; {self.describe(settings)})"


@dataclass(frozen=True)
class Syslog(Feeds):
    """The listener for audit records: a process of its own, which speaks syslog."""

    def told(self, settings: Settings) -> str:
        """One line for whoever started it."""
        how = "syslog over TLS" if settings.tls_certificate else "syslog over plain TCP, for this machine alone"
        return f"{self.title:<10}  {self.bind(settings)}  (audit records, {how}; {self.describe(settings)})"


def accepts(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection((_ANY.get(host, host), port), timeout=1).close()
    except OSError:
        return False
    return True


def _same(one: str, other: str) -> bool:
    first, second = urlsplit(one), urlsplit(other)
    return (first.hostname, first.port, first.path) == (second.hostname, second.port, second.path)


def shown_database(settings: Settings) -> str:
    """The database's URL with its password hidden."""
    return _shown(settings.database_url)


def shown_identity_database(settings: Settings) -> str:
    """The cross-reference's database's URL with its password hidden."""
    return _shown(settings.identity_database_url)


def shown_audit_database(settings: Settings) -> str:
    """The audit trail's database's URL with its password hidden."""
    return _shown(settings.audit_repository_database_url)


def _shown(url: str) -> str:
    # Imported by whoever shows one: commands that ask services know no database.
    from sqlalchemy.engine import make_url

    return make_url(url).render_as_string(hide_password=True)


def shown_storage(settings: Settings) -> str:
    """The storage's folder, or its bucket and server."""
    return f"{settings.storage} at {settings.s3_endpoint}" if settings.bucket else settings.storage_url


SERVICES: Final = {
    row.name: row
    for row in (
        Service(
            "registry",
            bind=lambda settings: settings.registry_bind,
            url=lambda settings: settings.registry_url,
            threads=lambda settings: settings.registry_threads,
            describe=lambda settings: f"database {shown_database(settings)}",
            bind_setting="registry_bind",
        ),
        Service(
            "repository",
            bind=lambda settings: settings.repository_bind,
            url=lambda settings: settings.repository_url,
            threads=lambda settings: settings.repository_threads,
            describe=lambda settings: f"storage {shown_storage(settings)}, uid {settings.repository_uid}",
            bind_setting="repository_bind",
        ),
        Service(
            "identity",
            bind=lambda settings: settings.identity_bind,
            url=lambda settings: settings.identity_url,
            threads=lambda settings: settings.identity_threads,
            describe=lambda settings: f"database {shown_identity_database(settings)}",
            bind_setting="identity_bind",
        ),
        Service(
            "audit",
            bind=lambda settings: settings.audit_repository_http_bind,
            url=lambda settings: settings.audit_repository_url,
            threads=lambda settings: settings.audit_repository_threads,
            describe=lambda settings: f"database {shown_audit_database(settings)}",
            bind_setting="audit_repository_http_bind",
            module="auditing",
            probe_setting="audit_repository_probe_bind",
        ),
    )
}

# What is started when nothing is named: not every site has a cross-reference of its own.
USUAL: Final = ("registry", "repository")

FEEDS: Final = {
    row.name: row
    for row in (
        Feeds(
            "registry-mllp",
            bind=lambda settings: settings.registry_mllp_bind,
            url=lambda settings: settings.registry_mllp_bind,
            threads=lambda settings: settings.mllp_threads,
            describe=lambda settings: f"{settings.mllp_threads} threads",
            bind_setting="registry_mllp_bind",
            after="registry",
        ),
        Feeds(
            "identity-mllp",
            bind=lambda settings: settings.identity_mllp_bind,
            url=lambda settings: settings.identity_mllp_bind,
            threads=lambda settings: settings.mllp_threads,
            describe=lambda settings: f"{settings.mllp_threads} threads",
            bind_setting="identity_mllp_bind",
            after="identity",
            title="id feeds",
        ),
        Syslog(
            "audit-syslog",
            bind=lambda settings: settings.audit_repository_bind,
            url=lambda settings: settings.audit_repository_bind,
            threads=lambda settings: settings.audit_repository_max_connections,
            describe=lambda settings: f"{settings.audit_repository_max_connections} connections at most",
            bind_setting="audit_repository_bind",
            after="audit",
            title="records",
        ),
    )
}


def with_companions(chosen: Sequence[Service], settings: Settings) -> list[Service]:
    """Services, and the processes that belong to them."""
    found: list[Service] = []
    for service in chosen:
        found.append(service)
        found += [feed for feed in FEEDS.values() if feed.after == service.name and feed.bind(settings) != "off"]
    return found
