"""The cross-reference service as a WSGI application; this file only joins."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from flask import Flask

from common.access import Act, load_access_policy
from common.audit.asking import Recorder
from common.audit.auditor import Auditor
from common.client.mllp import MllpClient
from common.db import Database, open_database
from common.judging import Access, Queries, client_of
from common.judging.feeds import refusing
from common.observe.health import Health
from common.settings import Settings
from common.settings_types import split_bind, split_namespaces
from common.tls import of_client
from common.web.operations import operations
from identity.checking import Checking
from identity.crossreference import CrossReference
from identity.demographics_query import Bounds, DemographicsQuery
from identity.feed import Feed
from identity.feed_v3 import FeedV3
from identity.forwarding import Forwarder
from identity.identifiers_query import IdentifiersQuery
from identity.routes import Routes, door
from identity.rules.identifiers import Domain
from identity.tracing import SHIPPED, FhirTracing, RecordedTracing, Tracing

_RECORDED = "recorded"


def identity_domain(settings: Settings) -> Domain:
    """Whose ids are taken, as settings describe it."""
    ours = filter(None, (name.strip() for name in settings.patient_namespaces.split(",")))
    names = dict.fromkeys(ours, settings.patient_authority) | split_namespaces(settings.identity_namespaces)
    return Domain(settings.patient_authority, names, settings.patient_test_numbers, settings.patient_policy == "fed")


def open_store(settings: Settings) -> Database:
    """The cross-reference's database."""
    url = settings.identity_database_url
    return open_database(url, pool=settings.identity_connections, wait=settings.database_wait)


def cross_reference(settings: Settings, database: Database) -> CrossReference:
    """What links and merges; its database has to be migrated already."""
    return CrossReference(database, identity_domain(settings), forwards=bool(settings.identity_forward))


def the_tracing(settings: Settings) -> Tracing | None:
    """The national record that settings name; None for none."""
    kind, _, folder = settings.tracing.partition(":")
    if settings.tracing == "none":
        return None
    if kind == _RECORDED:
        return RecordedTracing(Path(folder) if folder else SHIPPED)
    return FhirTracing(
        settings.tracing,
        token=lambda: Path(settings.tracing_token_file).read_text("ascii") if settings.tracing_token_file else "",
        connect_timeout=settings.connect_timeout,
        answer_timeout=settings.answer_timeout,
    )


def create_feed(settings: Settings, database: Database, auditor: Auditor | None = None) -> Feed:
    """What carries out messages of patient feeds in HL7 v2."""
    reference = cross_reference(settings, database)
    access, _ = the_access(settings, auditor)
    refused = None if access is None or settings.mllp_plain else refusing(partial(access.may, act=Act.FEED))
    return Feed(reference, Checking(reference, the_tracing(settings)), audit=auditor, refused=refused)


def forwarder(settings: Settings, database: Database, auditor: Auditor | None = None) -> Forwarder:
    """What tells the Registry; its address has to be set."""
    host, port = split_bind(settings.identity_forward)
    client = MllpClient(
        host,
        port,
        connect_timeout=settings.connect_timeout,
        answer_timeout=settings.answer_timeout,
        tls=of_client(settings.tls_files_towards(settings.identity_forward_ca_file)),
    )
    return Forwarder(database, client, audit=auditor, address=settings.identity_forward)


def the_access(settings: Settings, auditor: Auditor | None = None) -> tuple[Access | None, str]:
    """What asks the Registry who may, and the attribute that says why somebody breaks the glass."""
    if settings.access != "on":
        return None, ""
    recorder = Recorder(auditor, settings.registry_url) if auditor else None
    reason = load_access_policy(settings.access_policy).reason_attribute
    return Access(Queries(client_of(settings), recorder)), reason


def create_app(
    settings: Settings, database: Database | None = None, *, deliver: bool = True, auditor: Auditor | None = None
) -> Flask:
    """The service; its database has to be migrated already. With ``deliver`` it tells the Registry, if it is to."""
    store = database or open_store(settings)
    reference = cross_reference(settings, store)
    bounds = Bounds(settings.identity_max_results, settings.identity_query_keep, settings.identity_name_prefix)
    access, reason = the_access(settings, auditor)
    routes = Routes(
        FeedV3(reference, Checking(reference, the_tracing(settings))),
        IdentifiersQuery(reference, most=settings.max_query_values),
        DemographicsQuery(reference, store, bounds),
        access,
        reason,
    )
    app = Flask("portolan.identity", static_folder=None)
    entrance = door(routes, settings, auditor)
    app.register_blueprint(entrance.blueprint())
    app.wsgi_app = entrance.before(app.wsgi_app)  # type: ignore[method-assign, assignment]
    checks = {"database": store.ping} | ({"audit": auditor.probe} if auditor else {})
    app.register_blueprint(operations(Health(checks), with_metrics=settings.metrics))
    if deliver and settings.identity_forward:
        forwarder(settings, store, auditor).start()
    return app
