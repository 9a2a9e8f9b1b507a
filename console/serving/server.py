"""One service's server: prepares what its workers need, then has them run."""

from __future__ import annotations

import importlib
import logging
import os
import signal
from typing import Final

from common.http.crew import CannotServe, Place, serve
from common.http.limits import Limits
from common.observe import workers
from common.observe.logging import configure
from common.settings import Settings
from common.settings_types import split_bind
from common.tls import Unusable, allowed_of, of_server
from console.failure import HOPELESS, Failure
from console.serving.observing import refusals, see_that_it_can
from console.serving.parent import end_with_parent
from console.serving.services import Service, shown_storage

STOP_SECONDS: Final = 25


def run(service: Service, settings: Settings, *, migrate: bool) -> None:
    """Serve until SIGTERM or SIGINT; Failure when it cannot be started."""
    # Handlers proper are set later; a process 1 would otherwise not be stopped while it prepares.
    # SystemExit will not do: raised in a callback of a weak reference or the like, it is swallowed.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    # A worker inherits its parent's handler, which only notes the signal, until it has set one of its own: told to
    # stop meanwhile, it would go on until it is killed.
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
    end_with_parent()
    _prepare(service, settings, migrate)
    make = getattr(importlib.import_module("console.wsgi"), service.name)
    # Imported here: it counts what it does, and metrics look for their directory when they are imported.
    auditing = importlib.import_module("console.serving.auditing")
    limits = Limits(
        service.threads(settings),
        idle=settings.idle_timeout,
        total=settings.request_timeout,
        refused=refusals(service.name),
        not_admitted=auditing.not_admitted,
    )
    places = _places(service, settings)
    try:
        with auditing.life(settings, service.name, service.url(settings)):
            serve(make, places, workers=settings.workers(service.name), limits=limits, stop_seconds=STOP_SECONDS)
    except CannotServe as error:
        raise Failure(f"The {service.name} cannot listen on {service.bind(settings)}: {error}.") from error


def _places(service: Service, settings: Settings) -> list[Place]:
    """Where it listens; Failure when the files of TLS cannot be used."""
    try:
        tls = of_server(settings.tls_files)
        allowed_of(settings.tls_files)
    except Unusable as error:
        raise Failure(f"TLS cannot be served: {error}.", "`portolan doctor` looks closer.", code=HOPELESS) from error
    host, port = service.host_and_port(settings)
    places = [Place(host, port, tls)]
    if (probes := service.probe_bind(settings)) != "off":
        places.append(Place(*split_bind(probes), watchers=True))
    return places


def _prepare(service: Service, settings: Settings, migrate: bool) -> None:
    configure(settings.log_level, settings.log_format, service.name)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    see_that_it_can(settings)
    try:
        workers.prepare(settings.data, service.name)
    except OSError as error:
        raise Failure(
            f"The data directory {settings.data} cannot be written: {error.strerror}.",
            "Give this user the right to, or name another one with PORTOLAN_DATA.",
            code=HOPELESS,
        ) from error
    if service.name == "registry":
        from console.database import ready_database

        ready_database(settings, migrate=migrate)
    elif service.name == "identity":
        from console.database import ready_identity_database

        ready_identity_database(settings, migrate=migrate)
    elif service.name == "audit":
        from console.database import ready_audit_database

        ready_audit_database(settings, migrate=migrate)
        _see_that_readers_can_be_known(settings)
    elif service.name == "repository":
        _open_storage(settings)
    if not settings.async_allowed(service.name).is_empty:
        from console.outbox import ready_outbox

        ready_outbox(settings, service.name, migrate=migrate)
    _see_that_callers_can_be_identified(service, settings)
    _see_that_there_is_an_access_policy(service, settings)
    # Imported before the workers are forked: a worker that replaces a dead one answers at once.
    importlib.import_module(f"{service.package}.app")


def _see_that_readers_can_be_known(settings: Settings) -> None:
    """Failure for files with which no worker of the audit record repository could start."""
    from auditing.admission import Admission, CannotAdmit
    from common.web.bearer import CannotAuthorise

    try:
        Admission.as_set(settings)
    except (CannotAdmit, CannotAuthorise) as error:
        raise Failure(f"Readers of the trail cannot be known: {error}.", "Correct that file.", code=HOPELESS) from error


def _see_that_callers_can_be_identified(service: Service, settings: Settings) -> None:
    """Failure for files with which no worker could start."""
    from common.web.callers import CannotIdentify, callers

    try:
        callers(settings, service.name, service.url(settings))
    except CannotIdentify as error:
        raise Failure(f"Callers cannot be identified: {error}.", "Correct that file.", code=HOPELESS) from error


def _see_that_there_is_an_access_policy(service: Service, settings: Settings) -> None:
    """Failure for a policy with which no worker could start."""
    from common.access import AccessPolicyError, load_access_policy
    from common.access.places import PlacesError, load_places

    try:
        load_access_policy(settings.access_policy)
        if settings.access_relationships_from_adt and service.name == "registry":
            load_places(settings.access_places)
    except AccessPolicyError as error:
        told = [f"The access policy cannot be used: {problem}." for problem in error.problems]
        raise Failure(*told, "Correct that file.", code=HOPELESS) from error
    except PlacesError as error:
        raise Failure(f"Relationships cannot be made of ADT: {error}.", "Correct that file.", code=HOPELESS) from error


def _open_storage(settings: Settings) -> None:
    """Failure for a place where documents cannot be kept; an S3 server that does not answer yet is waited for."""
    from repository.app import storage
    from repository.storage import StorageError

    try:
        storage(settings).close()
    except (StorageError, ValueError) as error:
        raise Failure(
            f"Documents cannot be kept in {shown_storage(settings)}: {error}.",
            "See that PORTOLAN_STORAGE is right and can be written; `portolan doctor` looks closer.",
        ) from error
