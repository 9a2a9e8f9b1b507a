"""The process that listens for patient feeds beside the Registry's workers."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import signal
import socket
import ssl
import time
from typing import Final

from common.db import open_database
from common.mllp import Listening, MllpServer
from common.observe.logging import configure
from common.observe.workers import DIRECTORY
from common.settings import Settings
from common.settings_types import split_bind
from console.failure import HOPELESS, Failure
from console.serving.parent import end_with_parent
from registry.store import schema

log = logging.getLogger("portolan.feeds")

_SCHEMA_SECONDS: Final = 120.0
_STOP_SECONDS: Final = 20.0
_TICK: Final = 0.05
_AT_ONCE: Final = 1.0
_PAUSE: Final = 0.5


def run(settings: Settings, listen_fd: int | None = None) -> None:
    """Serve feeds until SIGTERM; Failure when they cannot be served.

    This process prepares and looks after one that serves: when that dies, another is there at once. ``listen_fd`` is a
    socket that listens already: whoever connects before the first worker is there, or between two, waits there.
    """
    listener = socket.socket(fileno=listen_fd) if listen_fd is not None else None
    configure(settings.log_level, settings.log_format, "registry")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # The Registry shows the metrics of this process with those of its workers.
    os.environ[DIRECTORY] = str(settings.data / "metrics" / "registry")
    (settings.data / "metrics" / "registry").mkdir(parents=True, exist_ok=True)
    importlib.import_module("registry.app")
    _await_schema(settings)
    _see_that_tls_works(settings)
    _Keeper(settings, listener).run()


class _Keeper:
    """Keeps one worker; without threads, since it forks."""

    def __init__(self, settings: Settings, listener: socket.socket | None) -> None:
        self._settings = settings
        self._listener = listener
        self._parent = os.getppid()
        self._stopping = False
        self._worker = 0

    def run(self) -> None:
        """Until told to stop, or the supervisor is gone."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())
        while not self._stopping:
            began = time.monotonic()
            self._fork()
            code = self._wait()
            if self._stopping:
                return
            if code == HOPELESS:
                raise SystemExit(HOPELESS)
            log.warning("the listener for patient feeds ended and is started again")
            if time.monotonic() - began < _AT_ONCE:
                time.sleep(_PAUSE)

    def _stop(self) -> None:
        self._stopping = True
        if self._worker:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._worker, signal.SIGTERM)

    def _fork(self) -> None:
        self._worker = os.fork()
        if self._worker == 0:
            code = 1
            try:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.SIG_DFL)
                end_with_parent()
                code = _work(self._settings, self._listener)
            except Exception:
                log.exception("the listener for patient feeds broke down")
            finally:
                os._exit(code)
        if self._stopping:  # told while there was no worker yet
            self._stop()

    def _wait(self) -> int:
        """The worker's exit code."""
        while True:
            ended, status = os.waitpid(self._worker, os.WNOHANG)
            if ended:
                self._worker = 0
                return os.waitstatus_to_exitcode(status)
            if os.getppid() != self._parent:
                self._stop()
            time.sleep(_TICK)


def _work(settings: Settings, listener: socket.socket | None) -> int:
    """Serve in this process; its exit code."""
    from registry.app import create_feed, open_store

    database = open_store(settings)
    feed = create_feed(settings, database)
    try:
        asyncio.run(_serve(MllpServer(listening(settings), feed.answer), listener))
    except OSError as error:
        log.error("patient feeds cannot be served on %s: %s", settings.registry_mllp_bind, error.strerror)
        return 1
    finally:
        database.close()
    return 0


def _see_that_tls_works(settings: Settings) -> None:
    """Failure for certificates that cannot be used."""
    try:
        listening(settings).tls()
    except (OSError, ssl.SSLError) as error:
        told = f"Patient feeds cannot be served over TLS: {error.strerror or error}."
        raise Failure(told, "See PORTOLAN_MLLP_TLS_CERTIFICATE, …_KEY and …_CLIENT_CA.", code=HOPELESS) from error


def listening(settings: Settings) -> Listening:
    """Where and how to listen, as the settings say."""
    host, port = split_bind(settings.registry_mllp_bind)
    return Listening(
        host=host,
        port=port,
        max_bytes=settings.mllp_max_bytes,
        max_connections=settings.mllp_max_connections,
        idle=settings.mllp_idle_timeout,
        message=settings.mllp_message_timeout,
        threads=settings.mllp_threads,
        certificate=settings.mllp_tls_certificate,
        key=settings.mllp_tls_key,
        client_ca=settings.mllp_tls_client_ca,
    )


def _await_schema(settings: Settings) -> None:
    """The Registry's own process migrates; this one waits until that is done."""
    database = open_database(settings.database_url, pool=1, wait=settings.database_wait)
    until = time.monotonic() + _SCHEMA_SECONDS
    while time.monotonic() < until:
        try:
            if schema.current(database) == schema.newest():
                database.close()
                return
        except Exception as error:  # the database may not be there yet
            log.info("waiting for the database: %s", type(error).__name__)
        time.sleep(0.1)
    raise Failure("The database's schema is not that of this release.", "Run `portolan migrate`.")


async def _serve(server: MllpServer, listener: socket.socket | None) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await server.start(listener)
    log.info("listening for patient feeds")
    await stop.wait()
    await server.stop(_STOP_SECONDS)
