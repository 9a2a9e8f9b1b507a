"""An audit repository of the tests' own: takes syslog over TLS or TCP, and keeps what comes, frame by frame.

It answers the end of a connection with its own once all is on the disk. ``python -m`` runs one that can be killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from lxml import etree

from common.audit.syslog import frames_in
from common.tls import Files, Role
from common.tls.contexts import made
from tests.servers.process import free_port


def serve(port: int, place: Path, tls: ssl.SSLContext | None, *, says_end: bool = True) -> None:
    """Until killed."""
    listener = socket.create_server(("127.0.0.1", port), backlog=64)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=_take, args=(sock, place, tls, says_end), daemon=True).start()


def _take(sock: socket.socket, place: Path, tls: ssl.SSLContext | None, says_end: bool) -> None:
    with contextlib.suppress(OSError):
        connection = tls.wrap_socket(sock, server_side=True, suppress_ragged_eofs=False) if tls else sock
        pieces = []
        while data := connection.recv(1 << 18):
            pieces.append(data)
        whole = b"".join(pieces)
        whole = whole[: frames_in(whole).end]
        if not says_end:
            time.sleep(60)
            return
        with place.open("ab") as file:  # one write, so that what several threads keep is not mixed
            file.write(whole)
            file.flush()
            os.fsync(file.fileno())
        if isinstance(connection, ssl.SSLSocket):
            connection = connection.unwrap()
        connection.close()


@dataclass
class AuditRepository:
    """One in a process of its own."""

    folder: Path
    pki: tuple[str, str] | None = None
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    @property
    def place(self) -> Path:
        """The file of what it has."""
        return self.folder / f"received-{self.port}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        arguments = [str(self.port), str(self.place), *(self.pki or ())]
        self.process = subprocess.Popen([sys.executable, "-m", "tests.servers.audit_repository", *arguments])
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            time.sleep(0.05)
        raise AssertionError("the tests' audit repository does not listen")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)
            self.process = None

    def messages(self) -> list[bytes]:
        """The syslog messages that it has, in the order in which they came; those that came twice only once."""
        data = self.place.read_bytes() if self.place.exists() else b""
        found = frames_in(data)
        assert found.end == len(data), "what was kept is not frames alone"
        whole = [data[start:end] for start, end in pairwise([*found.starts, found.end])]
        return [frame.partition(b" ")[2] for frame in dict.fromkeys(whole)]

    def records(self) -> list[etree._Element]:
        """The AuditMessages."""
        return [etree.fromstring(each.partition(b" - ")[2]) for each in self.messages()]

    def await_records(self, count: int, seconds: float = 20) -> list[etree._Element]:
        """Once there are so many."""
        until = time.monotonic() + seconds
        while len(found := self.records()) < count and time.monotonic() < until:
            time.sleep(0.1)
        assert len(found) >= count, f"{len(found)} records of {count} have come"
        return found


if __name__ == "__main__":
    certificate, authority = sys.argv[3:5] if len(sys.argv) > 3 else ("", "")
    context = made(Files(certificate, "", authority), Role.SERVER) if certificate else None
    serve(int(sys.argv[1]), Path(sys.argv[2]), context)
