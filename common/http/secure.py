"""A connection over TLS, which waits for no one either; who is at its other end is known once hands are shaken."""

from __future__ import annotations

import select
import ssl
from collections.abc import Sequence
from contextlib import suppress

from common.http.connection import PIECE, Connection, Silence, State
from common.tls import Peer, Renewed, reason


class NotAdmitted(Exception):  # noqa: N818
    """Why a handshake came to nothing, in words for the log."""


class SecureConnection(Connection):
    """A ``Connection`` that speaks TLS."""

    __slots__ = ("_context", "_sock", "_tls")

    def __init__(self, sock: ssl.SSLSocket, peer: str, tls: Renewed) -> None:
        super().__init__(sock, peer)
        self._sock, self._tls, self._context = sock, tls, sock.context
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
        try:
            self._sock.do_handshake()
        except ssl.SSLWantReadError:
            return select.EPOLLIN
        except ssl.SSLWantWriteError:
            return select.EPOLLOUT
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError):
            raise Silence from None
        except (OSError, ValueError) as error:
            raise NotAdmitted(reason(error) if isinstance(error, OSError) else "the handshake failed") from error
        self.identity = Peer.of(self._sock)
        if self.identity is not None and self.identity not in self._tls.allowed:
            told = f"{self.identity.subject} (sha256:{self.identity.fingerprint}) is trusted, but not on the list"
            raise NotAdmitted(f"{told} of those who may connect")
        return 0

    def receive(self, most: int = PIECE) -> bytes | None:
        """What has arrived; ``None`` when nothing has, empty when the other side has ended."""
        pieces: list[bytes] = []
        size = 0
        while size < most:
            try:
                piece = self._sock.recv(most - size)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return b"".join(pieces) if pieces else None
            except OSError:
                piece = b""
            if not piece:  # if anything came before the end, the end is met again by the next call
                break
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)

    def events(self, events: int) -> int:
        """What to wait for at the socket: data that TLS has taken from it already makes it ready at once."""
        return select.EPOLLOUT | select.EPOLLONESHOT if events & select.EPOLLIN and self._sock.pending() else events

    def send_some(self, pieces: Sequence[bytes | memoryview]) -> memoryview:
        """Send without waiting; what is left, in one piece. Silence when nobody is there any more."""
        left = memoryview(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        try:
            while left:
                left = left[self._sock.send(left) :]
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            raise Silence from None
        return left

    def send_all(self, data: bytes | memoryview, idle: float) -> None:
        """Send everything, waiting while the other side takes it; Silence when it does not for ``idle`` seconds."""
        left = memoryview(data)
        while left:
            try:
                left = left[self._sock.send(left) :]
            except ssl.SSLWantReadError:
                self.wait(select.POLLIN, idle)
            except ssl.SSLWantWriteError:
                self.wait(select.POLLOUT, idle)
            except OSError:
                raise Silence from None

    def say_end(self) -> None:
        """Say that nothing more comes, with a close_notify, so that nobody takes it for an attack (RFC 8446, 6.1)."""
        with suppress(OSError, ValueError):
            self._sock.unwrap()
        super().say_end()

    def shut(self) -> None:
        """End the conversation; the socket's own way, since another thread may be at work with the TLS of it."""
        with suppress(OSError):
            super(ssl.SSLSocket, self._sock).shutdown(2)
