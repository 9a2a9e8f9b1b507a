"""The other side of a connection, made to behave as a test wants it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from common.soap.mtom import MtomWriter

Act = Callable[[socket.socket, "Peer"], None]
WSA = "http://www.w3.org/2005/08/addressing"
SOAP = "http://www.w3.org/2003/05/soap-envelope"


@dataclass
class Peer:
    """Listens; each connection is dealt with by the next of its acts, and when there are none left, closed."""

    acts: list[Act]
    received: list[bytes] = field(default_factory=list)
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    connections: int = 0
    closed: bool = False

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}/service"

    def serve(self) -> None:
        """Until it is closed."""
        while not self.closed:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                act = self.acts.pop(0) if self.acts else None
                if act is not None:
                    act(connection, self)

    def close(self) -> None:
        """Listen no more."""
        self.closed = True
        # A thread in accept() is woken by nothing else.
        with suppress(OSError):
            socket.create_connection(self.listener.getsockname(), timeout=1).close()
        self.listener.close()


@contextmanager
def a_peer(*acts: Act) -> Iterator[Peer]:
    """A running peer."""
    peer = Peer(list(acts))
    thread = threading.Thread(target=peer.serve, daemon=True)
    thread.start()
    try:
        yield peer
    finally:
        peer.close()
        thread.join(5)


def request(connection: socket.socket) -> bytes:
    """One whole HTTP request, head and body; nothing when there is none."""
    file = connection.makefile("rb")
    head = b""
    while line := file.readline():
        head += line
        if line == b"\r\n":
            break
    fields = {name.lower(): value.strip() for name, _, value in (row.partition(b":") for row in head.split(b"\r\n"))}
    if b"content-length" in fields:
        return head + file.read(int(fields[b"content-length"]))
    body = b""
    while b"transfer-encoding" in fields and (size := int(file.readline(), 16)):
        body += file.read(size)
        file.readline()
    return head + body


def http(
    body: bytes, content_type: str = "application/soap+xml; charset=UTF-8", *, status: int = 200, more: str = ""
) -> bytes:
    """An HTTP answer."""
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def answering(*answers: bytes) -> Act:
    """An act that reads a request and answers it, as often as there are answers."""

    def act(connection: socket.socket, peer: Peer) -> None:
        for each in answers:
            peer.received.append(request(connection))
            connection.sendall(each)

    return act


def silent(connection: socket.socket, peer: Peer) -> None:
    """An act that reads a request and closes."""
    peer.received.append(request(connection))


def envelope(body: str, *, relates_to: str | None = None) -> bytes:
    """A SOAP answer."""
    related = f"<a:RelatesTo>{relates_to}</a:RelatesTo>" if relates_to else ""
    return (
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:a="{WSA}"><s:Header><a:Action>urn:x</a:Action>{related}</s:Header>'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def multipart(
    root: bytes, documents: Sequence[tuple[str, bytes]], *, root_at: int = 0, brackets: bool = True
) -> tuple[str, bytes]:
    """Content-Type and body of an MTOM answer, its root part anywhere."""
    writer = MtomWriter("urn:x", boundary="mark")
    opening, closing = ("<", ">") if brackets else ("", "")
    parts = [f"Content-Id: {opening}{name}{closing}\r\n\r\n".encode() + data for name, data in documents]
    parts.insert(root_at, b"Content-Type: application/xop+xml\r\nContent-ID: <root@portolan>\r\n\r\n" + root)
    return writer.content_type, b"".join(b"\r\n--mark\r\n" + part for part in parts)[2:] + b"\r\n--mark--\r\n"
