"""A connection over TLS, which waits for no one either; who is at its other end is known once hands are shaken.

TLS works on memory, and the socket is read and written here: one call each for as many records as there are.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress

from common.http.connection import PIECE, Connection, Silence, State
from common.tls import Peer, Renewed, reason


class NotAdmitted(Exception):  # noqa: N818
    """Why a handshake came to nothing, in words for the log."""


class SecureConnection(Connection):
    """A ``Connection`` that speaks TLS."""

    __slots__ = ("_context", "_in", "_out", "_sealed", "_ssl", "_tls", "_unsent")

    def __init__(self, sock: socket.socket, peer: str, tls: Renewed) -> None:
        super().__init__(sock, peer)
        self._tls, self._context = tls, tls()
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = self._context.wrap_bio(self._in, self._out, server_side=True)
        self._sealed = memoryview(b"")
        self._unsent = b""
        self.state = State.SHAKING

    @property
    def is_secure(self) -> bool:
        """Whether nobody could read or change what came."""
        return True

    @property
    def is_outdated(self) -> bool:
        """Whether certificates or lists have changed since: what was decided then is to be decided again."""
        return self._tls() is not self._context

    def shake(self) -> int:
        """Go on with the handshake: what to wait for (EPOLLIN or EPOLLOUT), 0 when it is over.

        NotAdmitted; Silence where the other side has just gone, as those do who only look whether somebody listens.
        """
        while True:
            try:
                self._ssl.do_handshake()
            except ssl.SSLWantReadError:
                if not self._said():
                    return select.EPOLLOUT
                data = super().receive()
                if data is None:
                    return select.EPOLLIN
                if not data:
                    raise Silence from None
                self._in.write(data)
            except (OSError, ValueError) as error:
                with suppress(Silence):
                    self._said()  # the alert
                raise NotAdmitted(reason(error) if isinstance(error, OSError) else "the handshake failed") from error
            else:
                break
        self.identity = Peer.of(self._ssl)
        if self.identity is not None and self.identity not in self._tls.allowed:
            told = f"{self.identity.subject} (sha256:{self.identity.fingerprint}) is trusted, but not on the list"
            raise NotAdmitted(f"{told} of those who may connect")
        self._said()
        return 0

    def _said(self) -> bool:
        """Send what TLS itself has to say; whether all of it is on its way."""
        if self._out.pending:
            self._unsent += self._out.read()
        if self._unsent:
            self._unsent = bytes(super().send_some([self._unsent]))
        return not self._unsent

    def receive(self, most: int = PIECE) -> bytes | None:
        """What has arrived; ``None`` when nothing has, empty when the other side has ended."""
        pieces: list[bytes] = []
        size = 0
        while size < most:
            if not self._in.pending and not self._ssl.pending():
                if pieces:
                    break
                data = super().receive(most)
                if data is None:
                    return None
                if not data:
                    return b""
                self._in.write(data)
            try:
                piece = self._ssl.read(most - size)
            except ssl.SSLWantReadError:  # a record is not all there: what is of it, TLS has taken in
                continue
            except OSError:
                piece = b""
            if not piece:  # if anything came before the end, the end is met again by the next call
                return b"".join(pieces)
            pieces.append(piece)
            size += len(piece)
        if self._out.pending:
            self._said()
        return b"".join(pieces)

    def events(self, events: int) -> int:
        """What to wait for at the socket: what was taken from it and not yet looked at makes it ready at once."""
        if events & select.EPOLLIN and (self._in.pending or self._ssl.pending()):
            return select.EPOLLOUT | select.EPOLLONESHOT
        return events

    def send_some(self, pieces: Sequence[bytes | memoryview]) -> memoryview:
        """Send without waiting; what is left, sealed already, to be given here again as it is. Silence."""
        if len(pieces) == 1 and pieces[0] is self._sealed:
            self._sealed = super().send_some([self._sealed])
            return self._sealed
        left = memoryview(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        try:
            while left:
                left = left[self._ssl.write(left) :]
        except OSError:
            raise Silence from None
        sealed, self._unsent = self._unsent + self._out.read(), b""
        self._sealed = super().send_some([sealed])
        return self._sealed

    def send_all(self, data: bytes | memoryview, idle: float) -> None:
        """Send everything, waiting while the other side takes it; Silence when it does not for ``idle`` seconds."""
        left = data if data is self._sealed else self.send_some([data])
        super().send_all(left, idle)
        self._sealed = memoryview(b"")

    def say_end(self) -> None:
        """Say that nothing more comes, with a close_notify, so that nobody takes it for an attack (RFC 8446, 6.1)."""
        with suppress(OSError, ValueError):
            self._ssl.unwrap()
        with suppress(Silence):
            self._said()
        super().say_end()
