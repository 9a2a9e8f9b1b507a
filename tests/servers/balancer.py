"""A balancer in front of several services: haproxy where it is installed, else a plain one of the tests' own.

Haproxy deals out requests, whatever connection they come by; ours deals out connections.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import socket
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from tests.servers.process import Child, accepts, free_port

_CONFIGURATION: Final = """
global
    maxconn 400
    stats socket {socket}
defaults
    mode http
    balance roundrobin
    timeout connect 2s
    timeout client 60s
    timeout server 60s
"""
_PIECE: Final = 65_536


class Balancer(Protocol):
    """Running; `name` says which it is, `ports` where each group of services can be reached."""

    name: str
    ports: Mapping[str, int]

    def stop(self) -> None: ...


def start_balancer(groups: Mapping[str, Sequence[int]]) -> Balancer:
    """Start the best there is in front of groups of loopback ports, each group by its name."""
    path = haproxy()
    return Haproxy(path, groups) if path else PlainBalancer(groups)


def haproxy() -> str | None:
    """Where haproxy is installed, if it is."""
    return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")


class Haproxy:
    """Debian's haproxy, speaking HTTP, on a configuration of its own."""

    name = "haproxy"

    def __init__(self, path: str, groups: Mapping[str, Sequence[int]]) -> None:
        self.ports = {name: free_port() for name in groups}
        self._child = Child("haproxy")
        file = Path(self._child.folder) / "haproxy.cfg"
        self._socket = Path(self._child.folder) / "stats"
        file.write_text(
            _CONFIGURATION.format(socket=self._socket)
            + "".join(self._section(name, behind) for name, behind in groups.items())
        )
        self._child.start([path, "-db", "-f", str(file)], {})
        self._child.wait_until(lambda: all(map(accepts, self.ports.values())), "haproxy listens")

    def is_up(self, name: str, port: int) -> bool:
        """Whether requests are dealt out to one of a group's services, by what its checks have found."""
        with socket.socket(socket.AF_UNIX) as asked:
            asked.connect(str(self._socket))
            asked.sendall(b"show stat\n")
            told = b"".join(iter(lambda: asked.recv(_PIECE), b"")).decode()
        return any(line.startswith(f"{name},s{port},") and ",UP," in line for line in told.splitlines())

    def _section(self, name: str, behind: Sequence[int]) -> str:
        servers = "".join(f"    server s{port} 127.0.0.1:{port}\n" for port in behind)
        return f"listen {name}\n    bind 127.0.0.1:{self.ports[name]}\n{servers}"

    def stop(self) -> None:
        """End it."""
        self._child.stop()


class PlainBalancer:
    """Joins each connection to the next service in turn; two threads carry its bytes."""

    name = "a plain TCP balancer"

    def __init__(self, groups: Mapping[str, Sequence[int]]) -> None:
        self._listeners = {name: socket.create_server(("127.0.0.1", 0)) for name in groups}
        self.ports = {name: int(listener.getsockname()[1]) for name, listener in self._listeners.items()}
        for name, behind in groups.items():
            self._in_background(self._serve, self._listeners[name], itertools.cycle(behind))

    @staticmethod
    def _in_background(work: object, *arguments: object) -> None:
        threading.Thread(target=work, args=arguments, daemon=True).start()  # type: ignore[arg-type]

    def _serve(self, listener: socket.socket, behind: itertools.cycle[int]) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", next(behind)), 2)
                except OSError:
                    client.close()
                    continue
                server.settimeout(None)
                self._in_background(_carry, client, server)
                self._in_background(_carry, server, client)

    def stop(self) -> None:
        """Take no more connections."""
        for listener in self._listeners.values():
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()


def _carry(source: socket.socket, target: socket.socket) -> None:
    """Pass bytes on until one side ends, then end both; the source is closed here, the target where it is a source."""
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
    source.close()
