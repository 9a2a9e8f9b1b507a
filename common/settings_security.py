"""Settings of who may: TLS, assertions, access, the audit trail and what keeps it, bearer tokens."""

from dataclasses import dataclass

from common.settings_types import (
    GIB,
    MIB,
    binds,
    boolean,
    choice,
    duration,
    header,
    ips,
    setting,
    size,
    text,
    web,
)


@dataclass(frozen=True)
class SecuritySettings:
    """Rows of the table of settings; see ``common.settings``."""

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
    access_relationships_from_adt: bool = setting(
        boolean(),
        False,
        "Whether ADT messages at the Registry's listener open and close relationships of patients with organisations.",
    )
    access_places: str = setting(
        text("a file"),
        "",
        "Which organisations are meant by the facilities that ADT messages name, TOML: a table `[organisations]` of "
        '`PLACE = "ODS CODE"`.',
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

    oauth: str = setting(
        choice("off", "required"),
        "off",
        "Whether the REST faces ask for a bearer token (ITI-72, OAuth 2): a JWT of `oauth_issuer`, or one that "
        "`oauth_introspection` knows.",
    )
    oauth_issuer: str = setting(text("an issuer"), "", "Issuer (`iss`) whose tokens count.")
    oauth_jwks: str = setting(text("a file"), "", "File with the issuer's public keys (JWK Set); read when it changes.")
    oauth_metadata: str = setting(
        web(),
        "",
        "Address of the issuer's metadata (RFC 8414), which say where its keys are; for when there is no "
        "`oauth_jwks`. Nothing else is ever fetched for a token.",
    )
    oauth_audiences: str = setting(
        text(), "", "Audiences (`aud`), with commas, that tokens may be meant for, besides the service's own address."
    )
    oauth_skew: float = setting(
        duration(0, 600), 60.0, "How far the clocks of the issuer of tokens and of this machine may differ."
    )
    oauth_introspection: str = setting(
        web(), "", "Address at which the issuer tells whether a token still counts (RFC 7662, ITI-102); or nothing."
    )
    oauth_client: str = setting(text("a client id"), "", "Client id that this service introspects tokens with.")
    oauth_client_secret: str = setting(text("a secret"), "", "The secret to it.", secret=True)
