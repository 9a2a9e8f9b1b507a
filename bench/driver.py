"""A closed-loop driver: so many connections kept alive, each sends when it has its answer."""

from __future__ import annotations

import os
import socket
import ssl
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.messages import Request

_TICKS = os.sysconf("SC_CLK_TCK")


class WrongAnswerError(AssertionError):
    """An answer that is not what was asked for: a measurement that holds one is worth nothing."""


class Connection:
    """One HTTP/1.1 connection; reads answers with Content-Length or chunks."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 80), 120)
        if tls is not None:
            self._socket = tls.wrap_socket(self._socket, server_hostname=parts.hostname)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(1024 * 1024)

    def exchange(self, request: Request) -> int:
        """Send, read to the last byte; the answer's length in bytes. WrongAnswerError when it is not the right one."""
        for piece in request.pieces:
            self._socket.sendall(piece)
        first = b""
        while (end := first.find(b"\r\n\r\n")) < 0:
            first += self._received()
        head = first[:end].lower()
        rest = first[end + 4 :]
        if b" 200" not in head[:16] or b"content-length:" not in head:
            raise WrongAnswerError(first[:600])
        length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        seen = request.expect in rest
        got, kept = len(rest), rest[-2048:]
        while got < length:
            count = self._count()
            got += count
            if not seen:
                kept = (kept + bytes(memoryview(self._buffer)[:count]))[-1024 * 1024 :]
                seen = request.expect in kept
        if not seen:
            raise WrongAnswerError(bytes(kept[:600]))
        return length

    def _received(self) -> bytes:
        count = self._count()
        return bytes(memoryview(self._buffer)[:count])

    def _count(self) -> int:
        """How many bytes have come into the buffer."""
        count = self._socket.recv_into(self._buffer)
        if not count:
            raise WrongAnswerError("the connection was closed")
        return count

    def close(self) -> None:
        """Close it."""
        self._socket.close()


@dataclass(frozen=True, slots=True)
class Figures:
    """What one scenario came to; times in seconds, memory in MiB."""

    name: str
    count: int
    seconds: float
    latencies: tuple[float, ...]
    cpu: float
    memory: float
    payload: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.count / self.seconds

    def percentile(self, share: float) -> float:
        """A latency in milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000

    @property
    def megabytes(self) -> float:
        """Document bytes a second, in units of 10⁶; 0 where no documents travel."""
        return self.payload * self.count / self.seconds / 1e6


def family(pids: Iterable[int]) -> set[int]:
    """These processes and all their descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found: set[int] = set()
    waiting = list(pids)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of processes and their descendants."""
    total = 0
    for pid in family(pids):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def largest_memory(pids: Iterable[int]) -> float:
    """The peak resident set of the largest single process, in MiB; asking begins a new peak."""
    most = 0
    for pid in family(pids):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            most = max(most, int(status.split("VmHWM:")[1].split()[0]))
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        except (OSError, IndexError):
            continue
    return most / 1024


def measure(
    name: str, url: str, requests: Sequence[Request], *, connections: int, pids: Sequence[int], payload: int = 0
) -> Figures:
    """Send all requests over so many connections, the first tenth uncounted."""
    warm = max(connections, len(requests) // 10)
    _run(url, requests[:warm], connections)
    largest_memory(pids)
    before, begun = cpu_seconds(pids), time.perf_counter()
    latencies = _run(url, requests[warm:], connections)
    seconds = time.perf_counter() - begun
    spent = cpu_seconds(pids) - before
    count = len(latencies)
    return Figures(name, count, seconds, tuple(latencies), spent / count, largest_memory(pids), payload)


def _run(url: str, requests: Sequence[Request], connections: int, tls: ssl.SSLContext | None = None) -> list[float]:
    latencies: list[float] = []
    errors: list[BaseException] = []
    lock = threading.Lock()
    waiting = iter(requests)

    def work() -> None:
        connection = Connection(url, tls)
        own: list[float] = []
        try:
            while not errors:
                with lock:
                    request = next(waiting, None)
                if request is None:
                    break
                begun = time.perf_counter()
                connection.exchange(request)
                own.append(time.perf_counter() - begun)
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()
            with lock:
                latencies.extend(own)

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return latencies


def median_of(times: int, call: Callable[[], object]) -> float:
    """The median time of one call, in seconds."""
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        call()
        found.append(time.perf_counter() - begun)
    return statistics.median(found)
