"""Speaks HL7 v2 over MLLP to a running service, as a foreign PAS would: bytes over TCP, nothing of our codec."""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass

_numbers = itertools.count(1)
HEAD = "MSH|^~\\&|PAS|ZT901|XDSREG|ZT901|20260306093000||{kind}|{control}|T|{version}"


def a_control_id() -> str:
    """A fresh MSH-10."""
    return f"T{time.time_ns() % 10**12}{next(_numbers)}"


def hl7(*segments: str) -> bytes:
    """Segments as a message."""
    return "".join(f"{segment}\r" for segment in segments).encode()


def adt(event: str, *segments: str, control: str | None = None, version: str = "2.3.1") -> bytes:
    """An ADT message of these segments behind MSH and EVN."""
    kind = f"ADT^{event}"
    head = HEAD.format(kind=kind, control=control or a_control_id(), version=version)
    return hl7(head, f"EVN|{event}|20260306093000", *segments)


def pid(*ids: str) -> str:
    """A PID of nobody in particular."""
    return f"PID|||{'~'.join(ids)}||FENWICK^MAUD^^^MRS||19420317|F"


def admitted(patient_id: str, *, event: str = "A01", control: str | None = None) -> bytes:
    """A01, A04, A05 or A08."""
    return adt(event, pid(patient_id), "PV1||I", control=control)


def merged(subsumed: str, survivor: str, *, control: str | None = None) -> bytes:
    """A40."""
    return adt("A40", pid(survivor), f"MRG|{subsumed}", control=control)


def linked(old: str, new: str, local: str, old_local: str | None = None, *, control: str | None = None) -> bytes:
    """A43."""
    before = f"MRG|{old}~{old_local}" if old_local else f"MRG|{old}"
    return adt("A43", f"PID|||{new}~{local}|| ", before, control=control, version="2.5")


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An acknowledgement taken apart."""

    text: str

    @property
    def segments(self) -> dict[str, list[str]]:
        """Fields by the segment's name; [0] is the name."""
        return {line.split("|")[0]: line.split("|") for line in self.text.split("\r") if line}

    @property
    def code(self) -> str:
        """MSA-1."""
        return self.segments["MSA"][1]

    @property
    def control_id(self) -> str:
        """MSA-2."""
        return self.segments["MSA"][2]

    @property
    def error(self) -> str:
        """ERR, whole."""
        return "|".join(self.segments.get("ERR", []))


class Pas:
    """One connection."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None, seconds: float = 20) -> None:
        plain = _connected(port, seconds)
        try:
            self._socket = context.wrap_socket(plain, server_hostname="localhost") if context else plain
        except OSError:
            plain.close()
            raise
        self._socket.settimeout(seconds)
        self._left = b""

    def send(self, message: bytes) -> Acknowledged:
        """One message, and its acknowledgement."""
        self.write(b"\x0b" + message + b"\x1c\r")
        return self.read()

    def write(self, data: bytes) -> None:
        """Bytes as they are."""
        self._socket.sendall(data)

    def read(self) -> Acknowledged:
        """The next acknowledgement; ConnectionError when the connection ends before."""
        while b"\x1c\r" not in self._left:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("closed")
            self._left += data
        answer, _, self._left = self._left.partition(b"\x1c\r")
        assert answer[:1] == b"\x0b"
        return Acknowledged(answer[1:].decode())

    def is_closed(self) -> bool:
        """Whether the service ends the conversation, without a word."""
        with contextlib.suppress(ConnectionError):
            return self._socket.recv(1) == b""
        return True

    def close(self) -> None:
        """End it."""
        self._socket.close()


def _connected(port: int, seconds: float) -> socket.socket:
    """A listener starts after its service."""
    until = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=seconds)
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


@contextlib.contextmanager
def a_pas(port: int, context: ssl.SSLContext | None = None) -> Iterator[Pas]:
    """A connection, closed at the end."""
    made = Pas(port, context)
    try:
        yield made
    finally:
        made.close()
