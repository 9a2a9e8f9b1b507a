"""Settings that are right by themselves and do not go together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from common.settings_types import show_duration, show_size, split_bind
from common.soap.destination import is_loopback

if TYPE_CHECKING:
    from common.settings import Settings


def conflicts(settings: Settings) -> Iterator[str]:
    """A sentence for each combination that cannot be meant."""
    yield from _storage_conflicts(settings)
    yield from _same_ports(settings)
    if settings.database_replica.startswith("sqlite") or (
        settings.database_replica and settings.database_url.startswith("sqlite")
    ):
        yield "database_replica is set, so it and database must both be PostgreSQL."
    if settings.mllp_tls_client_ca and not settings.mllp_tls_certificate:
        yield "mllp_tls_client_ca is set, so mllp_tls_certificate must be set too."
    for name in ("registry_mllp_bind", "identity_mllp_bind"):
        bound = getattr(settings, name)
        if settings.mllp_plain and bound != "off" and not is_loopback(split_bind(bound)[0]):
            yield f"mllp_plain is set, so {name} must be an address of this machine alone; it is {bound}."
    yield from _tls_conflicts(settings)
    yield from _trail_conflicts(settings)
    if settings.xua != "off" and not settings.xua_issuers:
        yield f"xua is {settings.xua}, so xua_issuers must be set too."
    yield from _audit_conflicts(settings)
    if settings.access != "off" and settings.xua == "off":
        yield "access is on, so xua must be optional or required: access is decided on who asks."
    if settings.access_listed and settings.access == "off":
        yield "access_listed is set, so access must be on."
    if settings.access_policy and settings.access == "off" and not settings.access_relationships_from_adt:
        yield "access_policy is set, so access must be on, or access_relationships_from_adt."
    if settings.access_relationships_from_adt != bool(settings.access_places):
        yield "access_relationships_from_adt and access_places go together: one of them is set alone."
    if settings.max_document_bytes > settings.max_submission_bytes:
        yield (
            f"max_document_bytes ({show_size(settings.max_document_bytes)}) is more than max_submission_bytes "
            f"({show_size(settings.max_submission_bytes)}); a document must fit into a submission."
        )
    if settings.idle_timeout > settings.request_timeout:
        yield (
            f"idle_timeout ({show_duration(settings.idle_timeout)}) is longer than request_timeout "
            f"({show_duration(settings.request_timeout)}); it must not be."
        )
    if settings.sweep_after <= settings.connect_timeout + settings.answer_timeout:
        # A younger mark may belong to a registration that is still under way.
        yield (
            f"sweep_after ({show_duration(settings.sweep_after)}) must be longer than connect_timeout and "
            f"answer_timeout together ({show_duration(settings.connect_timeout + settings.answer_timeout)})."
        )
    if settings.outbox_retry_first > settings.outbox_retry_most:
        yield (
            f"outbox_retry_first ({show_duration(settings.outbox_retry_first)}) is longer than outbox_retry_most "
            f"({show_duration(settings.outbox_retry_most)}); it must not be."
        )
    if settings.repository_addresses[settings.repository_uid] != settings.repository_url:
        yield f"repositories gives {settings.repository_uid} another address than repository_url; keep one of them."


def _tls_conflicts(settings: Settings) -> Iterator[str]:
    proxied = bool(settings.tls_proxies)
    if proxied and settings.tls_certificate and settings.tls_trust:
        yield "tls_proxies and tls_trust are both set; TLS is ended by the proxy or here."
    for name in ("tls_key", "tls_trust", "tls_crl"):
        if getattr(settings, name) and not settings.tls_certificate:
            yield f"{name} is set, so tls_certificate must be set too."
    if settings.tls_crl and not settings.tls_trust:
        yield "tls_crl is set, so tls_trust must be set too: nobody is asked for a certificate without it."
    for name in ("tls_peers", "xua_systems", "audit_repository_readers"):
        if getattr(settings, name) and not settings.tls_trust and not proxied:
            yield f"{name} is set, so tls_trust or tls_proxies must be set too: peers are known by their certificates."


def _trail_conflicts(settings: Settings) -> Iterator[str]:
    host = split_bind(settings.audit_repository_bind)[0] if settings.audit_repository_bind != "off" else "127.0.0.1"
    if settings.audit_repository_plain and (settings.tls_certificate or not is_loopback(host)):
        yield (
            "audit_repository_plain is true, so audit_repository_bind must be a loopback address, and tls_certificate "
            "must not be set."
        )
    if settings.audit_repository_open and not is_loopback(split_bind(settings.audit_repository_http_bind)[0]):
        yield "audit_repository_open is true, so audit_repository_http_bind must be a loopback address."
    if settings.audit_repository_checkpoints and not settings.audit_repository_key:
        yield "audit_repository_checkpoints is set, so audit_repository_key must be set too."
    if settings.oauth != "off":
        if not settings.oauth_issuer:
            yield f"oauth is {settings.oauth}, so oauth_issuer must be set too."
        if not (settings.oauth_jwks or settings.oauth_metadata or settings.oauth_introspection):
            yield f"oauth is {settings.oauth}, so oauth_jwks, oauth_metadata or oauth_introspection must be set too."
    if settings.oauth_jwks and settings.oauth_metadata:
        yield "oauth_jwks and oauth_metadata are both set; keep one of them."
    for name in ("oauth_metadata", "oauth_introspection"):
        parts = urlsplit(getattr(settings, name))
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            yield f"{name} must be an https address: what comes from there is believed."


def _audit_conflicts(settings: Settings) -> Iterator[str]:
    places = [part.strip() for part in settings.audit_repositories.split(",") if part.strip()]
    if settings.audit and not places:
        yield "audit is set, so audit_repositories must be set too: records would wait for nobody."
    if len(set(places)) < len(places):
        yield "audit_repositories names an address twice."
    if settings.audit_plain and not all(is_loopback(split_bind(each)[0]) for each in places):
        yield "audit_plain is set, so audit_repositories must be on this machine: patients are named in records."


def _same_ports(settings: Settings) -> Iterator[str]:
    """Every service and listener has an address of its own."""
    services = ("registry", "repository", "identity")
    names = [f"{service}_{kind}" for kind in ("bind", "probe_bind") for service in services]
    names += ["registry_mllp_bind", "identity_mllp_bind"]
    names += [f"audit_repository_{kind}" for kind in ("bind", "http_bind", "probe_bind")]
    first: dict[tuple[str, int], str] = {}
    for name in names:
        value = getattr(settings, name)
        # These are not started unless asked for, and where they would listen then is in nobody's way.
        if value == "off" or (name.startswith(("identity", "audit")) and value == getattr(type(settings)(), name)):
            continue
        other = first.setdefault(split_bind(value), name)
        if other != name:
            yield f"{other} and {name} are both {value}; give each its own port."


def _storage_conflicts(settings: Settings) -> Iterator[str]:
    if settings.bucket is None:
        return
    for name in ("s3_endpoint", "s3_access_key", "s3_secret_key"):
        if not getattr(settings, name):
            yield f"storage is {settings.storage}, so {name} must be set too."
