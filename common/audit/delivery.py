"""Takes frames to one audit repository, and knows when they have arrived (RFC 5425).

Syslog acknowledges nothing. So what was sent counts as arrived only when the connection was closed cleanly by both:
we send close_notify, and the receiver answers with its own once it has kept everything. Whatever breaks a connection
before that has all of it sent again.
"""

from __future__ import annotations

import contextlib
import fcntl
import select
import socket
import ssl
import struct
import termios
import time
from collections.abc import Callable
from typing import Final

from common.audit.sealed import Sealed
from common.audit.segments import Destination
from common.tls import reason

_CONNECT_SECONDS: Final = 5.0
_SEND_SECONDS: Final = 30.0
_LOOK_EVERY: Final = 0.1


class NotArrived(Exception):  # noqa: N818
    """The connection could not be made, or broke; the text says how."""


class Connection:
    """One connection, from its opening to its clean end."""

    def __init__(self, destination: Destination, tls: Callable[[], ssl.SSLContext] | None) -> None:
        """Without ``tls`` over plain TCP. NotArrived."""
        self.opened = time.monotonic()
        self._sealed: Sealed | None = None
        try:
            made = socket.create_connection((destination.host, destination.port), timeout=_CONNECT_SECONDS)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise NotArrived(_told(error, "cannot be reached")) from error
        self._socket = made
        try:
            self._sealed = Sealed(made, tls(), destination.host) if tls else None
        except OSError as error:
            self.drop()
            raise NotArrived(_told(error, "cannot be reached")) from error
        made.settimeout(_SEND_SECONDS)

    def send(self, data: bytes) -> None:
        """NotArrived."""
        try:
            (self._sealed or self._socket).sendall(data)
        except OSError as error:
            self.drop()
            raise NotArrived(_told(error, "the connection broke")) from error

    def finish(self, quiet: float) -> None:
        """End, and return when all has arrived; NotArrived.

        With ``quiet`` seconds a receiver need not answer our end: what its system has taken, and what was followed by
        no sign of trouble for so long, counts as arrived.
        """
        try:
            if quiet:
                self._keep_quiet(quiet)
            elif self._sealed is not None:
                self._sealed.end()
            else:
                self._socket.shutdown(socket.SHUT_WR)
                if self._socket.recv(1):
                    raise NotArrived("the receiver speaks where it should only listen")
        except OSError as error:
            raise NotArrived(_told(error, "the receiver did not confirm")) from error
        finally:
            self.drop()

    def _keep_quiet(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        while time.monotonic() < until:
            if waiting.poll(int(_LOOK_EVERY * 1000)) and self._has_ended():
                raise NotArrived("the receiver ended the connection")
        if struct.unpack("i", fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]:
            raise NotArrived("the receiver did not take everything in time")

    def _has_ended(self) -> bool:
        """TLS may have something to say for itself that is no end."""
        self._socket.settimeout(0)
        try:
            return self._sealed.has_failed() if self._sealed is not None else not self._socket.recv(1)
        except BlockingIOError:
            return False
        finally:
            self._socket.settimeout(_SEND_SECONDS)

    def drop(self) -> None:
        """Close it, however it is."""
        with contextlib.suppress(OSError):
            self._socket.close()


def _told(error: OSError, otherwise: str) -> str:
    if isinstance(error, TimeoutError):
        return f"{otherwise}: no answer in time"
    if isinstance(error, ssl.SSLEOFError) or (isinstance(error, ssl.SSLError) and not error.reason):
        return f"{otherwise}: the connection was cut"
    if isinstance(error, ssl.SSLError):
        return f"{otherwise}: {reason(error)}"
    return f"{otherwise}: {error.strerror or type(error).__name__}"
