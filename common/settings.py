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
from common.settings_sources import CONFIG, read
from common.settings_types import (
    GIB,
    KIB,
    MIB,
    Row,
    addresses,
    bind,
    bind_or_nothing,
    bind_or_off,
    binds,
    boolean,
    choice,
    database,
    destinations,
    duration,
    folder,
    fraction,
    header,
    ips,
    namespaces,
    oid,
    row_of,
    setting,
    size,
    split_addresses,
    split_bind,
    storage,
    text,
    tracing,
    web,
    whole,
)
from common.soap.destination import Allowed, is_loopback
from common.tls import Files

_DAY: Final = 86400.0
_COUNT: Final = 1_000_000_000
_PROBES: Final = "Where `/live`, `/ready` and `/metrics` are served without TLS, for this machine's watchers; or `off`."
_TRACING: Final = tracing()
_DATABASE: Final = database()  # the name of a setting, too


class SettingsError(Exception):
    """Settings that cannot be used; `problems` holds every reason, each one sentence."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Settings:
    """Everything that can be set, checked; sizes are in bytes and times in seconds."""

    data: Path = setting(folder(), Path("data"), "Data directory.")  # noqa: RUF009 (made by dataclasses.field)
    database: str = setting(
        _DATABASE,
        "",
        "SQLAlchemy URL of the Registry's database; SQLite under the data directory when empty.",
        secret=True,
    )
    database_pool: int = setting(
        whole(0, 1000), 0, "Database connections per Registry worker; 0 means one for each thread, and at most eight."
    )
    database_wait: float = setting(duration(0.1, 60), 5.0, "How long a request waits for a database connection.")
    database_replica: str = setting(
        _DATABASE,
        "",
        "SQLAlchemy URL of a read replica (streaming standby) of the Registry's PostgreSQL, which answers stored "
        "queries as long as it is level; the database itself when empty.",
        secret=True,
    )
    storage: str = setting(
        storage(), "", "Where documents are kept: a folder or `s3://BUCKET`; under the data directory when empty."
    )
    s3_endpoint: str = setting(web(), "", "Address of the S3 server.")
    s3_region: str = setting(text(), "", "Region of the bucket, where the server wants one.")
    s3_access_key: str = setting(text(), "", "Access key of the S3 server.")
    s3_secret_key: str = setting(text(), "", "Secret key of the S3 server.", secret=True)
    sweep_after: float = setting(
        duration(1, 30 * _DAY), 900.0, "Age at which a document that is still pending is settled with the Registry."
    )
    sweep_every: float = setting(duration(0.1, _DAY), 60.0, "Time between two sweeps for pending documents.")

    repository_uid: str = setting(oid(), "2.999.826.1.1", "The Repository's repositoryUniqueId.")
    home_community: str = setting(
        text("a homeCommunityId"),
        "",
        "This community's homeCommunityId, `urn:oid:…`; an update that names another is refused. Empty: none is known.",
    )
    codes: str = setting(
        text("a file"), "", "The affinity domain's codes: our TOML form or a `codes.xml`; the NHS set when empty."
    )
    patient_authority: str = setting(
        oid(), "2.16.840.1.113883.2.1.4.1", "OID of the patient identifier domain; the default is the NHS Number."
    )
    patient_namespaces: str = setting(
        text(), "NHS", "Names, with commas, by which feeds in HL7 v2 may mean the patient identifier domain (CX.4.1)."
    )
    patient_policy: str = setting(
        choice("valid", "fed"),
        "valid",
        "Which patients are known: `valid` is every number with a right check digit, `fed` only those from a feed.",
    )
    patient_test_numbers: bool = setting(
        boolean(), True, "Whether NHS Numbers of the 999 test range are accepted; set `false` in production."
    )
    patient_unknown_in_query: str = setting(
        choice("empty", "error"), "empty", "How a query for an unknown patient is answered."
    )

    patient_unmerge: bool = setting(
        boolean(), False, "Whether an administrator may undo a merge of patients (`portolan patients unmerge`)."
    )

    registry_bind: str = setting(bind(), "127.0.0.1:8010", "Where the Registry listens.")
    registry_url: str = setting(
        web(), "http://127.0.0.1:8010/registry", "The Registry's address as others use it, and as its WSDL says it."
    )
    registry_probe_bind: str = setting(bind_or_off(), "off", _PROBES)
    registry_workers: int = setting(whole(0, 256), 0, "Registry processes; 0 means as many as the cores suit.")
    registry_threads: int = setting(whole(1, 1000), 16, "Blocking threads per Registry process.")
    registry_mllp_bind: str = setting(
        bind_or_off(), "127.0.0.1:8060", "Where the Registry listens for patient feeds over MLLP; `off` for nowhere."
    )
    mllp_tls_certificate: str = setting(
        text(),
        "",
        "File with a certificate (PEM) of their own that feeds over MLLP are served with; without one they are served "
        "as everything else is: by the tls_… settings, or without TLS where there are none.",
    )
    mllp_tls_key: str = setting(text(), "", "File with the certificate's key, where it is not in the same file.")
    mllp_tls_client_ca: str = setting(
        text(),
        "",
        "File with the authorities (PEM) whose clients may connect; without it no client is asked who it is.",
    )
    mllp_threads: int = setting(whole(1, 100), 8, "Messages of feeds over MLLP that are carried out at once.")
    repository_bind: str = setting(bind(), "127.0.0.1:8020", "Where the Repository listens.")
    repository_url: str = setting(
        web(), "http://127.0.0.1:8020/repository", "The Repository's address as others use it, and as its WSDL says it."
    )
    repository_probe_bind: str = setting(bind_or_off(), "off", _PROBES)
    repository_workers: int = setting(whole(0, 256), 0, "Repository processes; 0 means as many as the cores suit.")
    repository_threads: int = setting(whole(1, 1000), 32, "Blocking threads per Repository process.")
    identity_database: str = setting(
        _DATABASE,
        "",
        "SQLAlchemy URL of the cross-reference's database; SQLite under the data directory when empty.",
        secret=True,
    )
    identity_bind: str = setting(bind(), "127.0.0.1:8070", "Where the cross-reference service listens.")
    identity_url: str = setting(
        web(),
        "http://127.0.0.1:8070/identity",
        "The cross-reference service's address as others use it, and as its WSDL says it.",
    )
    identity_probe_bind: str = setting(bind_or_off(), "off", _PROBES)
    identity_workers: int = setting(whole(0, 256), 0, "Cross-reference processes; 0 means as many as the cores suit.")
    identity_threads: int = setting(whole(1, 1000), 16, "Blocking threads per cross-reference process.")
    identity_mllp_bind: str = setting(
        bind_or_off(),
        "127.0.0.1:8071",
        "Where the cross-reference service listens for patient feeds over MLLP; `off` for nowhere.",
    )
    identity_namespaces: str = setting(
        namespaces(),
        "",
        "Names by which feeds in HL7 v2 may mean an assigning authority (CX.4.1), as `NAME=OID`, with commas.",
    )
    identity_name_prefix: bool = setting(
        boolean(), False, "Whether a query for demographics also finds names that begin as they are asked for."
    )
    identity_max_results: int = setting(whole(1, 10_000), 200, "Most persons that a query for demographics may find.")
    identity_query_keep: float = setting(
        duration(1, _DAY), 900.0, "How long a query that was answered in part can be gone on with."
    )
    identity_forward: str = setting(
        bind_or_nothing(),
        "",
        "The Registry's listener for patient feeds, `host:port`, which is told of NHS Numbers that became known or "
        "were merged; nobody when empty.",
    )
    identity_forward_ca_file: str = setting(
        text("a file"),
        "",
        "Certificates that this listener is checked with; without them it is called by the tls_… settings, or without "
        "TLS where there are none.",
    )
    identity_lookup: str = setting(
        web(),
        "",
        "The cross-reference service that the command line asks for the NHS Number to another id; `identity_url` when "
        "empty.",
    )
    tracing: str = setting(
        _TRACING,
        "none",
        "The national record that NHS Numbers are looked up in: `none`, the address of the PDS FHIR API, or a stand-in "
        "for first runs, `recorded` or `recorded:FOLDER`.",
    )
    tracing_token_file: str = setting(
        text("a file"), "", "File with the bearer token for PDS; it is read for each question, so that it may change."
    )
    repositories: str = setting(addresses(), "", "Other repositories that the client reads from.")

    max_metadata_bytes: int = setting(size(KIB, GIB), 8 * MIB, "Largest SOAP root part or whole XML message.")
    max_xml_depth: int = setting(whole(16, 256), 256, "Deepest nesting of XML elements.")
    max_xml_elements: int = setting(whole(100, _COUNT), 200_000, "Most XML elements in one message.")
    max_xml_attributes: int = setting(whole(100, _COUNT), 400_000, "Most XML attributes in one message.")
    max_objects: int = setting(whole(1, _COUNT), 5_000, "Most metadata objects in one submission.")
    max_documents: int = setting(whole(1, 100_000), 1_000, "Most documents in one submission or retrieval.")
    max_document_bytes: int = setting(size(1, 1024 * GIB), 2 * GIB, "Largest single document.")
    max_generated_bytes: int = setting(size(KIB, GIB), 64 * MIB, "Largest document made on demand.")
    max_submission_bytes: int = setting(size(1, 4096 * GIB), 4 * GIB, "Largest submission with all its documents.")
    max_part_header_bytes: int = setting(size(256, MIB), 16 * KIB, "Most bytes of headers of one MIME part.")
    max_part_headers: int = setting(whole(1, 1000), 32, "Most headers of one MIME part.")
    max_results: int = setting(whole(1, _COUNT), 5_000, "Most objects in a LeafClass answer.")
    max_results_objectref: int = setting(whole(1, _COUNT), 100_000, "Most objects in an ObjectRef answer.")
    max_query_values: int = setting(whole(1, 100_000), 1_000, "Most values of one query parameter.")
    max_gzip_ratio: int = setting(whole(1, 10_000), 100, "Most bytes that one byte of a compressed request unpacks to.")

    mllp_max_bytes: int = setting(size(KIB, GIB), MIB, "Largest message over MLLP.")
    mllp_max_connections: int = setting(whole(1, 100_000), 1_000, "Most connections over MLLP at a time.")

    client_rate: int = setting(
        whole(0, 100_000),
        0,
        "Requests a second that one client, by its certificate or else its address, may make of a service; 0 is as "
        "many as it likes.",
    )
    client_burst: int = setting(whole(1, 100_000), 200, "Requests beyond that pace that a client may make at once.")
    client_failures: int = setting(
        whole(0, 100_000),
        600,
        "Requests a minute of one client that may be refused for who asks; then it is not listened to until that is "
        "so again. 0 is no bound.",
    )

    request_timeout: float = setting(duration(1, _DAY), 300.0, "Longest time for a whole request.")
    idle_timeout: float = setting(duration(0.1, 3600), 10.0, "Longest silence within a request.")
    mllp_message_timeout: float = setting(
        duration(0.1, 3600), 30.0, "Longest time for a message over MLLP to arrive once it has begun."
    )
    mllp_idle_timeout: float = setting(
        duration(1, 30 * _DAY), 3600.0, "Longest silence between messages over MLLP; then the connection is closed."
    )
    connect_timeout: float = setting(duration(0.05, 60), 2.0, "Longest time to reach a neighbour.")
    answer_timeout: float = setting(duration(0.1, 3600), 30.0, "Longest time for a neighbour's answer.")

    async_reply_to: str = setting(
        destinations(),
        "",
        "Where answers may be sent when a request names another address than the HTTP response (wsa:ReplyTo, FaultTo). "
        "When empty, nowhere; but any port of this machine where a service listens, and is known to others, on a "
        "loopback address only.",
    )
    async_ca_file: str = setting(
        text("a file"),
        "",
        "Certificates that receivers of answers are checked with; those of tls_trust, or the system's, when empty.",
    )
    outbox: str = setting(
        _DATABASE,
        "",
        "SQLAlchemy URL of the database that keeps answers until they are delivered; SQLite under the data directory, "
        "one for each service, when empty.",
        secret=True,
    )
    outbox_threads: int = setting(whole(1, 64), 4, "Answers that one process delivers at a time.")
    outbox_retry_first: float = setting(
        duration(0.01, 3600), 2.0, "First pause after a failed delivery; each further one is twice as long."
    )
    outbox_retry_most: float = setting(duration(0.01, _DAY), 900.0, "Longest pause between two deliveries.")
    outbox_tries: int = setting(whole(1, 100_000), 300, "Deliveries that are tried before an answer is given up.")
    outbox_give_up: float = setting(
        duration(1, 365 * _DAY), 2 * _DAY, "Age at which an answer that cannot be delivered is given up."
    )
    outbox_lease: float = setting(
        duration(1, 3600), 120.0, "How long an answer waits for a process that died while it delivered it."
    )
    outbox_keep: float = setting(
        duration(1, 3650 * _DAY), 7 * _DAY, "How long the record of a delivered answer is kept, without its content."
    )
    outbox_max_answer: int = setting(size(KIB, GIB), 64 * MIB, "Largest answer that is kept.")
    outbox_max_waiting: int = setting(whole(1, _COUNT), 10_000, "Answers that may wait before more are refused.")

    tls_certificate: str = setting(
        text(),
        "",
        "File with this node's certificate and chain (PEM), to be called with and to call others; without one there is "
        "no TLS here. All files of TLS are read again when they change.",
    )
    tls_key: str = setting(text(), "", "File with the certificate's key, where it is not in the same file.")
    tls_trust: str = setting(
        text("a file or folder"),
        "",
        "File, or folder of files, of authorities and of single certificates (PEM) that are trusted; with it, whoever "
        "connects has to show a certificate.",
    )
    tls_crl: str = setting(text(), "", "File with the revocation lists (PEM) of the trusted authorities.")
    tls_peers: str = setting(
        text(),
        "",
        "File that lists who of those that are trusted may connect, one `sha256:HEX` or `name:DNS-NAME` a line; "
        "everybody when empty.",
    )
    tls_proxies: str = setting(
        ips(), "", "Addresses of proxies that end TLS, the only ones that may connect then; see tls_proxy_header."
    )
    tls_proxy_header: str = setting(
        header(),
        "X-Client-Cert",
        "Header in which they pass the client's certificate on, as PEM, URL-encoded.",
    )
    tls_check_names: bool = setting(
        boolean(), True, "Whether a service that is called has to show a certificate of the name that it is called by."
    )

    xua: str = setting(
        choice("off", "optional", "required"),
        "off",
        "Whether messages say who asks, by a SAML assertion (ITI-40): `optional` verifies those that come, `required` "
        "refuses messages without one.",
    )
    xua_issuers: str = setting(
        text(), "", "TOML file with a table for each issuer whose assertions count, and its `certificates` (PEM files)."
    )
    xua_audiences: str = setting(
        text(), "", "URIs, with commas, that assertions may be meant for, besides the service's own address and origin."
    )
    xua_assertion: str = setting(
        text(), "", "File with the signed assertion that the command line sends; it is read anew for each message."
    )
    xua_skew: float = setting(duration(0, 600), 60.0, "How far the clocks of an issuer and of this machine may differ.")
    xua_replay: str = setting(
        choice("certificate", "any"),
        "certificate",
        "Who may use an assertion after somebody has: only who shows the same certificate, or anybody, as where a "
        "partner's machines have certificates of their own and share users.",
    )
    xua_systems: str = setting(
        text(),
        "",
        "File like that of tls_peers, of systems that act for themselves and need no assertion, as a Repository does "
        "at its Registry.",
    )
    access: str = setting(
        choice("off", "on"),
        "off",
        "Whether who asks sees and gets only what the access decision allows (`portolan access`); set it for the "
        "Registry and every Repository alike. Needs xua.",
    )
    access_policy: str = setting(
        text("a file"), "", "The access policy, TOML; the example for direct care that is shipped when empty."
    )
    access_listed: bool = setting(
        boolean(),
        False,
        "Whether documents that the policy names under `listed` are listed without being given, instead of hidden.",
    )

    audit: bool = setting(
        boolean(), False, "Whether every transaction is recorded for the audit repositories (ITI-20)."
    )
    audit_repositories: str = setting(
        binds(),
        "",
        "The audit repositories, `host:port` with commas, that records are sent to as syslog over TLS, which is made "
        "of the files of tls_certificate and so on.",
    )
    audit_plain: bool = setting(
        boolean(),
        False,
        "Whether they are spoken to without TLS; on this machine only, as where a process beside does it.",
    )
    audit_sync: str = setting(
        choice("always", "os"),
        "os",
        "When a record is on the disk: `always` before the answer leaves, `os` a tenth of a second after; what the "
        "system has taken survives any process either way.",
    )
    audit_failure: str = setting(
        choice("refuse", "continue"),
        "refuse",
        "What is done while records cannot be kept: `refuse` everything, or `continue` and count what is not recorded.",
    )
    audit_spool_max: int = setting(
        size(64 * MIB, 4096 * GIB),
        GIB,
        "Most bytes of records that wait in the data directory; more cannot be kept.",
    )
    audit_confirm: float = setting(
        duration(0, 3600),
        0.0,
        "For an audit repository that does not answer the end of a connection with its own: seconds without a sign of "
        "trouble after which what was sent counts as arrived. 0: only a clean end counts.",
    )
    audit_source: str = setting(
        text(), "", "Name by which records say who wrote them (AuditSourceID); the service's when empty."
    )
    audit_site: str = setting(text(), "", "The organisation in records (AuditEnterpriseSiteID), as its ODS code.")

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
