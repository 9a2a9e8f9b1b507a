"""A line to a server that a test can cut, for what a neighbour's network does on a bad day."""

from __future__ import annotations

import contextlib
import socket
import threading


class Line:
    """A loopback port whose connections lead to another one; `answer_limit` bytes of each answer pass, -1 for all."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []
        self.port = int(self._listener.getsockname()[1])
        self.answer_limit = -1
        self._start(self._accept)

    def _start(self, work: object, *arguments: object) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets.append(server)
                self._start(self._pass, client, server, False)
                self._start(self._pass, server, client, True)

    def _pass(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                passed += len(data)
                if is_answer and 0 <= self.answer_limit < passed:
                    break
                sink.sendall(data)
        for end in (source, sink):
            _hang_up(end)

    def close(self) -> None:
        """Cut every connection and stop listening."""
        for end in self._sockets:
            _hang_up(end)
        for thread in self._threads:
            thread.join(timeout=5)
        for end in self._sockets:
            end.close()


def _hang_up(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
