"""The Document Repository as a WSGI application; this file only joins."""

from __future__ import annotations

from flask import Flask

from common.access import load_access_policy
from common.audit.asking import Recorder
from common.audit.auditor import Auditor
from common.judging import Access, client_of
from common.observe.health import Health
from common.outbox.box import open_outbox
from common.settings import Settings
from common.web.operations import operations
from repository.on_demand.source import OnDemandSource
from repository.provide import Provide
from repository.registry import Registry
from repository.remove import Remove
from repository.retrieve import Retrieve
from repository.routes import Routes, door
from repository.settling import Settling, Sweeper
from repository.storage import DocumentStore, open_store
from repository.storage.watched import WatchedStore


def storage(settings: Settings) -> DocumentStore:
    """The document store that settings name."""
    return open_store(
        settings.storage_url,
        endpoint=settings.s3_endpoint,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key,
        region=settings.s3_region,
    )


def registry_client(settings: Settings, auditor: Auditor | None = None) -> Registry:
    """The registry that settings name."""
    return Registry(client_of(settings), Recorder(auditor, settings.registry_url) if auditor else None)


def on_demand_source(settings: Settings, store: DocumentStore, registry: Registry) -> OnDemandSource:
    """The maker of documents that exist only when they are asked for."""
    return OnDemandSource(
        store,
        registry,
        Settling(store, registry),
        repository_unique_id=settings.repository_uid,
        max_bytes=settings.max_generated_bytes,
    )


def create_app(
    settings: Settings,
    store: DocumentStore | None = None,
    *,
    sweep: bool = True,
    deliver: bool = True,
    auditor: Auditor | None = None,
) -> Flask:
    """The Repository. With ``sweep`` it settles documents in doubt in the background.

    With ``deliver`` it takes part in asynchronous exchange; its outbox has to be migrated already.
    """
    kept: DocumentStore = WatchedStore(store or storage(settings))
    registry = registry_client(settings, auditor)
    settling = Settling(kept, registry)
    access = Access(registry) if settings.access == "on" else None
    reason = load_access_policy(settings.access_policy).reason_attribute if access is not None else ""
    provide = Provide(
        kept, registry, repository_unique_id=settings.repository_uid, max_documents=settings.max_documents
    )
    retrieve = Retrieve(
        kept,
        settling,
        on_demand_source(settings, kept, registry),
        repository_unique_id=settings.repository_uid,
        max_documents=settings.max_documents,
        access=access,
    )
    remove = Remove(
        kept, registry, settling, repository_unique_id=settings.repository_uid, max_documents=settings.max_documents
    )
    app = Flask("portolan.repository", static_folder=None)
    outbox = open_outbox(settings, "repository") if deliver else None
    routes = Routes(provide, retrieve, remove, access, reason)
    entrance = door(routes, kept, settings, outbox, auditor)
    app.register_blueprint(entrance.blueprint())
    app.wsgi_app = entrance.before(app.wsgi_app)  # type: ignore[method-assign, assignment]
    checks = {"storage": kept.probe} | ({"outbox": outbox.ping} if outbox else {})
    health = Health(checks | ({"audit": auditor.probe} if auditor else {}))
    app.register_blueprint(operations(health, with_metrics=settings.metrics))
    if outbox is not None:
        outbox.deliver(settings, "repository", entrance.prepared)
    if sweep:
        Sweeper(settling, every=settings.sweep_every, older_than=settings.sweep_after).start()
    return app
