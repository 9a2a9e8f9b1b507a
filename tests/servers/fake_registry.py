"""A registry that is not one: records what it is sent, and passes it on or answers whatever a test wants."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

SOAP_KIND = "application/soap+xml; charset=UTF-8"
Respond = Callable[[BaseHTTPRequestHandler, bytes], None]


class FakeRegistry:
    """Listens on a free port; ``respond`` writes the answer by hand."""

    def __init__(self, respond: Respond) -> None:
        self.received: list[bytes] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                outer.received.append(data)
                try:
                    outer.respond(self, data)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self.respond = respond
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/registry"

    def __enter__(self) -> FakeRegistry:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def send(handler: BaseHTTPRequestHandler, data: bytes, status: int = 200, kind: str = SOAP_KIND) -> None:
    """One whole answer."""
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


def passing_on(url: str) -> Respond:
    """Hands everything to a real registry, and its answers back."""

    def respond(handler: BaseHTTPRequestHandler, data: bytes) -> None:
        headers = {
            name: value for name, value in handler.headers.items() if name.lower().startswith(("content-type", "x-"))
        }
        found = requests.post(url, data=data, headers=headers, timeout=30)
        send(handler, found.content, found.status_code, found.headers["Content-Type"])

    return respond
