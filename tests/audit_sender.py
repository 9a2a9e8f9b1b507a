"""A stub of whoever sends audit records: syslog over TLS, and the end of a connection as the proof of its arrival.

TLS is done in memory here: the end of an ``ssl.SSLSocket`` takes an alert, such as that our certificate is refused,
for the close_notify that is waited for, and would prove what never arrived.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

from common.tls import Files, Role
from common.tls.contexts import made
from tests.unit.auditing.kit import framed

_PIECE = 64 * 1024


class Sender:
    """A connection; over TLS with a certificate or an authority, else plain."""

    def __init__(self, port: int, certificate: Path | None = None, trust: str = "", seconds: float = 20.0) -> None:
        """OSError."""
        self.socket = socket.create_connection(("127.0.0.1", port), seconds)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        if certificate is not None or trust:
            files = Files(str(certificate) if certificate else "", "", trust, check_names=False)
            self._tls = made(files, Role.CLIENT).wrap_bio(self._in, self._out)
            try:
                while self._wants(self._tls.do_handshake):
                    self._hear()
                self._say()
            except OSError:
                self.socket.close()
                raise

    def _wants(self, call: object) -> bool:
        """Whether a step of TLS waits for the other side."""
        try:
            call()  # type: ignore[operator]
        except ssl.SSLWantReadError:
            self._say()
            return True
        return False

    def _say(self) -> None:
        self.socket.sendall(self._out.read())

    def _hear(self) -> None:
        data = self.socket.recv(_PIECE)
        if not data:
            raise ConnectionError("it was cut")
        self._in.write(data)

    def send(self, data: bytes) -> None:
        """OSError."""
        try:
            if self._tls is None:
                self.socket.sendall(data)
                return
            self._tls.write(data)
            self._say()
        except OSError:
            self.socket.close()
            raise

    def end(self) -> bool:
        """Say that it was all; whether the other side says that it has it."""
        try:
            if self._tls is None:
                self.socket.shutdown(socket.SHUT_WR)
                return self.socket.recv(1) == b""
            self._wants(self._tls.unwrap)
            while True:
                try:
                    return self._tls.read(1) == b""
                except ssl.SSLZeroReturnError:
                    return True
                except ssl.SSLWantReadError:
                    self._hear()
        except OSError:
            return False
        finally:
            self.socket.close()


def send(port: int, messages: Sequence[bytes], certificate: Path | None = None, trust: str = "") -> bool:
    """Send them, and say whether they arrived."""
    try:
        sender = Sender(port, certificate, trust)
        sender.send(b"".join(map(framed, messages)))
    except OSError:
        return False
    return sender.end()
