"""One service's server: prepares what its workers need, then has granian run them."""

from __future__ import annotations

import importlib
import logging
import os
import signal
from typing import Final

from granian.constants import HTTPModes, Interfaces
from granian.errors import ConfigurationError
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from common.observe import workers
from common.observe.logging import configure
from common.settings import Settings
from console.failure import HOPELESS, Failure
from console.serving.parent import end_with_parent
from console.serving.services import Service, shown_storage

STOP_SECONDS: Final = 25

# The log's own handler writes what granian has to say, in the form and place of all else.
_LOGGERS: Final = {"loggers": {"_granian": {"handlers": [], "propagate": True}, "granian.access": {"handlers": []}}}


def run(service: Service, settings: Settings, *, migrate: bool) -> None:
    """Serve until SIGTERM or SIGINT; Failure when it cannot be started."""
    # Granian sets its own handlers later; a process 1 would otherwise not be stopped while it prepares.
    # SystemExit will not do: raised in a callback of a weak reference or the like, it is swallowed.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    # A worker inherits granian's handler, which only notes the signal, until it has set one of its own: told to stop
    # meanwhile, it would go on until it is killed.
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
    end_with_parent()
    _prepare(service, settings, migrate)
    host, port = service.host_and_port(settings)
    try:
        _server(service, settings, host, port).serve()
    except (ConfigurationError, RuntimeError) as error:
        raise Failure(f"The {service.name} cannot listen on {service.bind(settings)}: {error}.") from error


def _prepare(service: Service, settings: Settings, migrate: bool) -> None:
    configure(settings.log_level, settings.log_format, service.name)
    logging.getLogger("alembic").setLevel(logging.WARNING)
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
    elif service.name == "repository":
        _open_storage(settings)
    if not settings.async_allowed(service.name).is_empty:
        from console.outbox import ready_outbox

        ready_outbox(settings, service.name, migrate=migrate)
    # Imported before the workers are forked: a worker that replaces a dead one answers at once.
    importlib.import_module(f"{service.name}.app")


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


def _server(service: Service, settings: Settings, host: str, port: int) -> MPServer:
    threads = service.threads(settings)
    guarded = settings.slow_clients == "guard"
    return MPServer(
        target=service.target,
        factory=True,
        interface=Interfaces.RSGI if guarded else Interfaces.WSGI,
        address=host,
        port=port,
        workers=settings.workers(service.name),
        blocking_threads=1 if guarded else threads,
        # Connections that are kept open without a request count as well: far more than there are threads.
        backpressure=4096 if guarded else max(256, 8 * threads),
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=round(settings.idle_timeout * 1000), keep_alive=True),
        websockets=False,
        log_level=LogLevels.error,
        log_dictconfig=_LOGGERS,
        respawn_failed_workers=True,
        respawn_interval=0.1,
        workers_kill_timeout=STOP_SECONDS,
    )
