"""The way out over MLLP: one message at a time, each with its acknowledgement, over a connection that is kept."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Final

from common.client.channel import Tls, context_of
from common.client.errors import NoAnswer, NotReached
from common.hl7.framing import Broken, FrameReader, framed

_MOST_ANSWER: Final = 64 * 1024
_PIECE: Final = 16 * 1024


class MllpClient:
    """One receiver; not for several threads at once."""

    def __init__(
        self, host: str, port: int, *, connect_timeout: float, answer_timeout: float, tls: Tls | None = None
    ) -> None:
        """Times in seconds."""
        self._address = (host, port)
        self._connect_timeout, self._answer_timeout = connect_timeout, answer_timeout
        self._tls = tls
        self._socket: socket.socket | None = None

    def send(self, message: bytes) -> bytes:
        """The acknowledgement, as it came; NotReached when nothing was sent, NoAnswer when none came back."""
        if self._socket is not None and self._has_ended(self._socket):
            self.close()
        made = self._socket or self._connected()
        try:
            made.sendall(framed(message))
            return self._read(made)
        except (OSError, ssl.SSLError) as error:
            self.close()
            raise NoAnswer(type(error).__name__) from error
        except NoAnswer:
            self.close()
            raise

    def _connected(self) -> socket.socket:
        try:
            plain = socket.create_connection(self._address, timeout=self._connect_timeout)
            made = context_of(self._tls).wrap_socket(plain, server_hostname=self._address[0]) if self._tls else plain
        except (OSError, ssl.SSLError) as error:
            raise NotReached(f"{self._address[0]}:{self._address[1]}: {type(error).__name__}") from error
        made.settimeout(self._answer_timeout)
        self._socket = made
        return made

    @staticmethod
    def _has_ended(kept: socket.socket) -> bool:
        """Whether a kept connection was closed by the other side, or says something nobody asked for."""
        timeout = kept.gettimeout()
        kept.settimeout(0)
        try:
            kept.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True
        finally:
            with contextlib.suppress(OSError):
                kept.settimeout(timeout)
        return True

    @staticmethod
    def _read(made: socket.socket) -> bytes:
        frames = FrameReader(_MOST_ANSWER)
        while data := made.recv(_PIECE):
            for event in frames.feed(data):
                if isinstance(event, Broken):
                    raise NoAnswer(event.reason)
                return event.data
        raise NoAnswer("the connection ended before an acknowledgement")

    def close(self) -> None:
        """Close the connection, if there is one."""
        made, self._socket = self._socket, None
        if made is not None:
            made.close()
