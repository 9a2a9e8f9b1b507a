"""Finding programs, taking ports, and child processes that are waited for and ended by their id."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_PATIENCE_SECONDS = 30.0


class Unavailable(Exception):  # noqa: N818 - it leads to a skip, and is no error of the tests
    """The server cannot be had on this machine; the message says how it could be."""


def program(name: str) -> str:
    """The path of a program, from the project's own cache or the PATH; raises Unavailable."""
    cached = _ROOT / ".cache" / "bin" / name
    found = str(cached) if os.access(cached, os.X_OK) else shutil.which(name)
    if not found:
        raise Unavailable(f"{name} is not installed; `python3 start.py test` sets it up")
    return found


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """So many loopback ports that were free a moment ago, each another.

    They lie below those that the system gives to outgoing connections: one that a server gives up while it is started
    again would else be taken by anybody.
    """
    found: list[int] = []
    with ExitStack() as stack:
        while len(found) < count:
            port = random.randrange(20_000, 32_000)
            with contextlib.suppress(OSError):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
                found.append(port)
    return found


def eventually(ready: Callable[[], bool], what: str, seconds: float = _PATIENCE_SECONDS) -> None:
    """Return when `ready` says so; raises TimeoutError after so many seconds."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} within {seconds:.0f} s")
        time.sleep(0.05)


def accepts(port: int) -> bool:
    """Whether somebody listens on this loopback port."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


class Child:
    """A server process with a temporary folder of its own; its output goes to `log`."""

    def __init__(self, name: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"portolan-{name}-"))
        self.log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the command; its environment is the given one and PATH and HOME."""
        plain = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(self.folder)}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                list(command), env={**plain, **environment}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def wait_until(self, ready: Callable[[], bool], what: str) -> None:
        """Return when the server is ready; raises RuntimeError with the end of its log if it died."""

        def ready_or_dead() -> bool:
            return ready() or (self._process is not None and self._process.poll() is not None)

        eventually(ready_or_dead, what)
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"{what}: the server ended, saying {self.log.read_text(errors='replace')[-2000:]}")

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        self._end(subprocess.Popen.kill)

    def stop(self) -> None:
        """End the process, by force if it does not want to, and remove its folder."""
        self._end(subprocess.Popen.terminate)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, how: Callable[[subprocess.Popen[bytes]], None]) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        how(process)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
