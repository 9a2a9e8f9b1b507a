"""Runs a WSGI application behind granian's RSGI, so that slow senders and readers hold up nobody.

A message of ordinary size is taken in by the event loop and only then given to a thread: hundreds of
connections that drip cost some memory and no thread, and are dropped when their time is up. Larger bodies
stream to the thread, and large answers from it, each step within its time.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO
from queue import SimpleQueue
from typing import Any, Final

from common.web.streaming import IncomingBody, Pump, Silence, send_stream

log = logging.getLogger("portolan.serving")

SMALL: Final = 256 * 1024
"""Bodies up to this size (bytes) are taken in whole before a thread is engaged."""
SLOWEST: Final = 16 * 1024
"""Bytes a second that a sender of a small body has to reach."""
_LOOK_EVERY: Final = 0.5
WHOLE: Final = 1024 * 1024
"""Answers up to this size (bytes) are sent at once."""

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


@dataclass(slots=True)
class _Job:
    """A request that waits for a thread, and what wakes the event loop when it has been served."""

    environ: Environ
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[_Served]
    send_file: Callable[[int, Headers, str], None]
    begun: bool = False


@dataclass(slots=True)
class _Served:
    """An answer to be sent by the loop; one without a body was streamed already."""

    status: int
    headers: Headers
    body: bytes | None


class Application:
    """An RSGI application around a WSGI one."""

    def __init__(self, wsgi: Wsgi, *, threads: int, idle: float, total: float, waiting: int = 512) -> None:
        """``idle`` and ``total`` in seconds; more than ``waiting`` requests in the queue are refused with 503."""
        self._wsgi = wsgi
        self._threads, self._most_waiting = threads, waiting
        self._idle, self._total = idle, total
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._arriving: dict[asyncio.Task[Any], float] = {}

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called by each worker before it serves: start its threads."""
        # The loop and the threads take turns at the interpreter; at the usual 5 ms the loop waits too long.
        sys.setswitchinterval(0.0005)
        loop.call_later(_LOOK_EVERY, self._drop_late, loop)
        for number in range(self._threads):
            threading.Thread(target=self._serve, name=f"serve-{number}", daemon=True).start()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """One request."""
        if self._jobs.qsize() > self._most_waiting:
            protocol.response_str(503, [("retry-after", "2"), ("connection", "close")], "busy: try again\n")
            return
        environ = _environ(scope)
        length = environ.get("CONTENT_LENGTH", "")
        pump: Pump | None = None
        if length.isdigit() and int(length) <= SMALL:
            body = await self._small(protocol, int(length))
            if body is None:
                protocol.response_str(408, [("connection", "close")], "the message did not arrive in time\n")
                return
            environ["wsgi.input"] = BytesIO(body)
        elif length or "HTTP_TRANSFER_ENCODING" in environ:
            incoming = IncomingBody(asyncio.get_running_loop(), self._idle)
            pump = Pump(protocol, incoming, idle=self._idle, total=self._total)
            environ["wsgi.input"] = incoming
        await self._answer(environ, protocol, pump)

    async def _small(self, protocol: Any, length: int) -> bytes | None:
        """A body that is read at once; ``None`` when it does not come in time."""
        if not length:
            return b""
        task = asyncio.current_task()
        assert task is not None
        self._arriving[task] = time.monotonic() + self._idle + length / SLOWEST
        try:
            body: bytes = await protocol()
        except asyncio.CancelledError:
            if task in self._arriving:
                raise
            return None
        except Exception:
            return b""  # cut short: whoever reads counts the bytes
        finally:
            self._arriving.pop(task, None)
        return body

    def _drop_late(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cancel what should have arrived by now. One look now and then is cheaper than a timer for each."""
        now = time.monotonic()
        for task, until in list(self._arriving.items()):
            if until < now:
                del self._arriving[task]
                task.cancel()
        loop.call_later(_LOOK_EVERY, self._drop_late, loop)

    async def _answer(self, environ: Environ, protocol: Any, pump: Pump | None) -> None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[_Served] = loop.create_future()
        self._jobs.put(_Job(environ, loop, done, protocol.response_file))
        try:
            served = await done
        finally:
            if pump is not None:
                pump.stop()
        if served.body is not None:
            protocol.response_bytes(served.status, served.headers, served.body)

    def _serve(self) -> None:
        """A thread's life: serve one request after the other."""
        while True:
            job = self._jobs.get()
            try:
                served = self._served(job)
            except Silence:
                served = _BROKEN_OFF
            except Exception:
                log.exception("an answer broke off")
                served = _BROKEN_OFF if job.begun else _BROKEN_DOWN
            job.loop.call_soon_threadsafe(_finish, job.done, served)
            del job  # or it would keep its documents open until the next one comes

    def _served(self, job: _Job) -> _Served:
        head: list[Any] = []

        def start_response(status: str, headers: Headers, exc_info: Any = None) -> None:
            head[:] = [int(status[:3]), [(name.lower(), value) for name, value in headers]]

        body = self._wsgi(job.environ, start_response)
        try:
            length = next((int(value) for name, value in head[1] if name == "content-length"), 0)
            if length <= WHOLE:
                return _Served(head[0], head[1], b"".join(body))

            def begin(path: str) -> None:
                job.begun = True
                job.loop.call_soon_threadsafe(job.send_file, head[0], head[1], path)

            send_stream(begin, body, self._idle)
            return _Served(head[0], head[1], None)
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                close()


def _finish(done: asyncio.Future[_Served], served: _Served) -> None:
    if not done.done():
        done.set_result(served)


_BROKEN_OFF: Final = _Served(0, [], None)
_BROKEN_DOWN: Final = _Served(500, [("content-type", "text/plain"), ("connection", "close")], b"the service failed\n")

_BASE: Final[Environ] = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
    "wsgi.input": BytesIO(),
}


def _environ(scope: Any) -> Environ:
    """A request's head as PEP 3333 has it."""
    name, _, port = scope.server.rpartition(":")
    environ = {
        **_BASE,
        "REQUEST_METHOD": scope.method,
        "PATH_INFO": scope.path,
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": name,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0],
        "wsgi.url_scheme": scope.scheme,
    }
    for field, value in scope.headers.items():
        if field == "content-type":
            environ["CONTENT_TYPE"] = value
        elif field == "content-length":
            environ["CONTENT_LENGTH"] = value
        elif "_" not in field:  # else a_b and a-b would become one
            key = "HTTP_" + field.upper().replace("-", "_")
            environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ
