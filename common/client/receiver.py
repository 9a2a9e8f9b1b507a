"""A listener for answers that are sent later: each request has an address of its own, which nobody can guess.

What comes is put aside in a spool, whole, and only then acknowledged; it is read by whoever waits for it.
"""

from __future__ import annotations

import http.server
import logging
import re
import secrets
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from common.client.errors import NoAnswer
from common.client.spool import Spool
from common.closing import Closing

log = logging.getLogger("portolan.receiver")

_PIECE: Final = 256 * 1024
_REMEMBERED: Final = 10_000
_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,12}")


class Arrived:
    """An answer that was put aside, read as if it came just now."""

    status = 200

    def __init__(self, content_type: str, spool: Spool) -> None:
        self.content_type = content_type
        self._spool = spool
        self._chunks = spool.chunks()

    def read(self) -> bytes:
        """The next piece, nothing at the end."""
        return next(self._chunks, b"")

    def close(self) -> None:
        """Forget it."""
        self._spool.close()


class Expected:
    """One answer that is waited for at ``url``."""

    def __init__(self, url: str, patience: float) -> None:
        self.url = url
        self._patience = patience
        self._came = threading.Event()
        self._lock = threading.Lock()
        self._arrived: Arrived | None = None

    def take(self, arrived: Arrived) -> None:
        """From the listener; of answers that come twice the first counts."""
        with self._lock:
            if self._came.is_set():
                arrived.close()
                return
            self._arrived = arrived
            self._came.set()

    def wait(self) -> Arrived:
        """The answer, which the caller closes; NoAnswer when it does not come in time."""
        if not self._came.wait(self._patience):
            raise NoAnswer(f"no answer came within {self._patience:g} seconds")
        with self._lock:
            arrived, self._arrived = self._arrived, None
        if arrived is None:
            raise NoAnswer("the answer was read already")
        return arrived

    def close(self) -> None:
        """Wait no more."""
        with self._lock:
            self._came.set()
            if self._arrived is not None:
                self._arrived.close()
                self._arrived = None


class AsyncReceiver(Closing):
    """Listens for answers; hand it to a DocumentConsumer or DocumentSource, which then asks asynchronously."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        url: str | None = None,
        patience: float = 600.0,
        max_bytes: int = 8 * 2**30,
        idle_timeout: float = 30.0,
        total_timeout: float = 3600.0,
        connections: int = 32,
    ) -> None:
        """Listen on host and port, 0 for any that is free; ``url`` is the address that others reach it at.

        ``patience``: seconds until an answer counts as not coming. ``max_bytes`` is for one answer, the two timeouts
        (seconds) are for its silences and the whole of it, ``connections`` are served at a time.
        """
        self._patience, self.max_bytes = patience, max_bytes
        self.idle_timeout, self.total_timeout = idle_timeout, total_timeout
        self._waiting: dict[str, Expected] = {}
        self._past: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()
        self._server = _Server((host, port), self, connections)
        self._base = (url or f"http://{host}:{self._server.server_address[1]}/answers").rstrip("/")
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True, name="receiver")
        self._thread.start()

    @contextmanager
    def expecting(self) -> Iterator[Expected]:
        """An address for one answer, which is listened at within the block."""
        token = secrets.token_urlsafe(24)
        expected = Expected(f"{self._base}/{token}", self._patience)
        with self._lock:
            self._waiting[token] = expected
        try:
            yield expected
        finally:
            with self._lock:
                del self._waiting[token]
                self._past[token] = None
                while len(self._past) > _REMEMBERED:
                    self._past.popitem(last=False)
            expected.close()

    def expected_at(self, path: str) -> Expected | None:
        """Who waits for what comes to a path."""
        with self._lock:
            return self._waiting.get(path.rpartition("/")[2])

    def is_past(self, path: str) -> bool:
        """Whether what comes to a path was waited for once: it has come before, or nobody wants it any more."""
        with self._lock:
            return path.rpartition("/")[2] in self._past

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Refused(Exception):  # noqa: N818
    """What came is not taken, with this HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], receiver: AsyncReceiver, connections: int) -> None:
        self.receiver = receiver
        self._room = threading.Semaphore(connections)
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own; one too many is closed, and its sender comes again."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Give the room back in the end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that goes away is no error of ours."""
        log.debug("a connection broke")


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def setup(self) -> None:
        """With the silence that is allowed."""
        super().setup()
        self.connection.settimeout(self.server.receiver.idle_timeout)

    def do_POST(self) -> None:
        """One answer."""
        receiver = self.server.receiver
        expected = receiver.expected_at(self.path)
        if expected is None:
            self._say(202 if receiver.is_past(self.path) else 404)
            return
        spool = Spool()
        try:
            for piece in self._pieces(receiver):
                spool.write(piece)
        except _Refused as refused:
            spool.close()
            self._say(refused.status)
        except OSError:
            spool.close()
            with suppress(OSError):
                self._say(408)
        else:
            expected.take(Arrived(self.headers.get("Content-Type", ""), spool))
            self._say(202)

    def _pieces(self, receiver: AsyncReceiver) -> Iterator[bytes]:
        """The body, bounded in size and time."""
        until, total = time.monotonic() + receiver.total_timeout, 0
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "").lower()
        for piece in self._chunked() if chunked else self._counted(receiver.max_bytes):
            total += len(piece)
            if total > receiver.max_bytes:
                raise _Refused(413)
            if time.monotonic() > until:
                raise _Refused(408)
            yield piece

    def _counted(self, most: int) -> Iterator[bytes]:
        told = self.headers.get("Content-Length", "")
        if not (told.isascii() and told.isdigit()):
            raise _Refused(411)
        left = int(told)
        if left > most:
            raise _Refused(413)
        while left:
            piece = self.rfile.read1(min(left, _PIECE))
            if not piece:
                raise _Refused(400)
            left -= len(piece)
            yield piece

    def _chunked(self) -> Iterator[bytes]:
        while left := self._chunk_size():
            while left:
                piece = self.rfile.read1(min(left, _PIECE))
                if not piece:
                    raise _Refused(400)
                left -= len(piece)
                yield piece
            if self.rfile.readline(3) not in (b"\r\n", b"\n"):
                raise _Refused(400)
        for _ in range(32):
            if self.rfile.readline(8192) in (b"\r\n", b"\n", b""):
                return
        raise _Refused(400)

    def _chunk_size(self) -> int:
        told = self.rfile.readline(1024).partition(b";")[0].strip()
        if not _SIZE.fullmatch(told):
            raise _Refused(400)
        return int(told, 16)

    def _say(self, status: int) -> None:
        self.close_connection = True
        self.send_response_only(status)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: paths are secrets."""
