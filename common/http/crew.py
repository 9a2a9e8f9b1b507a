"""The processes of a service: a parent that listens and keeps as many workers alive as were wanted."""

from __future__ import annotations

import gc
import logging
import mmap
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn

from common.http.exchange import PLAIN, Wsgi
from common.http.limits import Limits
from common.http.server import Server
from common.http.sharing import Share
from common.tls import Renewed

log = logging.getLogger("portolan.http")

BACKLOG: Final = 1024
WATCHED: Final = ("/live", "/ready", "/metrics")
_TICK: Final = 0.1
_LOOK_EVERY: Final = 0.5
_MOST_FAILURES: Final = 5
_EARLY: Final = 5.0


class CannotServe(Exception):  # noqa: N818
    """The workers end as soon as they are started, or the address cannot be listened on."""


@dataclass(slots=True)
class _Worker:
    pid: int
    number: int
    began: float


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; CannotServe."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise CannotServe(error.strerror or str(error)) from error
    return sock


@dataclass(frozen=True, slots=True)
class Place:
    """An address to listen at, with TLS or without; at one for ``watchers`` only their paths are answered."""

    host: str
    port: int
    tls: Renewed | None = None
    watchers: bool = False


@dataclass(frozen=True, slots=True)
class _Listening:
    socket: socket.socket
    place: Place

    def server(self, wsgi: Wsgi, limits: Limits, share: Share) -> Server:
        """What serves it in one worker."""
        if self.place.watchers:
            return Server(for_watchers(wsgi), self.socket, replace(limits, threads=1), tls=self.place.tls)
        return Server(wsgi, self.socket, limits, share, self.place.tls)


def serve(
    make: Callable[[], Wsgi], places: Sequence[Place], *, workers: int, limits: Limits, stop_seconds: float
) -> None:
    """Serve until SIGTERM or SIGINT; ``make`` is called in each worker. CannotServe."""
    listening = [_Listening(listen(place.host, place.port), place) for place in places]
    counts = mmap.mmap(-1, max(4 * workers, mmap.PAGESIZE))
    parent = _Parent(make, listening, workers, limits, stop_seconds, counts)
    parent.run()


def for_watchers(wsgi: Wsgi) -> Wsgi:
    """An application of which no more can be seen than those who run it look at."""

    def watched(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] in WATCHED and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return wsgi(environ, start_response)
        start_response("404 Not Found", [PLAIN, ("Content-Length", "0")])
        return []

    return watched


class _Parent:
    def __init__(
        self,
        make: Callable[[], Wsgi],
        listening: Sequence[_Listening],
        workers: int,
        limits: Limits,
        stop_seconds: float,
        counts: Any,
    ) -> None:
        self._make, self._listening, self._limits = make, listening, limits
        self._size, self._stop_seconds, self._counts = workers, stop_seconds, counts
        self._workers: list[_Worker] = []
        self._failures = 0
        self._stopping = False

    def run(self) -> None:
        for wanted in (signal.SIGTERM, signal.SIGINT):
            signal.signal(wanted, self._asked_to_stop)
        for number in range(self._size):
            self._start(number)
        while not self._stopping:
            time.sleep(_TICK)
            for worker in [each for each in self._workers if _has_ended(each)]:
                self._ended(worker)
        self._stop()

    def _asked_to_stop(self, *_: object) -> None:
        self._stopping = True

    def _start(self, number: int) -> None:
        pid = os.fork()
        if pid == 0:
            self._work(number)
        self._workers.append(_Worker(pid, number, time.monotonic()))

    def _work(self, number: int) -> NoReturn:
        """A worker's life; it never returns to what the parent was doing."""
        code = 1
        try:
            work(self._make, self._listening, self._limits, Share(self._size, number, self._counts), self._stop_seconds)
            code = 0
        except BaseException:
            log.exception("a worker cannot serve")
        finally:
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _ended(self, worker: _Worker) -> None:
        """Replace a worker, at once if it had served for a while."""
        self._workers.remove(worker)
        early = time.monotonic() - worker.began < _EARLY
        self._failures = self._failures + 1 if early else 0
        if self._failures >= _MOST_FAILURES * self._size:
            self._stop()
            raise CannotServe("its workers end as soon as they are started")
        log.warning("a worker ended; another takes its place")
        if early:
            time.sleep(_TICK)
        Share(self._size, worker.number, self._counts).count(0)
        if not self._stopping:
            self._start(worker.number)

    def _stop(self) -> None:
        for each in self._listening:
            each.socket.close()
        for worker in self._workers:
            _signal(worker, signal.SIGTERM)
        until = time.monotonic() + self._stop_seconds
        while self._workers and time.monotonic() < until:
            self._workers = [each for each in self._workers if not _has_ended(each)]
            time.sleep(0.02)
        for worker in self._workers:
            _signal(worker, signal.SIGKILL)


def _has_ended(worker: _Worker) -> bool:
    try:
        return os.waitpid(worker.pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True


def _signal(worker: _Worker, number: int) -> None:
    try:
        os.kill(worker.pid, number)
    except ProcessLookupError:
        return


def work(
    make: Callable[[], Wsgi], listening: Sequence[_Listening], limits: Limits, share: Share, stop_seconds: float
) -> None:
    """Serve in this process until SIGTERM."""
    asked_to_stop = False

    def stop(*_: object) -> None:
        nonlocal asked_to_stop
        asked_to_stop = True

    waker, woken = socket.socketpair()
    woken.setblocking(False)
    signal.set_wakeup_fd(woken.fileno())  # so that the wait below ends with a signal
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    wsgi = make()
    servers = [each.server(wsgi, limits, share) for each in listening]
    # What is there now stays for good: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    for server in servers:
        server.start()
    while not asked_to_stop:
        select.select([waker], [], [], _LOOK_EVERY)
        for server in servers:
            server.look_after()
    # The first is the service itself; watchers are told of it to the end.
    for server in servers:
        server.stop(stop_seconds)
