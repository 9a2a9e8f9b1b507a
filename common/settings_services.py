"""Settings of what is served: stores, the affinity domain, addresses, bounds, times, answers that are sent later."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from common.settings_types import (
    GIB,
    KIB,
    MIB,
    addresses,
    bind,
    bind_or_nothing,
    bind_or_off,
    boolean,
    choice,
    database,
    destinations,
    duration,
    folder,
    namespaces,
    oid,
    setting,
    size,
    storage,
    text,
    tracing,
    web,
    whole,
)

_DAY: Final = 86400.0
_COUNT: Final = 1_000_000_000
_PROBES: Final = "Where `/live`, `/ready` and `/metrics` are served without TLS, for this machine's watchers; or `off`."
_TRACING: Final = tracing()
_DATABASE: Final = database()  # the name of a setting, too


@dataclass(frozen=True)
class ServiceSettings:
    """Rows of the table of settings; see ``common.settings``."""

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
    mllp_plain: bool = setting(
        boolean(),
        False,
        "Whether feeds over MLLP are served without TLS although everything else has it; on this machine only, as "
        "where a process beside does it.",
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

    audit_repository_database: str = setting(
        _DATABASE,
        "",
        "SQLAlchemy URL of the audit record repository's database; SQLite under the data directory when empty.",
        secret=True,
    )
    audit_repository_bind: str = setting(
        bind_or_off(),
        "127.0.0.1:6514",
        "Where the audit record repository listens for syslog, over TLS with `tls_certificate`; `off` for nowhere.",
    )
    audit_repository_plain: bool = setting(
        boolean(), False, "Whether it takes syslog over plain TCP, on a loopback address, where there is no TLS."
    )
    audit_repository_http_bind: str = setting(
        bind(), "127.0.0.1:8090", "Where the audit record repository answers questions (ITI-81)."
    )
    audit_repository_url: str = setting(
        web(), "http://127.0.0.1:8090/audit", "The audit record repository's address as others use it (ITI-81)."
    )
    audit_repository_probe_bind: str = setting(bind_or_off(), "off", _PROBES)
    audit_repository_workers: int = setting(whole(1, 256), 1, "Processes that answer questions about the audit trail.")
    audit_repository_threads: int = setting(whole(1, 1000), 8, "Blocking threads per such process.")
    audit_repository_open: bool = setting(
        boolean(),
        False,
        "Whether the trail may be read on a loopback address by whoever is on this machine, without token or "
        "certificate; for trying things out.",
    )
    audit_repository_readers: str = setting(
        text("a file"),
        "",
        "File like that of tls_peers, of systems that may read the audit trail by their certificate, without a token.",
    )
    audit_repository_scope: str = setting(
        text("a scope"), "system/AuditEvent.rs", "Scope that a bearer token needs to read the audit trail (ITI-72)."
    )
    audit_repository_key: str = setting(
        text("a file"),
        "",
        "File with the key that checkpoints of the audit trail are signed with (`portolan audit key`); without it "
        "there are none.",
    )
    audit_repository_checkpoints: str = setting(
        text("a file"), "", "File that each checkpoint is added to, to be kept on another machine."
    )
    audit_repository_checkpoint_every: float = setting(
        duration(1, _DAY), 60.0, "Longest time from a new record to a checkpoint."
    )
    audit_repository_checkpoint_records: int = setting(
        whole(1, _COUNT), 10_000, "Records after which there is a checkpoint at any rate."
    )
    audit_repository_max_bytes: int = setting(size(KIB, 64 * MIB), MIB, "Largest audit record that is taken.")
    audit_repository_max_connections: int = setting(
        whole(1, 10_000), 200, "Most connections of senders of audit records at a time."
    )
    audit_repository_idle_timeout: float = setting(
        duration(1, 30 * _DAY), 3600.0, "Longest silence of such a connection; then it is closed."
    )

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
