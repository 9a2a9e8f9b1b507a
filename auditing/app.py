"""The audit record repository: its receiver, and what answers by HTTP; this file only joins."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

from flask import Flask

from auditing.admission import Admission
from auditing.chain import BadKey, Signer
from auditing.checkpointing import Checkpointer, Pace
from auditing.receiving.keeping import Keeper
from auditing.receiving.listening import Bounds, Listener
from auditing.receiving.receiver import Receiver
from auditing.routes import Routes, secure, serve
from auditing.store.records import append
from auditing.verified import watch
from common.db import Database, open_database
from common.followed import Followed
from common.observe import metrics
from common.observe.health import Health
from common.settings import Settings
from common.settings_types import split_bind
from common.soap.destination import is_loopback
from common.tls import Unusable, allowed_of, of_server
from common.web.operations import operations

log = logging.getLogger("portolan.auditing")


class CannotReceive(Exception):  # noqa: N818
    """Why records cannot be received as settings are."""


def open_store(settings: Settings) -> Database:
    """The trail's database."""
    return open_database(
        settings.audit_repository_database_url,
        pool=min(settings.audit_repository_threads, 8) + 2,
        wait=settings.database_wait,
    )


def the_signer(settings: Settings) -> Callable[[], Signer] | None:
    """What signs checkpoints, if anything does, as its file is; OSError, BadKey where that cannot be used at first."""
    if not settings.audit_repository_key:
        return None
    place = Path(settings.audit_repository_key)
    return Followed(
        "key of the audit trail", lambda: Signer.of_pem(place.read_bytes()), lambda: [place], (OSError, BadKey), log
    )


def the_checkpointer(settings: Settings, database: Database) -> Checkpointer | None:
    """What makes checkpoints, if there is a key; OSError, BadKey."""
    signer = the_signer(settings)
    if signer is None:
        return None
    pace = Pace(settings.audit_repository_checkpoint_records, settings.audit_repository_checkpoint_every)
    file = Path(settings.audit_repository_checkpoints) if settings.audit_repository_checkpoints else None
    return Checkpointer(database, signer, pace, file)


def see_that_it_can_receive(settings: Settings) -> None:
    """CannotReceive."""
    host, _ = split_bind(settings.audit_repository_bind)
    if not settings.tls_certificate and not settings.audit_repository_plain:
        told = "neither tls_certificate is set, nor audit_repository_plain for plain TCP on this machine alone"
        raise CannotReceive(f"{told}; with audit_repository_bind `off` none are")
    if settings.tls_certificate and not settings.tls_trust and not is_loopback(host):
        raise CannotReceive("tls_trust is not set, and without it anybody could send any record")
    try:
        of_server(settings.tls_files)
        allowed_of(settings.tls_files)
        the_signer(settings)
    except Unusable as error:
        raise CannotReceive(str(error)) from error
    except OSError as error:
        raise CannotReceive(f"{settings.audit_repository_key}: {error.strerror}") from error
    except BadKey as error:
        raise CannotReceive(f"{settings.audit_repository_key}: {error}") from error


def create_receiver(
    settings: Settings,
    database: Database,
    listening: socket.socket,
    refused: Callable[[str, str], object] = lambda _address, _told: None,
) -> Receiver:
    """What receives, at a socket that listens; its database has to be migrated already.

    ``refused`` is called for each connection that is not admitted.
    """
    keeper = Keeper(partial(append, database), metrics.audit_records)
    bounds = Bounds(
        settings.audit_repository_max_bytes,
        settings.audit_repository_max_connections,
        settings.audit_repository_idle_timeout,
    )
    checkpointer = the_checkpointer(settings, database)
    if checkpointer is None:
        log.warning("there is no audit_repository_key: the trail has no checkpoints, and its end could be cut off")
    listener = Listener(listening, keeper, bounds, of_server(settings.tls_files), refused)
    return Receiver(listener, keeper, [checkpointer.start] if checkpointer else [])


def create_app(settings: Settings, database: Database | None = None) -> Flask:
    """What answers by HTTP; its database has to be migrated already."""
    store = database or open_store(settings)
    app = Flask("portolan.auditing", static_folder=None)
    app.register_blueprint(operations(Health({"database": store.ping}), with_metrics=settings.metrics))
    secure(app)
    admission = Admission.as_set(settings)
    if admission.is_possible:
        serve(app, Routes(settings, store, admission))
    else:
        log.warning("nobody may read the trail by HTTP: neither oauth is set, nor audit_repository_readers")
    watch(settings.data)
    return app
