"""Kept-alive HTTP/1.1 connections to one neighbour, bounded in time and in what they will read."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from common.client.channel import Tls, context_of, readable
from common.client.errors import NeighbourError, NoAnswer, NotReached
from common.http.answer import BadAnswer, read_answer
from common.tls import reason

__all__ = ["Connections", "HttpAnswer", "NeighbourError", "NoAnswer", "NotReached"]


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole answer."""

    status: int
    content_type: str
    body: bytes


class Connections:
    """A small pool of connections to one address, for use by any thread."""

    def __init__(
        self, url: str, *, connect_timeout: float, answer_timeout: float, max_answer: int, tls: Tls | None = None
    ) -> None:
        """Times in seconds; ``max_answer`` in bytes."""
        self._tls = tls
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port or (443 if self._secure else 80)
        self._named = parts.netloc.rpartition("@")[2]
        self._path = parts.path + (f"?{parts.query}" if parts.query else "") or "/"
        self._connect_timeout, self._answer_timeout = connect_timeout, answer_timeout
        self._max_answer = max_answer
        self._idle: list[socket.socket] = []
        self._lock = threading.Lock()

    def post(self, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        """Send a message and read its answer.

        A connection that was kept and turns out dead before any of the answer came is replaced, and the
        message sent once more: only for messages whose repetition is harmless.
        """
        kept = self._kept()
        if kept is None:
            return self._first(body, headers)
        try:
            return self._exchange(kept, body, headers)
        except ConnectionError:
            kept.close()
        except OSError as error:
            raise NoAnswer(type(error).__name__) from error
        try:
            return self._first(body, headers)
        except NotReached as error:
            # The first attempt may have arrived all the same.
            raise NoAnswer("the connection broke, and no other could be made") from error

    def _first(self, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        connection = self._connected()
        try:
            return self._exchange(connection, body, headers)
        except OSError as error:
            raise NoAnswer(type(error).__name__) from error

    def _kept(self) -> socket.socket | None:
        """A connection that was kept and that the neighbour has not closed meanwhile."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if not readable(connection):
                return connection
            connection.close()

    def _connected(self) -> socket.socket:
        try:
            connection = socket.create_connection((self._host, self._port), self._connect_timeout)
        except OSError as error:
            raise NotReached(type(error).__name__) from error
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._secure:
                connection = context_of(self._tls).wrap_socket(connection, server_hostname=self._host)
        except ssl.SSLError as error:
            connection.close()
            raise NotReached(f"no TLS: {reason(error)}") from error
        except OSError as error:
            connection.close()
            raise NotReached(type(error).__name__) from error
        connection.settimeout(self._answer_timeout)
        return connection

    def _exchange(self, connection: socket.socket, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        try:
            # In one piece: head and body apart would wake the neighbour twice.
            connection.sendall(self._head(headers, len(body)) + body)
            answer = read_answer(connection.recv, self._max_answer)
        except TimeoutError as error:
            connection.close()
            raise NoAnswer("TimeoutError") from error
        except BadAnswer as error:
            connection.close()
            raise NoAnswer(str(error)) from error
        except BaseException:
            connection.close()
            raise
        if answer.keep:
            with self._lock:
                self._idle.append(connection)
        else:
            connection.close()
        return HttpAnswer(answer.status, answer.fields.get("content-type", ""), answer.body)

    def _head(self, headers: Mapping[str, str], length: int) -> bytes:
        fields = {"Host": self._named, **headers, "Content-Length": str(length)}
        lines = [f"{name}: {value}" for name, value in fields.items()]
        if any(not line.isprintable() for line in lines):
            raise ValueError("a field holds the end of a line")
        return "\r\n".join((f"POST {self._path} HTTP/1.1", *lines, "\r\n")).encode("latin-1")

    def close(self) -> None:
        """Close what is kept."""
        with self._lock:
            for connection in self._idle:
                connection.close()
            self._idle.clear()
