"""Whoever answers at an address with a certificate that is not right for it, and what they get to hear."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from pathlib import Path


class Impostor:
    """Listens until it is closed; ``heard`` is what was said to it once TLS was agreed on."""

    def __init__(self, certificate: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}/registry"
        self.connections, self.heard = 0, b""
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with contextlib.suppress(OSError), self._context.wrap_socket(sock, server_side=True) as connection:
                connection.settimeout(5)
                self.heard += connection.recv(1 << 16)

    def close(self) -> None:
        """Listen no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)
