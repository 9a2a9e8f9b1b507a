"""Sends so many requests a second, whether or not they are answered: what a crowd does. Run as a process of its own.

    python -m tests.system.survival_flood REGISTRY-URL REPOSITORY-URL PATIENT RATE SECONDS

Prints one JSON object: how many came to what, and how long those took that were carried out.
"""

from __future__ import annotations

import json
import random
import selectors
import socket
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bench.messages import document, find, provide, register
from tests.factories import a_patient_id

MOST = 3_000
"""Connections that are open at a time; a request that finds none is counted as one that could not be sent."""
PATIENCE = 30.0
_SUCCESS = b"ResponseStatusType:Success"


def templates(registry: str, repository: str, patient: str) -> list[tuple[str, Callable[[], bytes]]]:
    """Each kind of request by its name and maker: asking, registering, and providing 10 KiB."""
    asked = b"".join(find(registry, patient).pieces)
    registered = b"".join(register(registry, a_patient_id()).pieces)
    content = document(10_240)
    provided = b"".join(provide(repository, content).pieces)
    return [
        ("ITI-18", lambda: asked),
        ("ITI-42", _fresh(registered)),
        ("ITI-41", _fresh(provided)),
    ]


def _fresh(template: bytes) -> Callable[[], bytes]:
    """The same message with other ids of equal length."""
    names = list(_oids(template))
    message = template[template.index(b"urn:uuid:", template.index(b"MessageID")) :][:45]

    def made() -> bytes:
        data = template.replace(message, f"urn:uuid:{uuid.uuid4()}".encode())
        for name in names:
            other = str(random.randrange(10 ** (len(name) - 6), 10 ** (len(name) - 5)))
            data = data.replace(name, b"2.25." + other.encode())
        return data

    return made


def _oids(template: bytes) -> set[bytes]:
    """The uniqueIds in a message."""
    found, start = set(), 0
    while (start := template.find(b'"2.25.', start)) >= 0:
        found.add(template[start + 1 : template.index(b'"', start + 1)])
        start += 5
    return found


@dataclass
class Line:
    """A connection and what is under way on it."""

    sock: socket.socket
    port: int
    kind: str = ""
    begun: float = 0.0
    out: bytes = b""
    held: bytes = b""


@dataclass
class Crowd:
    """Everybody who asks."""

    counts: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    idle: dict[int, list[Line]] = field(default_factory=dict)
    lines: set[int] = field(default_factory=set)
    waiting: selectors.EpollSelector = field(default_factory=selectors.EpollSelector)

    def send(self, kind: str, port: int, data: bytes) -> None:
        """One request, over a connection that nobody uses or a new one."""
        free = self.idle.setdefault(port, [])
        if free:
            line = free.pop()
        elif len(self.lines) >= MOST:
            self.counts["not sent"] += 1
            return
        else:
            line = Line(socket.socket(), port)
            line.sock.setblocking(False)
            line.sock.connect_ex(("127.0.0.1", port))
            self.lines.add(line.sock.fileno())
            self.waiting.register(line.sock, selectors.EVENT_WRITE, line)
        line.kind, line.begun, line.out, line.held = kind, time.monotonic(), data, b""
        self.waiting.modify(line.sock, selectors.EVENT_WRITE, line)

    def turn(self, seconds: float) -> None:
        """Send and receive what can be, for at most so long."""
        for key, event in self.waiting.select(seconds):
            line: Line = key.data
            try:
                if event & selectors.EVENT_WRITE and line.out:
                    line.out = line.out[line.sock.send(line.out) :]
                    if not line.out:
                        self.waiting.modify(line.sock, selectors.EVENT_READ, line)
                elif event & selectors.EVENT_READ:
                    self._received(line, line.sock.recv(262_144))
            except BlockingIOError:
                continue
            except OSError:
                self._end(line, "broken connection" if line.kind else "")

    def _received(self, line: Line, data: bytes) -> None:
        line.held += data
        head, mark, body = line.held.partition(b"\r\n\r\n")
        if mark:
            length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
            if len(body) >= length:
                self._answered(line, head, body)
                return
        if not data:
            self._end(line, "broken connection" if line.kind else "")

    def _answered(self, line: Line, head: bytes, body: bytes) -> None:
        status = head[9:12].decode()
        if status == "503":
            outcome = "503" if b"retry-after" in head.lower() else "503 without Retry-After"
        elif status == "200" and _SUCCESS in body:
            outcome = "Success"
            self.times.append(time.monotonic() - line.begun)
        else:
            outcome = body.partition(b'errorCode="')[2].partition(b'"')[0].decode() or f"HTTP {status}"
        self.counts[f"{line.kind} {outcome}"] += 1
        line.kind = ""
        if b"connection: close" in head.lower():
            self._end(line, "")
        else:
            self.waiting.modify(line.sock, selectors.EVENT_READ, line)
            self.idle[line.port].append(line)

    def _end(self, line: Line, outcome: str) -> None:
        if outcome:
            self.counts[f"{line.kind} {outcome}"] += 1
        self.waiting.unregister(line.sock)
        self.lines.discard(line.sock.fileno())
        line.sock.close()
        if line in self.idle.get(line.port, []):
            self.idle[line.port].remove(line)

    @property
    def under_way(self) -> int:
        """Requests that have no answer yet."""
        return len(self.lines) - sum(map(len, self.idle.values()))


def flood(registry: str, repository: str, patient: str, rate: float, seconds: float) -> dict[str, object]:
    """What a crowd comes to."""
    asked, registered, provided = templates(registry, repository, patient)
    # Mostly what costs most, so that one process can ask for several times what can be carried out.
    kinds, crowd, sent = [provided, asked, provided, registered, provided], Crowd(), 0
    ports = {"ITI-41": urlsplit(repository).port or 0}
    begun = time.monotonic()
    while (passed := time.monotonic() - begun) < seconds:
        due = int(passed * rate) - sent
        for _ in range(min(due, 200)):
            name, make = kinds[sent % len(kinds)]
            crowd.send(name, ports.get(name, urlsplit(registry).port or 0), make())
            sent += 1
        crowd.turn(0.0 if due > 200 else 0.002)
    end = time.monotonic()
    served = sum(count for name, count in crowd.counts.items() if name.endswith("Success"))
    while crowd.under_way and time.monotonic() < end + PATIENCE:
        crowd.turn(0.05)
    crowd.counts["unanswered"] = crowd.under_way
    times = sorted(crowd.times) or [0.0]
    return {
        "offered": sent,
        "rate": sent / seconds,
        "served a second": served / seconds,
        "outcomes": dict(sorted(crowd.counts.items())),
        "p50": times[len(times) // 2],
        "p95": times[int(len(times) * 0.95)],
        "longest": times[-1],
    }


if __name__ == "__main__":
    print(json.dumps(flood(*sys.argv[1:4], float(sys.argv[4]), float(sys.argv[5]))))  # type: ignore[call-arg]
