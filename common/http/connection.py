"""One connection: what has arrived on it, what has still to be sent, and until when it is waited for."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum, auto
from typing import Final

from common.http.chunked import BadChunk, ChunkedDecoder
from common.http.head import Head
from common.tls import Peer

PIECE: Final = 256 * 1024
"""Bytes that are received at most in one call."""

_MOST_PIECES: Final = 64  # the system takes some 1,000 in one call


class Silence(Exception):  # noqa: N818
    """The other side did not send, or take, anything for too long, or has gone."""


class State(Enum):
    """What a connection that is waited for is waited for."""

    SHAKING = auto()
    IDLE = auto()
    ARRIVING = auto()
    SENDING = auto()
    LINGERING = auto()


class Connection:
    """A socket that does not block, and what is known of it. At any time one thread at most is at work on it."""

    __slots__ = (
        "began",
        "body",
        "buffer",
        "close_after",
        "deadline",
        "fd",
        "head",
        "identity",
        "left",
        "lingered",
        "peer",
        "sock",
        "state",
    )

    def __init__(self, sock: socket.socket, peer: str) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.peer = peer
        self.identity: Peer | None = None
        self.buffer = b""
        self.head: Head | None = None
        self.body: Body | None = None
        self.left: memoryview = memoryview(b"")
        self.close_after = False
        self.lingered = 0
        self.state = State.IDLE
        self.began = 0.0
        self.deadline = 0.0

    @property
    def is_secure(self) -> bool:
        """Whether nobody could read or change what came."""
        return False

    @property
    def is_outdated(self) -> bool:
        """Whether it should end with its next answer, since it would not be admitted as it was."""
        return False

    def events(self, events: int) -> int:
        """What to wait for at the socket, where ``events`` of epoll are wanted."""
        return events

    def receive(self, most: int = PIECE) -> bytes | None:
        """What has arrived; ``None`` when nothing has, empty when the other side has ended."""
        try:
            return self.sock.recv(most)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def send_some(self, pieces: Sequence[bytes | memoryview]) -> memoryview:
        """Send without waiting; what is left, in one piece. Silence when nobody is there any more."""
        if len(pieces) > _MOST_PIECES:
            pieces = [b"".join(pieces)]
        try:
            sent = self.sock.sendmsg(pieces)
        except BlockingIOError:
            sent = 0
        except OSError:
            raise Silence from None
        if sent == sum(map(len, pieces)):
            return memoryview(b"")
        for number, piece in enumerate(pieces):
            if sent < len(piece):
                if number == len(pieces) - 1:
                    return memoryview(piece)[sent:]
                return memoryview(b"".join((memoryview(piece)[sent:], *pieces[number + 1 :])))
            sent -= len(piece)
        return memoryview(b"")

    def send_all(self, data: bytes | memoryview, idle: float) -> None:
        """Send everything, waiting while the other side takes it; Silence when it does not for ``idle`` seconds."""
        left = memoryview(data)
        while left:
            try:
                left = left[self.sock.send(left) :]
            except BlockingIOError:
                self.wait(select.POLLOUT, idle)
            except OSError:
                raise Silence from None

    def wait(self, event: int, seconds: float) -> None:
        """Wait until the socket is ready; Silence when it is not in time."""
        poll = select.poll()
        poll.register(self.fd, event)
        if not poll.poll(max(0.0, seconds) * 1000):
            raise Silence

    def say_end(self) -> None:
        """Say that nothing more comes; for the thread that is at work on it."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def shut(self) -> None:
        """End the conversation; whoever waits for the socket learns of it. For any thread."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)


class Body:
    """``wsgi.input`` of a message that is read from the connection while it is worked on."""

    def __init__(self, connection: Connection, length: int | None, idle: float, total: float) -> None:
        """``length`` is ``None`` for a body in chunks; times in seconds."""
        self._connection = connection
        self._idle, self._until = idle, time.monotonic() + total
        self._left = length if length is not None else -1
        self._chunks = ChunkedDecoder() if length is None else None
        self._held = b""
        self.broken = False

    @property
    def ended(self) -> bool:
        """Whether all of it was taken from the connection, so that another request may follow."""
        return self._chunks.ended if self._chunks else not self._left

    @property
    def arrived(self) -> int:
        """Bytes that are there and not read yet."""
        return len(self._held) + len(self._connection.buffer)

    def gather(self, enough: int) -> bool:
        """Take in what has arrived; whether it is time to read it: it is enough, or all, or broken."""
        chunks = self._chunks
        while chunks and self._connection.buffer and not (chunks.ended or self.broken or self.arrived >= enough):
            self._decode(chunks)
        return self.ended or self.broken or self.arrived >= enough

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes, as many as are there; none at the end. Silence when nothing comes."""
        if size < 0:
            return b"".join(iter(lambda: self.read(PIECE), b""))
        if self._chunks is None:
            taken = self._raw(min(size, self._left)) if self._left else b""
            self._left -= len(taken)
            return taken
        while not self._held and not self._chunks.ended:
            if self.broken:
                return b""
            self._decode(self._chunks)
        taken, self._held = self._held[:size], self._held[size:]
        return taken

    def _decode(self, chunks: ChunkedDecoder) -> None:
        data = self._raw(PIECE)
        try:
            self._held += chunks.feed(data)
        except BadChunk:
            self.broken = True
        self.broken = self.broken or not data
        if chunks.ended:
            self._connection.buffer = chunks.rest + self._connection.buffer

    def _raw(self, most: int) -> bytes:
        connection = self._connection
        if connection.buffer:
            taken, connection.buffer = connection.buffer[:most], connection.buffer[most:]
            return taken
        while (data := connection.receive(min(most, PIECE))) is None:
            connection.wait(select.POLLIN, min(self._idle, self._until - time.monotonic()))
        self.broken = self.broken or not data
        return data
