"""HTTP/1.1 to one address with bodies of any size: sent in pieces, read in pieces, over connections that are kept."""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol
from urllib.parse import urlsplit

from common.client.errors import NoAnswer, NotReached
from common.tls import reason

PIECE: Final = 256 * 1024
_BROKEN: Final = (http.client.RemoteDisconnected, ConnectionError)


class Outgoing(Protocol):
    """A message to send; ``length`` in bytes, ``None`` where it is not known beforehand."""

    @property
    def length(self) -> int | None:
        """Its length."""
        ...

    @property
    def repeatable(self) -> bool:
        """Whether ``chunks`` can be asked for twice."""
        ...

    def chunks(self) -> Iterator[bytes]:
        """Its bytes; none of the pieces is empty."""
        ...


class Reply:
    """An HTTP answer that is being read; ``close`` it, however the reading ends."""

    def __init__(self, response: http.client.HTTPResponse, release: Callable[[bool], None]) -> None:
        """``release`` takes the connection back, and whether it can be used again."""
        self._response = response
        self._release: Callable[[bool], None] | None = release
        self.status = response.status
        self.content_type = response.headers.get("Content-Type", "")

    def read(self) -> bytes:
        """The next piece, nothing at the end; NoAnswer when the answer breaks off."""
        try:
            piece = self._response.read(PIECE)
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(f"the answer broke off ({type(error).__name__})") from error
        # http.client says nothing when a body of known length ends too early.
        if not piece and self._response.length:
            raise NoAnswer("the answer broke off")
        return piece

    def close(self) -> None:
        """Give the connection back; one with something left unread is closed."""
        release, self._release = self._release, None
        if release is not None:
            reusable = self._response.isclosed() and not self._response.will_close
            self._response.close()
            release(reusable)


Tls = ssl.SSLContext | Callable[[], ssl.SSLContext]
"""A context, or what gives the one to use now, when its files may change."""


def context_of(tls: Tls | None) -> ssl.SSLContext:
    """The context to use now; the system's usual one where none is given."""
    if tls is None:
        return ssl.create_default_context()
    return tls if isinstance(tls, ssl.SSLContext) else tls()


class Channel:
    """A pool of connections to one address, for use by any thread."""

    def __init__(
        self,
        url: str,
        *,
        connect_timeout: float,
        answer_timeout: float,
        tls: Tls | None = None,
        dial: Callable[[], socket.socket] | None = None,
    ) -> None:
        """Times in seconds: to connect, and of silence while an answer is awaited; ValueError for no HTTP address.

        ``dial`` makes the TCP connections, for who has to choose the machine.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not an http or https address")
        self.secure = parts.scheme == "https"
        self._host, self._port, self._tls = parts.hostname, parts.port, tls
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._connect_timeout, self._answer_timeout = connect_timeout, answer_timeout
        self._dial = dial
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def post(self, message: Outgoing, headers: Mapping[str, str]) -> Reply:
        """Send a message, and begin to read its answer; NotReached, NoAnswer.

        When a kept connection turns out dead before any of the answer came, the message is sent once more over a
        new one: every message of this client may safely arrive twice.
        """
        kept = self._kept() if message.repeatable else None
        if kept is None:
            return self._fresh(message, headers)
        try:
            return self._exchange(kept, message, headers)
        except _BROKEN:
            pass
        try:
            return self._fresh(message, headers)
        except NotReached as error:
            # The first attempt may have arrived all the same.
            raise NoAnswer("the connection broke, and no other could be made") from error

    def _fresh(self, message: Outgoing, headers: Mapping[str, str]) -> Reply:
        try:
            return self._exchange(self._connected(), message, headers)
        except _BROKEN as error:
            raise NoAnswer(f"the connection broke ({type(error).__name__})") from error

    def _kept(self) -> http.client.HTTPConnection | None:
        """A connection that was kept and that the other side has not closed meanwhile."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if connection.sock is not None and not readable(connection.sock):
                return connection
            connection.close()

    def _connected(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection
        if self.secure:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._connect_timeout, context=context_of(self._tls)
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._connect_timeout)
        try:
            if self._dial is None:
                connection.connect()
            else:
                connection.sock = self._dialled(self._dial)
        except ssl.SSLError as error:
            connection.close()
            raise NotReached(f"no TLS with {self._host}: {reason(error)}") from error
        except OSError as error:
            connection.close()
            raise NotReached(f"{self._host} cannot be reached: {error.strerror or type(error).__name__}") from error
        connection.sock.settimeout(self._answer_timeout)
        return connection

    def _dialled(self, dial: Callable[[], socket.socket]) -> socket.socket:
        """A connection that somebody else made, with TLS where the address asks for it."""
        made = dial()
        if not self.secure:
            return made
        try:
            return context_of(self._tls).wrap_socket(made, server_hostname=self._host)
        except BaseException:
            made.close()
            raise

    def _exchange(self, connection: http.client.HTTPConnection, message: Outgoing, headers: Mapping[str, str]) -> Reply:
        try:
            whole = self._send(connection, message, headers)
            response = connection.getresponse()
        except TimeoutError as error:
            connection.close()
            raise NoAnswer(f"no answer within {self._answer_timeout:g} seconds") from error
        except _BROKEN:
            connection.close()
            raise
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise NoAnswer(f"the connection broke ({type(error).__name__})") from error
        except BaseException:
            connection.close()
            raise
        return Reply(response, lambda reusable: self._back(connection, keep=reusable and whole))

    def _send(self, connection: http.client.HTTPConnection, message: Outgoing, headers: Mapping[str, str]) -> bool:
        """Whether all was sent: an answer that comes before the end is a refusal, and the rest is not wanted."""
        length = message.length
        connection.putrequest("POST", self._path, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if length is None:
            connection.putheader("Transfer-Encoding", "chunked")
        else:
            connection.putheader("Content-Length", str(length))
        connection.endheaders()
        try:
            return self._send_body(connection, message.chunks(), chunked=length is None)
        except (BrokenPipeError, ConnectionResetError):
            # What it answered before it closed may still be there to be read.
            return False

    def _send_body(self, connection: http.client.HTTPConnection, chunks: Iterator[bytes], *, chunked: bool) -> bool:
        for chunk in chunks:
            # Over TLS the socket may be readable for reasons of its own, so there only a broken pipe tells.
            if not self.secure and readable(connection.sock):
                return False
            connection.send(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)
        if chunked:
            connection.send(b"0\r\n\r\n")
        return True

    def _back(self, connection: http.client.HTTPConnection, *, keep: bool) -> None:
        if not keep:
            connection.close()
            return
        with self._lock:
            self._idle.append(connection)

    def close(self) -> None:
        """Close what is kept."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


def readable(sock: socket.socket) -> bool:
    """Whether there is something to read, or the other side has closed; on an idle connection both mean its end."""
    waiting = select.poll()
    waiting.register(sock, select.POLLIN)
    return bool(waiting.poll(0))
