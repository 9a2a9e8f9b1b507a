"""The Document Repository as a WSGI application; this file only joins."""

from __future__ import annotations

from flask import Flask

from common.client.connections import Connections
from common.client.soap import SoapClient
from common.observe.health import Health
from common.settings import Settings
from common.soap.xml import XmlLimits
from common.web.operations import operations
from repository.provide import Provide
from repository.registry import Registry
from repository.remove import Remove
from repository.retrieve import Retrieve
from repository.routes import Routes, door
from repository.settling import Settling, Sweeper
from repository.storage import DocumentStore, open_store


def storage(settings: Settings) -> DocumentStore:
    """The document store that settings name."""
    return open_store(
        settings.storage_url,
        endpoint=settings.s3_endpoint,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key,
        region=settings.s3_region,
    )


def registry_client(settings: Settings) -> Registry:
    """The registry that settings name."""
    connections = Connections(
        settings.registry_url,
        connect_timeout=settings.connect_timeout,
        answer_timeout=settings.answer_timeout,
        max_answer=settings.max_metadata_bytes,
    )
    return Registry(SoapClient(settings.registry_url, connections, XmlLimits(max_bytes=settings.max_metadata_bytes)))


def create_app(settings: Settings, store: DocumentStore | None = None, *, sweep: bool = True) -> Flask:
    """The Repository. With ``sweep`` it settles documents in doubt in the background."""
    kept = store or storage(settings)
    registry = registry_client(settings)
    settling = Settling(kept, registry)
    provide = Provide(
        kept, registry, repository_unique_id=settings.repository_uid, max_documents=settings.max_documents
    )
    retrieve = Retrieve(
        kept, settling, repository_unique_id=settings.repository_uid, max_documents=settings.max_documents
    )
    remove = Remove(
        kept, registry, settling, repository_unique_id=settings.repository_uid, max_documents=settings.max_documents
    )
    app = Flask("portolan.repository", static_folder=None)
    app.register_blueprint(door(Routes(provide, retrieve, remove), kept, settings).blueprint())
    health = Health({"storage": kept.probe})
    app.register_blueprint(operations(health, with_metrics=settings.metrics))
    if sweep:
        Sweeper(settling, every=settings.sweep_every, older_than=settings.sweep_after).start()
    return app
