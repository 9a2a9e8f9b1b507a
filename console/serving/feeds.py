"""The process that listens for patient feeds beside the Registry's workers."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import ssl
import time
from typing import Final

from common.db import Database
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


def run(settings: Settings) -> None:
    """Serve feeds until SIGTERM; Failure when they cannot be served."""
    configure(settings.log_level, settings.log_format, "registry")
    end_with_parent()
    # The Registry shows the metrics of this process with those of its workers.
    os.environ[DIRECTORY] = str(settings.data / "metrics" / "registry")
    (settings.data / "metrics" / "registry").mkdir(parents=True, exist_ok=True)
    from registry.app import create_feed, open_store

    database = open_store(settings)
    _await_schema(database)
    feed = create_feed(settings, database)
    try:
        asyncio.run(_serve(MllpServer(listening(settings), feed.answer)))
    except (OSError, ssl.SSLError) as error:
        told = f"Patient feeds cannot be served on {settings.registry_mllp_bind}: {error}."
        raise Failure(told, "See PORTOLAN_REGISTRY_MLLP_BIND and PORTOLAN_MLLP_TLS_…", code=HOPELESS) from error
    finally:
        database.close()


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


def _await_schema(database: Database) -> None:
    """The Registry's own process migrates; this one waits until that is done."""
    until = time.monotonic() + _SCHEMA_SECONDS
    while time.monotonic() < until:
        try:
            if schema.current(database) == schema.newest():
                return
        except Exception as error:  # the database may not be there yet
            log.info("waiting for the database: %s", type(error).__name__)
        time.sleep(0.1)
    raise Failure("The database's schema is not that of this release.", "Run `portolan migrate`.")


async def _serve(server: MllpServer) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await server.start()
    log.info("listening for patient feeds")
    await stop.wait()
    await server.stop(_STOP_SECONDS)
