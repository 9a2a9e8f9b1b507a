"""A way to a server with weather on it: slow, refusing, silent, or cut, as a test has it at the moment."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time

_PIECE = 65_536
_NOW = struct.pack("ii", 1, 0)  # SO_LINGER: the other side hears of the end by a reset


class Weather:
    """A loopback port that leads to another one.

    `delay` (seconds) lies before every piece of an answer; with `refuses` nobody gets in and everybody is thrown out;
    with `silent` nothing of an answer passes; `most` bytes of each answer pass before the connection is cut, -1 for
    all. What is under way feels a change at once.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = int(self._listener.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._refuses = False
        self.fair()
        self._start(self._accept, self._listener)

    def lead_to(self, target: int) -> None:
        """Lead somewhere else from now on; connections that there are end."""
        self._target = target
        self.cut()

    def fair(self) -> None:
        """Nothing is wrong."""
        self.delay, self.silent, self.most = 0.0, False, -1
        if self._refuses:
            self._listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
            self._start(self._accept, self._listener)
        self._refuses = False

    def refuse(self) -> None:
        """As a server that is not there."""
        self._refuses = True
        _hang_up(self._listener)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Break every connection that there is."""
        with self._lock:
            ends, self._open = self._open, set()
        for end in ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOW)
            _hang_up(end)

    @staticmethod
    def _start(work: object, *arguments: object) -> None:
        threading.Thread(target=work, args=arguments, daemon=True).start()  # type: ignore[arg-type]

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._target), 2)
                except OSError:
                    client.close()
                    continue
                server.settimeout(None)
                with self._lock:
                    self._open |= {client, server}
                self._start(self._pass, client, server, False)
                self._start(self._pass, server, client, True)

    def _pass(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(_PIECE):
                while is_answer and self.silent and source in self._open:
                    time.sleep(0.02)
                passed += len(data)
                if is_answer and 0 <= self.most < passed:
                    break
                if is_answer and self.delay:
                    time.sleep(self.delay)
                sink.sendall(data)
        for end in (source, sink):
            _hang_up(end)
        with self._lock:
            self._open -= {source}
        source.close()

    def close(self) -> None:
        """Listen no more, and break what is under way."""
        if not self._refuses:
            self.refuse()


def _hang_up(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
