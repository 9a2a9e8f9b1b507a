"""The Document Registry as a WSGI application; this file only joins."""

from __future__ import annotations

from dataclasses import replace

from flask import Flask

from common.access import AccessPolicy, Who, load_access_policy
from common.access.places import load_places
from common.audit.auditor import Auditor
from common.codes import load as load_codes
from common.db import Database, Reader, open_database, open_reader
from common.mllp.sender import SENDER
from common.observe import metrics
from common.observe.health import Health
from common.outbox.box import open_outbox
from common.settings import Settings
from common.web.asking import of_system
from common.web.operations import operations
from registry.access.acts import Access
from registry.access.guard import Guard
from registry.access.senders import Senders
from registry.feed import Authority, Feed
from registry.feed_v3 import FeedV3
from registry.patients import Patients
from registry.policy import AffinityDomain
from registry.register import Register
from registry.relink import Relink
from registry.remove import Remove
from registry.routes import Routes, door
from registry.search import Limits, Search
from registry.update import Update
from registry.visiting import Visits


def affinity_domain(settings: Settings) -> AffinityDomain:
    """The policies that settings describe."""
    codes = load_codes(settings.codes_file) if settings.codes_file else load_codes()
    return AffinityDomain(
        codes,
        settings.patient_authority,
        settings.patient_policy == "fed",
        settings.patient_test_numbers,
        settings.home_community,
    )


def open_store(settings: Settings) -> Database:
    """The Registry's database."""
    return open_database(settings.database_url, pool=settings.database_connections, wait=settings.database_wait)


def open_queries(settings: Settings, database: Database) -> Reader:
    """What answers stored queries: the read replica where one is set, else the database."""
    return open_reader(
        database,
        settings.database_replica,
        pool=settings.database_connections,
        wait=settings.database_wait,
        note=metrics.replica_read,
    )


def access_policy(settings: Settings) -> AccessPolicy:
    """The policy that settings name; AccessPolicyError."""
    policy = load_access_policy(settings.access_policy)
    return policy if settings.access_listed else replace(policy, listed=frozenset())


def create_feed(settings: Settings, database: Database, auditor: Auditor | None = None) -> Feed:
    """What carries out messages of patient feeds in HL7 v2; its database has to be migrated already."""
    domain = affinity_domain(settings)
    names = frozenset(filter(None, (name.strip() for name in settings.patient_namespaces.split(","))))
    authority = Authority(settings.patient_authority, names)
    visits = None
    if settings.access_relationships_from_adt:
        policy = access_policy(settings)
        senders = Senders(Guard(database, policy), _sender) if settings.access == "on" else None
        visits = Visits(load_places(settings.access_places), policy.grace_days, senders)
    return Feed(Patients(database, domain), Relink(database, domain, visits), authority, visits, audit=auditor)


def _sender() -> Who:
    """The system whose message is being carried out; nobody where it has shown no certificate."""
    peer = SENDER.get().peer
    return of_system(peer) if peer is not None else Who()


def create_app(
    settings: Settings, database: Database | None = None, *, deliver: bool = True, auditor: Auditor | None = None
) -> Flask:
    """The Registry; its databases have to be migrated already.

    With ``deliver`` it takes part in asynchronous exchange.
    """
    store = database or open_store(settings)
    domain = affinity_domain(settings)
    limits = Limits(settings.max_query_values, settings.max_results, settings.max_results_objectref)
    reader = open_queries(settings, store)
    guard = access = None
    if settings.access == "on":
        policy = access_policy(settings)
        guard = Guard(reader, policy)
        access = Access(guard, policy.reason_attribute)
    search = Search(reader, limits, domain if settings.patient_unknown_in_query == "error" else None, guard)
    most = settings.max_objects
    routes = Routes(
        Register(store, domain, max_objects=most),
        search,
        Update(store, domain, max_objects=most),
        Remove(store, max_objects=most),
        FeedV3(Patients(store, domain), settings.patient_authority),
        access,
    )
    app = Flask("portolan.registry", static_folder=None)
    outbox = open_outbox(settings, "registry") if deliver else None
    entrance = door(routes, settings, outbox, auditor)
    app.register_blueprint(entrance.blueprint())
    app.wsgi_app = entrance.before(app.wsgi_app)  # type: ignore[method-assign, assignment]
    checks = {"database": store.ping} | ({"outbox": outbox.ping} if outbox else {})
    health = Health(checks | ({"audit": auditor.probe} if auditor else {}))
    app.register_blueprint(operations(health, with_metrics=settings.metrics))
    if outbox is not None:
        outbox.deliver(settings, "registry", entrance.prepared)
    return app
