"""Serves a WSGI application from threads that take turns at one epoll, in which slow clients wait at no thread's cost.

A thread that is told that a connection is ready reads from it, and once a whole message of ordinary size is there
carries it out and sends the answer: no other thread is woken for it. What is not all there, or not all taken, goes
back to wait. Only messages and answers too large to be held keep their thread while they flow.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Final

from common.http.connection import Body, Connection, Silence, State
from common.http.exchange import PLAIN, Exchange, Wsgi
from common.http.head import MOST_HEAD, BadHead, Head, read_head, write_head
from common.http.limits import Limits
from common.http.secure import NotAdmitted, SecureConnection
from common.http.sharing import Share
from common.tls import Renewed

log = logging.getLogger("portolan.http")

_READ: Final = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLONESHOT
_WRITE: Final = select.EPOLLOUT | select.EPOLLONESHOT
# Each process is told of each connection, so that the one with fewest can take it; in it, one thread.
_ACCEPT: Final = select.EPOLLIN | select.EPOLLONESHOT
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Server:
    """Serves one listening socket in this process."""

    def __init__(
        self,
        wsgi: Wsgi,
        listener: socket.socket,
        limits: Limits,
        share: Share | None = None,
        tls: Renewed | None = None,
    ) -> None:
        self._wsgi, self._listener, self._limits, self._tls = wsgi, listener, limits, tls
        self._share = share or Share(1, 0, bytearray(4))
        self._epoll = select.epoll()
        self._connections: dict[int, Connection] = {}
        self._lock = threading.Lock()
        self._busy = 0
        self._waiting: deque[tuple[Connection, Head, bytes | Body]] = deque()
        self._stopping = False
        self._listens = False

    def start(self) -> None:
        """Begin to serve; one thread more than may be at work at once, so that there is always one to refuse."""
        self._listener.setblocking(False)
        self._listen()
        for number in range(self._limits.threads + 2):
            threading.Thread(target=self._run, name=f"serve-{number}", daemon=True).start()

    def _listen(self) -> None:
        self._epoll.register(self._listener, _ACCEPT)
        self._listens = True

    def _listen_no_more(self) -> None:
        """Until some of the connections have ended; others wait to be accepted."""
        with self._lock:
            if self._listens:
                self._listens = False
                self._epoll.unregister(self._listener)

    def look_after(self) -> None:
        """To be called twice a second: drops what should have arrived, or been taken, by now."""
        now = time.monotonic()
        for connection in list(self._connections.values()):
            if connection.deadline and connection.deadline < now:
                connection.deadline = 0.0
                # TLS is for one thread at a time, and one may be told of this connection just now.
                if connection.state is State.ARRIVING and not connection.is_secure:
                    self._say(connection, 408, "the message did not arrive in time\n")
                connection.shut()
        if not self._listens and not self._stopping and len(self._connections) < self._limits.connections:
            self._listen()

    def stop(self, seconds: float, grace: float = 1.0) -> None:
        """Answer what is being asked, and end; connections on which nothing is asked have ``grace`` seconds."""
        self._accept_all()
        self._stopping = True
        self._listen_no_more()
        self._listener.close()
        until, patient = time.monotonic() + seconds, time.monotonic() + grace
        while self._connections and time.monotonic() < until:
            time.sleep(0.02)
            if time.monotonic() > patient:
                for connection in list(self._connections.values()):
                    if connection.deadline and connection.state is State.IDLE:
                        connection.shut()
                self.look_after()

    def _accept_all(self) -> None:
        """Whoever has connected already is answered."""
        while self._accepted():
            pass

    def _run(self) -> None:
        """A thread's life."""
        while True:
            for fd, event in self._epoll.poll(None, 1):
                try:
                    self._ready(fd, event)
                except Exception:
                    log.exception("a connection broke down")
                    if found := self._connections.get(fd):
                        self._close(found)

    def _ready(self, fd: int, event: int) -> None:
        if fd == self._listener.fileno():
            self._share.give_way()
            self._accepted()
            with self._lock:
                if self._listens:
                    self._epoll.modify(self._listener, _ACCEPT)
            return
        connection = self._connections.get(fd)
        if connection is None:
            return
        connection.deadline = 0.0
        if connection.state is State.SHAKING:
            self._shake(connection)
        elif connection.state is State.SENDING:
            self._send_on(connection)
        elif connection.state is State.LINGERING:
            self._linger_on(connection)
        else:
            self._take(connection)

    def _accepted(self) -> bool:
        """Take one connection, if there is one; the others are for whoever is told of them next."""
        try:
            sock, address = self._listener.accept()
        except (BlockingIOError, ConnectionError):
            return False
        except OSError as error:
            log.error("no connection can be accepted: %s", error.strerror)
            time.sleep(0.1)
            return False
        sock.setblocking(False)
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = str(address[0]) if address else ""
        connection = Connection(sock, peer) if self._tls is None else SecureConnection(sock, peer, self._tls)
        self._connections[connection.fd] = connection
        self._share.count(len(self._connections))
        if len(self._connections) >= self._limits.connections:
            self._listen_no_more()
        patience = self._limits.shake if connection.state is State.SHAKING else self._limits.idle
        connection.deadline = time.monotonic() + patience
        self._epoll.register(connection.fd, _READ)
        return True

    def _shake(self, connection: Connection) -> None:
        """Go on with a handshake, which has its time as a whole; whoever is not admitted is told by an alert only."""
        assert isinstance(connection, SecureConnection)
        connection.began = connection.began or time.monotonic()
        try:
            events = connection.shake()
        except Silence:
            self._close(connection)
            return
        except NotAdmitted as refused:
            log.warning("refused a TLS connection from %s: %s", connection.peer, refused)
            self._limits.not_admitted(connection.peer, str(refused))
            self._close(connection)
            return
        if events:
            self._wait(
                connection, events | select.EPOLLONESHOT, connection.began + self._limits.shake - time.monotonic()
            )
        else:
            connection.state, connection.began = State.IDLE, 0.0
            self._take(connection)

    def _take(self, connection: Connection) -> None:
        """Read what has arrived, and carry out what is complete."""
        data = connection.receive(65536 if connection.head is None else self._limits.small)
        if data == b"":
            self._cut_short(connection)
            return
        if data:
            connection.buffer = connection.buffer + data if connection.buffer else data
        self._go_on(connection)

    def _cut_short(self, connection: Connection) -> None:
        """The other side has ended; one that did so within a message may still listen for what is said to that."""
        head, body = connection.head, connection.body
        if head is None:
            self._close(connection)
            return
        head.keep_alive, connection.head, connection.body = False, None, None
        if body is None:
            small, connection.buffer = connection.buffer, b""
            self._engage(connection, head, small)
        else:
            self._engage(connection, head, body)

    def _go_on(self, connection: Connection) -> None:
        """Carry out every message that is there; then wait for more."""
        while True:
            try:
                asked = self._next(connection)
            except BadHead as error:
                self._say(connection, error.status, f"{error.told}\n")
                self._linger(connection)
                return
            if asked is None:
                self._wait(connection, _READ, self._patience(connection))
                return
            if (at_hand := self._engage(connection, *asked)) is None:
                return
            connection = at_hand

    def _patience(self, connection: Connection) -> float:
        """The seconds that are left for what is waited for; a message has its time as a whole, however it drips."""
        head, limits = connection.head, self._limits
        if head is None and not connection.buffer:
            connection.state, connection.began = State.IDLE, 0.0
            return limits.kept
        connection.state = State.ARRIVING
        now = time.monotonic()
        connection.began = connection.began or now
        length = (head.length or 0) if head is not None else 0
        if connection.body is not None:  # of one whose length is not known, or large, by what has come of it
            length = connection.body.arrived
        return connection.began + limits.idle + length / limits.slowest - now

    def _next(self, connection: Connection) -> tuple[Head, bytes | Body] | None:
        """The next message, whole if it is small; ``None`` while it is not all there."""
        head = connection.head
        if head is None:
            buffer = connection.buffer.lstrip(b"\r\n") if connection.buffer[:1] in b"\r\n" else connection.buffer
            end = buffer.find(b"\r\n\r\n", 0, MOST_HEAD)
            if end < 0:
                connection.buffer = buffer
                if len(buffer) >= MOST_HEAD:
                    raise BadHead(431, "the head is too long")
                return None
            head = read_head(buffer[:end])
            connection.buffer = buffer[end + 4 :]
            if head.expects_continue and not connection.buffer:
                connection.send_some([_CONTINUE])
        length = head.length
        if length is None or length > self._limits.small:
            return self._begun(connection, head, length)
        if len(connection.buffer) < length:
            connection.head = head
            return None
        body, connection.buffer = connection.buffer[:length], connection.buffer[length:]
        connection.head = None
        return head, body

    def _begun(self, connection: Connection, head: Head, length: int | None) -> tuple[Head, Body] | None:
        """A message that may be too large to be held: it gets a thread once as much as a small one is there."""
        body = connection.body or Body(connection, length, self._limits.idle, self._limits.total)
        if not body.gather(self._limits.small):
            connection.head, connection.body = head, body
            return None
        connection.head = connection.body = None
        return head, body

    def _engage(self, connection: Connection, head: Head, body: bytes | Body) -> Connection | None:
        """Carry out a message now, or when a thread has time, and then what waits; the connection to go on with."""
        with self._lock:
            if self._busy >= self._limits.threads:
                if len(self._waiting) < self._limits.waiting:
                    self._waiting.append((connection, head, body))
                    return None
                refused = True
            else:
                self._busy += 1
                refused = False
        if refused:
            self._limits.refused()
            self._say(connection, 503, "busy: try again\n", ("Retry-After", "2"))
            self._linger(connection)
            return None
        goes_on = self._carry_out(connection, head, body)
        while True:
            with self._lock:
                if not self._waiting:
                    self._busy -= 1
                    return connection if goes_on else None
                other, head, body = self._waiting.popleft()
            if goes_on:
                self._later(connection)
            connection = other
            goes_on = self._carry_out(connection, head, body)

    def _later(self, connection: Connection) -> None:
        """Have a connection looked at again, at once if something waits on it already."""
        if connection.buffer:
            self._wait(connection, _WRITE, self._limits.idle)  # writable: so told of at once
        else:
            self._wait(connection, _READ, self._patience(connection))

    def _carry_out(self, connection: Connection, head: Head, body: bytes | Body) -> bool:
        """Have the application answer, and send that; whether another message may follow now."""
        try:
            last = self._stopping or connection.is_outdated
            exchange = Exchange(connection, head, body, self._limits, last)
            exchange.run(self._wsgi)
        except Silence:
            self._close(connection)
            return False
        except Exception:
            log.exception("an answer broke off")
            self._close(connection)
            return False
        connection.close_after = not exchange.keep_alive
        if connection.left:
            connection.state = State.SENDING
            self._wait(connection, _WRITE, self._limits.idle)
            return False
        if not exchange.keep_alive:
            self._linger(connection)
            return False
        connection.state, connection.began = State.IDLE, 0.0
        return True

    def _send_on(self, connection: Connection) -> None:
        try:
            connection.left = connection.send_some([connection.left])
        except Silence:
            self._close(connection)
            return
        if connection.left:
            self._wait(connection, _WRITE, self._limits.idle)
        elif connection.close_after:
            self._linger(connection)
        else:
            connection.state, connection.began = State.IDLE, 0.0
            self._go_on(connection)

    def _linger(self, connection: Connection) -> None:
        """Say that nothing more comes; the end is not before the other side's, or it might miss the answer."""
        connection.say_end()
        connection.buffer, connection.state = b"", State.LINGERING
        self._linger_on(connection)

    def _linger_on(self, connection: Connection) -> None:
        for _ in range(16):
            data = connection.receive()
            if data is None:
                self._wait(connection, _READ, 2.0)
                return
            connection.lingered += len(data)
            if not data or connection.lingered > self._limits.linger:
                self._close(connection)
                return
        self._wait(connection, _READ, 2.0)

    def _say(self, connection: Connection, status: int, told: str, *fields: tuple[str, str]) -> None:
        head = write_head(status, [PLAIN, *fields], keep_alive=False, length=len(told))
        with suppress(Silence):
            connection.send_some([head, told.encode()])

    def _wait(self, connection: Connection, events: int, seconds: float) -> None:
        connection.deadline = time.monotonic() + seconds
        try:
            self._epoll.modify(connection.fd, connection.events(events))
        except OSError:
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        if self._connections.pop(connection.fd, None) is not None:
            self._share.count(len(self._connections))
            connection.sock.close()
