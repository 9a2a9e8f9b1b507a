"""The process that listens, beside a service's workers, for what does not come by HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Final

from common.db import Database
from common.mllp import Handler, Listening, MllpServer
from common.mllp.sender import SENDER
from common.observe import spans
from common.observe.logging import configure
from common.observe.workers import DIRECTORY
from common.settings import Settings
from common.settings_types import split_bind
from common.tls import Unusable, of_server
from console.failure import HOPELESS, Failure
from console.serving.observing import observe
from console.serving.parent import end_with_parent

if TYPE_CHECKING:
    from common.audit.auditor import Auditor
    from common.audit.parties import Asker
    from console.serving.auditing import Auditing

log = logging.getLogger("portolan.feeds")

_SCHEMA_SECONDS: Final = 120.0
_STOP_SECONDS: Final = 20.0
_TICK: Final = 0.05
_AT_ONCE: Final = 1.0
_PAUSE: Final = 0.5


@dataclass(frozen=True)
class Source:
    """Whose feeds: the service's name, the module that joins it and that of its schema, and where it listens."""

    service: str
    app: str
    schema: str
    bind: Callable[[Settings], str]
    what: str = "patient feeds"

    @property
    def name(self) -> str:
        """What the audit trail calls it."""
        return f"{self.service}-mllp"

    def url(self, settings: Settings) -> str:
        """Where it listens, as records have it."""
        return f"mllp://{self.bind(settings)}"

    def open_store(self, settings: Settings) -> Database:
        """The service's database."""
        opened: Database = importlib.import_module(self.app).open_store(settings)
        return opened

    def handler(self, settings: Settings, database: Database, auditor: Auditor | None = None) -> Handler:
        """What carries out a message."""
        feed = importlib.import_module(self.app).create_feed(settings, database, auditor)
        asker: Callable[[str, str], Asker] = importlib.import_module("common.audit.auditor").Asker

        def handle(message: bytes) -> bytes:
            sender = SENDER.get()
            who = asker(sender.address, sender.peer.subject if sender.peer is not None else "")
            answer: bytes = feed.answer(message, who)
            return answer

        return handle

    def is_ready(self, database: Database) -> bool:
        """Whether the database's schema is this release's."""
        schema = importlib.import_module(self.schema)
        return bool(schema.is_served(database))

    def threads(self, settings: Settings) -> int:
        """How much is carried out at once."""
        return settings.mllp_threads

    def see_that_it_can(self, settings: Settings) -> None:
        """Failure for certificates that cannot be used."""
        try:
            listening(self, settings)
        except Unusable as error:
            told = f"Patient feeds cannot be served over TLS: {error}."
            raise Failure(told, "See PORTOLAN_MLLP_TLS_…, and PORTOLAN_TLS_… without them.", code=HOPELESS) from error

    def serve(self, settings: Settings, database: Database, listener: socket.socket | None, auditing: Auditing) -> None:
        """Serve in this process until SIGTERM; OSError where it cannot listen."""
        handler = self.handler(settings, database, auditing.auditor)
        asyncio.run(_serve(MllpServer(listening(self, settings), handler), listener))


@dataclass(frozen=True)
class Trail(Source):
    """The audit record repository's listener for syslog."""

    what: str = "audit records"

    def threads(self, settings: Settings) -> int:
        """How many connections there may be, each of which has a thread."""
        return settings.audit_repository_max_connections

    def see_that_it_can(self, settings: Settings) -> None:
        """Failure for files that cannot be used, and where neither TLS nor doing without is set."""
        app = importlib.import_module(self.app)
        try:
            app.see_that_it_can_receive(settings)
        except app.CannotReceive as error:
            raise Failure(f"Audit records cannot be received: {error}.", code=HOPELESS) from error

    @property
    def name(self) -> str:
        """What the audit trail calls it."""
        return f"{self.service}-syslog"

    def url(self, settings: Settings) -> str:
        """Where it listens, as records have it."""
        return f"syslog://{self.bind(settings)}"

    def serve(
        self, settings: Settings, database: Database, listener: socket.socket | None, _auditing: Auditing
    ) -> None:
        """Receive until SIGTERM."""
        assert listener is not None  # its service is started first
        refused = importlib.import_module("console.serving.auditing").not_admitted
        receiver = importlib.import_module(self.app).create_receiver(settings, database, listener, refused)
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        receiver.start()
        log.info("listening for audit records")
        while not ended.wait(_AT_ONCE):
            pass
        receiver.stop(_STOP_SECONDS)


