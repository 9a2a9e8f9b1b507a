"""Listens for syslog (RFC 5425, ITI-20): a thread for each connection, all of them bounded.

TLS acknowledges nothing. What stands for it is the end: a sender says that it has sent everything by a close_notify,
and gets ours once all of it is on disk, never otherwise. Who sees the connection end without, sends again; what comes
twice is known by its digest.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from auditing.receiving.framing import Broken, Frames
from auditing.receiving.keeping import Arrivals, Keeper, Stopped
from common.tls import Peer, Renewed, reason

log = logging.getLogger("portolan.auditing")

_PIECE: Final = 64 * 1024
_TICK: Final = 0.5


@dataclass(frozen=True, slots=True)
class Bounds:
    """Sizes in bytes, times in seconds."""

    message: int
    connections: int
    idle: float
    shake: float = 10.0
    settle: float = 30.0
    slow: float = 60.0
    """Longest time for one message to arrive."""


class Line(Protocol):
    """What is read from: a socket, over TLS or plain."""

    def recv(self, size: int, /) -> bytes:
        """Bytes; none at the proper end."""

    def settimeout(self, seconds: float | None, /) -> None:
        """How long to wait."""

    def close(self) -> None:
        """Let go."""


class Listener:
    """Accepts connections until it is stopped."""

    def __init__(
        self,
        listening: socket.socket,
        keeper: Keeper,
        bounds: Bounds,
        tls: Renewed | None,
        refused: Callable[[str, str], object] = lambda _address, _told: None,
    ) -> None:
        """Without ``tls`` it speaks plain TCP, which is for this machine alone."""
        self._refused = refused
        self._socket, self._keeper, self._bounds, self._tls = listening, keeper, bounds, tls
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._open: set[threading.Thread] = set()
        self._thread = threading.Thread(target=self._accept, name="accept", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._socket.settimeout(_TICK)
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Take no more; what has arrived is kept, and whoever has said that it was all is told so."""
        self._stopping.set()
        self._thread.join(seconds)
        self._socket.close()
        until = time.monotonic() + seconds
        with self._lock:
            threads = list(self._open)
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, address = self._socket.accept()
            except TimeoutError:
                continue
            except OSError:
                if not self._stopping.is_set():
                    log.exception("a connection could not be accepted")
                    time.sleep(_TICK)
                continue
            self._begin(connection, str(address[0]))

    def _begin(self, connection: socket.socket, address: str) -> None:
        with self._lock:
            if len(self._open) >= self._bounds.connections:
                log.warning("refused a connection from %s: %d are open", address, len(self._open))
                connection.close()
                return
            thread = threading.Thread(target=self._serve, args=(connection, address), name="syslog", daemon=True)
            self._open.add(thread)
        thread.start()

    def _serve(self, connection: socket.socket, address: str) -> None:
        try:
            if self._tls is None:
                with connection:
                    self._receive(connection, address, None)
            else:
                self._serve_securely(connection, address, self._tls)
        except Exception:
            log.exception("a connection from %s broke down", address)
        finally:
            connection.close()
            with self._lock:
                self._open.discard(threading.current_thread())

    def _serve_securely(self, connection: socket.socket, address: str, tls: Renewed) -> None:
        connection.settimeout(self._bounds.shake)
        context = tls()
        try:
            # A connection that just ends is not one that was ended: it says nothing of what was received.
            secure = context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False)
        except (ssl.SSLEOFError, ConnectionError):  # so do those who only look whether somebody listens
            log.debug("a connection from %s ended before it began", address)
            return
        except OSError as error:
            log.warning("refused a connection from %s: %s", address, reason(error))
            self._refused(address, reason(error))
            return
        with secure:
            peer = Peer.of(secure)
            if peer is not None and peer not in tls.allowed:
                told = f"{peer.subject} (sha256:{peer.fingerprint}) is trusted, but not on the list"
                log.warning("refused a connection from %s: %s of those who may connect", address, told)
                self._refused(address, told)
                return
            if self._receive(secure, address, (tls, context)):
                secure.settimeout(self._bounds.shake)
                with suppress(OSError):
                    secure.unwrap()

    def _receive(self, line: Line, address: str, tls: tuple[Renewed, ssl.SSLContext] | None) -> bool:
        """Take what comes; whether the other side has ended it and everything is on disk."""
        arrivals, frames = Arrivals(), Frames(self._bounds.message)
        ended = False
        try:
            ended = self._take(line, address, arrivals, frames, tls)
        except (Stopped, OSError) as error:
            if isinstance(error, OSError):
                log.info("a connection from %s was lost", address)
        kept = self._keeper.settle(arrivals, self._bounds.settle)
        return ended and kept

    def _take(
        self, line: Line, address: str, arrivals: Arrivals, frames: Frames, tls: tuple[Renewed, ssl.SSLContext] | None
    ) -> bool:
        line.settimeout(_TICK)
        heard = began = time.monotonic()
        while True:
            now = time.monotonic()
            if frames.is_within and now - began > self._bounds.slow:
                log.warning("closed a connection from %s: a message did not arrive in time", address)
                return False
            try:
                data = line.recv(_PIECE)
            except (TimeoutError, ssl.SSLWantReadError):
                if now - heard > self._bounds.idle:
                    log.info("closed a connection from %s: nothing came for long", address)
                    return False
                # It ends without a close_notify, so that its sender does not believe what is still on its way arrived.
                if self._stopping.is_set() or (tls is not None and tls[0]() is not tls[1]):
                    return False
                continue
            if not data:
                if frames.is_within:
                    log.warning("a connection from %s ended within a message", address)
                return not frames.is_within
            heard = now
            if not frames.is_within:
                began = now
            for message in frames.feed(data):
                if isinstance(message, Broken):
                    log.warning("closed a connection from %s: %s", address, message.reason)
                    return False
                self._keeper.take(message, arrivals)
                began = time.monotonic()
