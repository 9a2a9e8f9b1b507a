"""A connection over TLS whose end can be told from its failure.

``ssl.SSLSocket.unwrap`` returns as calmly when the other side sent an alert, such as that it refuses our certificate,
as when it sent its close_notify. So TLS works on memory here, and the end is read: only a close_notify reads as one.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Final

_PIECE: Final = 64 * 1024


class Sealed:
    """TLS over a connected socket, which keeps its own time-out; OSError where anything goes wrong."""

    def __init__(self, plain: socket.socket, context: ssl.SSLContext, name: str) -> None:
        """With the handshake, by which the other side shows that it is of this name."""
        self._plain = plain
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=name)
        while not self._done(self._tls.do_handshake):
            self._hear()

    def sendall(self, data: bytes) -> None:
        """All of it."""
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]
        self._say()

    def end(self) -> None:
        """Say that it was all, and return once the other side has said so too: then it has all of it."""
        if not self._done(self._tls.unwrap):
            while not self._has_ended():
                self._hear()
        self._say()

    def has_failed(self) -> bool:
        """Whether the other side has ended or refused the connection, by what has come of it; it waits for nothing."""
        try:
            self._hear()
            self._tls.read(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        return True

    def _has_ended(self) -> bool:
        try:
            return not self._tls.read(_PIECE)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLZeroReturnError:
            return True

    def _done(self, step: Callable[[], object]) -> bool:
        """Take a step of TLS; whether it is over, or waits for the other side."""
        try:
            step()
        except ssl.SSLWantReadError:
            return False
        finally:
            self._say()
        return True

    def _say(self) -> None:
        if self._out.pending:
            self._plain.sendall(self._out.read())

    def _hear(self) -> None:
        data = self._plain.recv(_PIECE)
        if not data:
            raise ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the connection was cut")
        self._in.write(data)
