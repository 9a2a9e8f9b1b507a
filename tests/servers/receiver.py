"""A receiver of asynchronous answers: a real HTTP server, well or badly behaved as a test wants it."""

from __future__ import annotations

import hashlib
import http.server
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import requests

from tests.wire import NS, Answer, answer

KEPT = 64 * 2**20


@dataclass
class Received:
    """One POST: its body where it was small, else only how long it was and its SHA-1."""

    path: str
    headers: dict[str, str]
    body: bytes
    length: int
    sha1: str

    @property
    def answer(self) -> Answer:
        """Taken apart."""
        response = requests.Response()
        response.status_code = 200
        response.headers.update(self.headers)
        response._content = self.body
        return answer(response)

    def header(self, name: str) -> str:
        """The text of a header block of WS-Addressing."""
        return str(self.answer.root.findtext(f"s:Header/wsa:{name}", "", NS))


@dataclass
class Receiver:
    """Takes POSTs; each is dealt with by the next of ``acts``, and when there are none left with 202.

    An act is a status, ``reset`` (read, and the connection is cut), ``deaf`` (nothing is read and nothing
    said), ``silent`` (read, and nothing said), ``early`` (202 at once, nothing read), or ``redirect``.
    """

    port: int = 0
    acts: list[int | str] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    asked: int = 0
    hold: float = 20.0
    server: http.server.ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/answers"

    def start(self) -> None:
        """Listen, on the same port as before where it listened before."""
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                with suppress(ConnectionError, TimeoutError):
                    outer.deal(self)

            def log_message(self, *_: object) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def deal(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """One POST."""
        self.asked += 1
        act = self.acts.pop(0) if self.acts else 202
        if act == "deaf":
            time.sleep(self.hold)
            return
        found = Received(handler.path, dict(handler.headers), b"", 0, "") if act == "early" else _read(handler)
        if act == "reset":
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True
            return
        if act == "silent":
            time.sleep(self.hold)
            return
        status = act if isinstance(act, int) else 307 if act == "redirect" else 202
        if status in (200, 202, 204) and act != "early":
            self.received.append(found)
        handler.send_response(status)
        if act == "redirect":
            handler.send_header("Location", f"http://127.0.0.1:{self.port}/elsewhere")
        handler.send_header("Content-Length", "0")
        if act == "early":
            handler.send_header("Connection", "close")
            handler.close_connection = True
        handler.end_headers()

    def stop(self) -> None:
        """Listen no more."""
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def wait(self, count: int = 1, seconds: float = 20) -> list[Received]:
        """What came, once there are so many."""
        until = time.monotonic() + seconds
        while len(self.received) < count and time.monotonic() < until:
            time.sleep(0.01)
        assert len(self.received) >= count, f"{len(self.received)} of {count} answers came, {self.asked} were tried"
        return self.received

    def wait_asked(self, count: int, seconds: float = 20) -> None:
        """Until there were so many attempts."""
        until = time.monotonic() + seconds
        while self.asked < count and time.monotonic() < until:
            time.sleep(0.01)
        assert self.asked >= count


def _read(handler: http.server.BaseHTTPRequestHandler) -> Received:
    left = int(handler.headers["Content-Length"])
    sha1, kept, total = hashlib.sha1(), [], 0
    while left > 0:
        piece = handler.rfile.read(min(left, 256 * 1024))
        if not piece:
            raise ConnectionError("cut short")
        left -= len(piece)
        total += len(piece)
        sha1.update(piece)
        if total <= KEPT:
            kept.append(piece)
    body = b"".join(kept) if total <= KEPT else b""
    return Received(handler.path, dict(handler.headers), body, total, sha1.hexdigest())


@contextmanager
def a_receiver(*acts: int | str, hold: float = 20.0) -> Iterator[Receiver]:
    """A running receiver."""
    made = Receiver(acts=list(acts), hold=hold)
    made.start()
    try:
        yield made
    finally:
        made.stop()
