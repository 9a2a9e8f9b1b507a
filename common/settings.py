"""All settings, as one table: each field is a row with its kind, default and meaning.

The environment name is `PORTOLAN_` and the field's name in capitals; the TOML key is the field's name.
`python -m common.settings` prints docs/reference/settings.md from this table.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from common.settings_conflicts import conflicts
from common.settings_security import SecuritySettings
from common.settings_services import ServiceSettings
from common.settings_sources import CONFIG, read
from common.settings_types import (
    Row,
    boolean,
    choice,
    duration,
    fraction,
    row_of,
    setting,
    split_addresses,
    split_bind,
    web,
)
from common.soap.destination import Allowed, is_loopback
from common.tls import Files

_DAY: Final = 86400.0


class SettingsError(Exception):
    """Settings that cannot be used; `problems` holds every reason, each one sentence."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Settings(SecuritySettings, ServiceSettings):
    """Everything that can be set, checked; sizes are in bytes and times in seconds.

    Rows come in the order of the last base first: services, security, and what is observed.
    """

    log_level: str = setting(choice("debug", "info", "warning", "error"), "info", "Least level that is logged.")
    log_format: str = setting(
        choice("json", "text"), "json", "Form of a log record: one JSON object or text, one line."
    )
    metrics: bool = setting(boolean(), True, "Whether `/metrics` is served.")
    slow_query: float = setting(
        duration(0.0001, _DAY), 0.5, "From which time on an SQL statement is logged as slow, without its values."
    )
    slow_request: float = setting(
        duration(0.0001, _DAY), 2.0, "From which time on a request is logged as slow, the transfer itself not counted."
    )
    trace_endpoint: str = setting(
        web(),
        "",
        "Collector that traces are sent to by OTLP over HTTP, such as `http://collector:4318`; without a path it is "
        "`/v1/traces`. None are made when empty. Needs the extra `tracing`.",
    )
    trace_share: float = setting(
        fraction(), 1.0, "Share of the traces that begin here which are recorded; a caller decides on its own."
    )

    @property
    def database_url(self) -> str:
        """The database's SQLAlchemy URL, which may hold a password."""
        return self.database or f"sqlite:///{self.data / 'registry.db'}"

    @property
    def identity_database_url(self) -> str:
        """The cross-reference's database as a SQLAlchemy URL, which may hold a password."""
        return self.identity_database or f"sqlite:///{self.data / 'identity.db'}"

    @property
    def identity_connections(self) -> int:
        """Database connections per cross-reference worker."""
        return self.database_pool or min(self.identity_threads, 8)

    @property
    def storage_url(self) -> str:
        """The folder or `s3://BUCKET` that holds the documents."""
        return self.storage or str(self.data / "documents")

    @property
    def audit_repository_database_url(self) -> str:
        """The audit trail's database as a SQLAlchemy URL, which may hold a password."""
        return self.audit_repository_database or f"sqlite:///{self.data / 'audit-trail.db'}"

    def outbox_url(self, service: str) -> str:
        """The SQLAlchemy URL of a service's outbox, which may hold a password."""
        return self.outbox or f"sqlite:///{self.data / f'outbox-{service}.db'}"

    def async_allowed(self, service: str) -> Allowed:
        """Where the answers of `registry` or `repository` may be sent; the other services send none elsewhere."""
        listens = {
            "registry": (self.registry_bind, self.registry_url),
            "repository": (self.repository_bind, self.repository_url),
        }
        if service not in listens:
            return Allowed.from_list("", loopback=False)
        bound, url = listens[service]
        # A proxy on this machine lets others in, so the address that they use has to be a local one as well.
        local = is_loopback(split_bind(bound)[0]) and is_loopback(urlsplit(url).hostname or "")
        return Allowed.from_list(self.async_reply_to, loopback=local)

    @property
    def tls_files(self) -> Files:
        """What TLS is made of."""
        return Files(
            self.tls_certificate, self.tls_key, self.tls_trust, self.tls_crl, self.tls_peers, self.tls_check_names
        )

    @property
    def mllp_tls_files(self) -> Files:
        """What TLS of the listeners for feeds is made of."""
        if self.mllp_plain:
            return Files()
        if not self.mllp_tls_certificate:
            return self.tls_files
        return Files(self.mllp_tls_certificate, self.mllp_tls_key, self.mllp_tls_client_ca)

    def tls_files_towards(self, trust: str) -> Files:
        """What to call somebody with who is checked by certificates of their own, where a file of those is named."""
        if not trust:
            return self.tls_files
        return Files(self.tls_certificate, self.tls_key, trust, check_names=self.tls_check_names)

    @property
    def bucket(self) -> str | None:
        """The S3 bucket, or None when documents are kept in a folder."""
        return self.storage.removeprefix("s3://") if self.storage.startswith("s3://") else None

    @property
    def codes_file(self) -> Path | None:
        """The file of codes, or None for the one that is shipped."""
        return Path(self.codes) if self.codes else None

    @property
    def repository_addresses(self) -> dict[str, str]:
        """Address by repositoryUniqueId, our own repository's included."""
        return {self.repository_uid: self.repository_url, **split_addresses(self.repositories)}

    @property
    def database_connections(self) -> int:
        """Database connections per Registry worker."""
        return self.database_pool or min(self.registry_threads, 8)

    def workers(self, service: str) -> int:
        """Processes of a service; with 0 set, one per core and at most eight."""
        chosen = {
            "registry": self.registry_workers,
            "repository": self.repository_workers,
            "identity": self.identity_workers,
            "audit": self.audit_repository_workers,
        }[service]
        return chosen or min(os.cpu_count() or 1, 8)


TABLE: Final[dict[str, Row]] = {entry.name: row_of(entry) for entry in fields(Settings)}


def load(environ: Mapping[str, str], file: Path | None = None) -> Settings:
    """The settings from file (or PORTOLAN_CONFIG) and environment; SettingsError names everything that is wrong."""
    if file is None and environ.get(CONFIG):
        file = Path(environ[CONFIG])
    values, problems = read(TABLE, environ, file)
    settings = Settings(**values)
    # Combinations are only judged once each value is right by itself: half of them would mislead.
    problems = problems or list(conflicts(settings))
    if problems:
        raise SettingsError(problems)
    return settings


if __name__ == "__main__":
    from common.settings_reference import reference

    print(reference(TABLE), end="")
