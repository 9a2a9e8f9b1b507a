"""Keeps one child process for each service running until it is told to stop."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from common.settings import Settings
from console.failure import HOPELESS, Failure
from console.serving.services import Service

_TICK: Final = 0.1
_PAUSE: Final = 1.0
_AT_ONCE: Final = 5.0
_MOST_TRIES: Final = 3
_STOP_SECONDS: Final = 30.0
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Child:
    """One service's process, started again when it dies by itself."""

    def __init__(
        self, service: Service, settings: Settings, options: Sequence[str], listener: socket.socket | None = None
    ) -> None:
        """``listener`` listens for the process already, and goes on while that is started again."""
        self.service = service
        self._settings = settings
        self._listener = listener
        more = ["--listen-fd", str(listener.fileno())] if listener else []
        child = ["serve", "--child-of", str(os.getpid()), *more, *options, service.name]
        self._command = [sys.executable, "-m", "console", *child]
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        # What belongs to another service starts once that is up: its database is migrated then.
        self._again_at = math.inf if service.after else 0.0
        self._failures = 0
        self._has_served = False

    @property
    def pid(self) -> int | None:
        """The process's id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def begin(self) -> None:
        """Have it started at the next look."""
        self._again_at = min(self._again_at, time.monotonic())

    def start(self) -> None:
        """Start the process in a session of its own: Ctrl-C in a terminal is for the supervisor alone."""
        self._began = time.monotonic()
        inherited = (self._listener.fileno(),) if self._listener else ()
        self._process = subprocess.Popen(  # noqa: S603
            self._command, stdin=subprocess.DEVNULL, start_new_session=True, pass_fds=inherited
        )

    def look_after(self) -> None:
        """Start it again a while after it ended; Failure when it ends at once time after time.

        What has served once did not find a wrong setting, but a neighbour that is away for a while: it is started
        again until that is back.
        """
        if self._process is None:
            if time.monotonic() >= self._again_at:
                self.start()
            return
        code = self._process.poll()
        if code is None:
            return
        self._failures = self._failures + 1 if self._ended_at_once() else 1
        if code == HOPELESS or (self._failures >= _MOST_TRIES and not self._has_served):
            times = f" {self._failures} times in a row" if self._failures > 1 else ""
            raise Failure(f"The {self.service.name} ended as soon as it was started{times} ({_ending(code)}).")
        click_err(f"the {self.service.name} ended ({_ending(code)}); it is started again")
        # What ran well is back at once; what fails as it starts is given time, and does not fill the log.
        self._process, self._again_at = None, time.monotonic() + (_PAUSE if self._ended_at_once() else 0.0)

    def _ended_at_once(self) -> bool:
        return time.monotonic() - self._began < _AT_ONCE

    def answers(self) -> bool:
        """Whether it answers."""
        self._has_served = self.service.answers(self._settings)
        return self._has_served

    def signal(self, number: int) -> None:
        """Send a signal to the process, and with SIGKILL to its workers too."""
        if self._process is None or self._process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)


def click_err(text: str) -> None:
    """One line on stderr."""
    print(f"portolan: {text}", file=sys.stderr, flush=True)


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


class Supervisor:
    """Starts children, tells when each is up, and ends when asked to."""

    def __init__(self, children: Sequence[Child], told: Callable[[Child], None]) -> None:
        self._children = list(children)
        self._told = told
        self._stop = threading.Event()

    def run(self) -> None:
        """Run until a signal or `stop`; the children are gone when this returns or raises."""
        self._hear_signals()
        try:
            for child in self._children:
                if not child.service.after:
                    child.start()
            waiting = list(self._children)
            while not self._stop.wait(_TICK):
                self._look_after()
                for child in [child for child in waiting if child.answers()]:
                    waiting.remove(child)
                    self._told(child)
                    for other in self._children:
                        if other.service.after == child.service.name:
                            other.begin()
        finally:
            self._end()

    def stop(self) -> None:
        """Have `run` return soon."""
        self._stop.set()

    def _hear_signals(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                    continue  # nohup: it is to outlive the terminal
                signal.signal(number, lambda *_: self._stop.set())

    def _look_after(self) -> None:
        for child in self._children:
            child.look_after()
        if os.getpid() == 1:
            _reap({child.pid for child in self._children})

    def _end(self) -> None:
        """Stop the last service first: the Repository may still have to register what it took in."""
        deadline = time.monotonic() + _STOP_SECONDS
        for number, child in enumerate(reversed(self._children)):
            child.signal(signal.SIGTERM)
            rest = len(self._children) - 1 - number
            _await_end(child, deadline - 5 * rest)
        for child in self._children:
            _await_end(child, deadline)
            child.signal(signal.SIGKILL)


def _await_end(child: Child, deadline: float) -> None:
    while child.pid is not None and time.monotonic() < deadline:
        time.sleep(_TICK / 4)


def _reap(ours: set[int | None]) -> None:
    """As process 1, take note of the ends of processes that lost their parent, so that none stays a zombie."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if ended.si_pid in ours:
                return
            os.waitpid(ended.si_pid, 0)
