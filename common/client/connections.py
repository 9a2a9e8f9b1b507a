"""Kept-alive HTTP/1.1 connections to one neighbour, bounded in time and in what they will read."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from common.client.channel import Tls, context_of, readable
from common.client.errors import NeighbourError, NoAnswer, NotReached
from common.tls import reason

__all__ = ["Connections", "HttpAnswer", "NeighbourError", "NoAnswer", "NotReached"]

_PIECE: Final = 256 * 1024


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
        self._host, self._port = parts.hostname or "", parts.port
        self._named = parts.netloc.rpartition("@")[2]
        self._path = parts.path + (f"?{parts.query}" if parts.query else "") or "/"
        self._connect_timeout, self._answer_timeout = connect_timeout, answer_timeout
        self._max_answer = max_answer
        self._idle: list[http.client.HTTPConnection] = []
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
        except (http.client.RemoteDisconnected, ConnectionError):
            kept.close()
        except (OSError, http.client.HTTPException) as error:
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
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(type(error).__name__) from error

    def _kept(self) -> http.client.HTTPConnection | None:
        """A connection that was kept and that the neighbour has not closed meanwhile."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if not readable(connection.sock):
                return connection
            connection.close()

    def _connected(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection
        if self._secure:
            context = context_of(self._tls)
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._connect_timeout, context=context
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._connect_timeout)
        try:
            connection.connect()
        except ssl.SSLError as error:
            connection.close()
            raise NotReached(f"no TLS: {reason(error)}") from error
        except OSError as error:
            connection.close()
            raise NotReached(type(error).__name__) from error
        connection.sock.settimeout(self._answer_timeout)
        return connection

    def _exchange(self, connection: http.client.HTTPConnection, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        try:
            # In one piece: head and body apart would wake the neighbour twice.
            connection.sock.sendall(self._head(headers, len(body)) + body)
            response = http.client.HTTPResponse(connection.sock, method="POST")
            response.begin()
            data = self._read(response)
        except TimeoutError as error:
            connection.close()
            raise NoAnswer("TimeoutError") from error
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle.append(connection)
        return HttpAnswer(response.status, response.headers.get("Content-Type", ""), data)

    def _head(self, headers: Mapping[str, str], length: int) -> bytes:
        fields = {"Host": self._named, **headers, "Content-Length": str(length)}
        lines = [f"{name}: {value}" for name, value in fields.items()]
        if any(not line.isprintable() for line in lines):
            raise ValueError("a field holds the end of a line")
        return "\r\n".join((f"POST {self._path} HTTP/1.1", *lines, "\r\n")).encode("latin-1")

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        parts: list[bytes] = []
        total = 0
        while piece := response.read(_PIECE):
            total += len(piece)
            if total > self._max_answer:
                raise NoAnswer("the answer is too large")
            parts.append(piece)
        return b"".join(parts)

    def close(self) -> None:
        """Close what is kept."""
        with self._lock:
            for connection in self._idle:
                connection.close()
            self._idle.clear()