SOURCES: Final = {
    "registry-mllp": Source(
        "registry", "registry.app", "registry.store.schema", lambda settings: settings.registry_mllp_bind
    ),
    "identity-mllp": Source(
        "identity", "identity.app", "identity.store.schema", lambda settings: settings.identity_mllp_bind
    ),
    "audit-syslog": Trail(
        "audit", "auditing.app", "auditing.store.schema", lambda settings: settings.audit_repository_bind
    ),
}


def run(source: Source, settings: Settings, supervisor: int, listen_fd: int | None) -> None:
    """Serve until SIGTERM; Failure when it cannot be done.

    This process prepares and looks after one that serves: when that dies, another is there at once. ``listen_fd`` is a
    socket that listens already: whoever connects before the first worker is there, or between two, waits there.
    ``supervisor`` is the process that opened it: this one ends with it, even when it was gone before this had begun.
    """
    listener = socket.socket(fileno=listen_fd) if listen_fd is not None else None
    configure(settings.log_level, settings.log_format, source.service)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # The service shows the metrics of this process with those of its workers.
    metrics = settings.data / "metrics" / source.service
    os.environ[DIRECTORY] = str(metrics)
    metrics.mkdir(parents=True, exist_ok=True)
    importlib.import_module(source.app)
    auditing = _auditing()
    _await_schema(source, settings, supervisor)
    source.see_that_it_can(settings)
    with auditing.life(settings, source.name, source.url(settings)):
        _Keeper(source, settings, supervisor, listener).run()


def _auditing() -> ModuleType:
    """Imported late: it counts what it does, and metrics look for their directory when they are imported."""
    return importlib.import_module("console.serving.auditing")


class _Keeper:
    """Keeps one worker; without threads, since it forks."""

    def __init__(self, source: Source, settings: Settings, supervisor: int, listener: socket.socket | None) -> None:
        self._source = source
        self._settings = settings
        self._listener = listener
        self._supervisor = supervisor
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
            log.warning("the listener for %s ended and is started again", self._source.what)
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
                code = _work(self._source, self._settings, self._listener)
            except Exception:
                log.exception("the listener for %s broke down", self._source.what)
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
            if os.getppid() != self._supervisor:
                self._stop()
            time.sleep(_TICK)


def _work(source: Source, settings: Settings, listener: socket.socket | None) -> int:
    """Serve in this process; its exit code."""
    observe(source.service, settings, source.threads(settings))
    database = source.open_store(settings)
    auditing = _auditing().begin(settings, source.name, source.url(settings))
    try:
        source.serve(settings, database, listener, auditing)
    except OSError as error:
        log.error("%s cannot be served on %s: %s", source.what, source.bind(settings), error.strerror)
        return 1
    finally:
        database.close()
        auditing.end()
        spans.close()
    return 0


def listening(source: Source, settings: Settings) -> Listening:
    """Where and how to listen, as the settings say; Unusable."""
    host, port = split_bind(source.bind(settings))
    return Listening(
        host=host,
        port=port,
        max_bytes=settings.mllp_max_bytes,
        max_connections=settings.mllp_max_connections,
        idle=settings.mllp_idle_timeout,
        message=settings.mllp_message_timeout,
        threads=settings.mllp_threads,
        tls=of_server(settings.mllp_tls_files),
        not_admitted=_auditing().not_admitted,
    )


def _await_schema(source: Source, settings: Settings, supervisor: int) -> None:
    """The service's own process migrates; this one waits until that is done."""
    database = source.open_store(settings)
    until = time.monotonic() + _SCHEMA_SECONDS
    while time.monotonic() < until:
        if os.getppid() != supervisor:  # who is gone: what it listens with must not stay with this process
            raise SystemExit
        try:
            if source.is_ready(database):
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
