"""One request and its answer, as WSGI has it (PEP 3333)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from typing import Any, Final

from common.http.connection import Body, Connection, Silence
from common.http.environ import environ_of
from common.http.head import Head, bodiless, told_length, write_head
from common.http.limits import Limits

log = logging.getLogger("portolan.http")

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Fields = Sequence[tuple[str, str]]

PLAIN: Final = ("Content-Type", "text/plain; charset=UTF-8")


class Exchange:
    """One request and its answer."""

    __slots__ = ("_body", "_connection", "_head", "_limits", "fields", "keep_alive", "status")

    def __init__(self, connection: Connection, head: Head, body: bytes | Body, limits: Limits, last: bool) -> None:
        self._connection, self._head, self._body, self._limits = connection, head, body, limits
        self.keep_alive = head.keep_alive and not last
        self.status, self.fields = 0, list[tuple[str, str]]()

    def _start_response(self, status: str, fields: list[tuple[str, str]], exc_info: Any = None) -> None:
        self.status, self.fields = int(status[:3]), fields

    def run(self, wsgi: Wsgi) -> None:
        """Answer; what is not taken at once is left with the connection. Silence when nobody is there."""
        body = self._body
        environ = environ_of(self._head, self._connection)
        environ["wsgi.input"] = BytesIO(body) if isinstance(body, bytes) else body
        try:
            answer = wsgi(environ, self._start_response)
        except Silence:
            raise
        except Exception:
            log.exception("an application broke down")
            self.keep_alive = False
            self._send([b"the service failed\n"], 500, [PLAIN])
            return
        try:
            self._answered(answer)
        finally:
            close = getattr(answer, "close", None)
            if close is not None:
                close()

    def _answered(self, answer: Iterable[bytes]) -> None:
        for name, value in self.fields:
            if name.lower() == "connection" and "close" in value.lower():
                self.keep_alive = False
        fields = [(name, value) for name, value in self.fields if name.lower() != "connection"]
        length = told_length(fields)
        if bodiless(self._head.method, self.status):
            self._send([], self.status, fields, promised=length)
        elif length is not None and length > self._limits.whole:
            self._stream(answer, fields)
        else:
            self._send(list(answer), self.status, fields, promised=length)

    def _send(self, pieces: list[bytes], status: int, fields: Fields, promised: int | None = None) -> None:
        """An answer that is all there."""
        if isinstance(self._body, Body) and not self._body.ended:
            self.keep_alive = False
        length = sum(map(len, pieces))
        if promised is not None and promised != length and pieces:
            raise ValueError("an answer is not as long as it promised to be")
        told = None if promised is not None else length
        head = write_head(status, fields, keep_alive=self.keep_alive, length=told, secure=self._connection.is_secure)
        self._connection.left = self._connection.send_some([head, *pieces])

    def _stream(self, answer: Iterable[bytes], fields: Fields) -> None:
        """An answer that is sent while it is made; whatever raises leaves the promised length unreached."""
        if isinstance(self._body, Body) and not self._body.ended:
            self.keep_alive = False
        pending = write_head(self.status, fields, keep_alive=self.keep_alive, secure=self._connection.is_secure)
        for piece in answer:
            left = self._connection.send_some([pending, piece]) if pending else memoryview(piece)
            pending = b""
            self._connection.send_all(left, self._limits.idle)
