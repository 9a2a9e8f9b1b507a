"""Whether a service runs (live) and whether it can work (ready).

Answers name the check and the kind of failure only: what a database says may hold patient data or a password.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from common.observe.redact import redacted

OK: Final = "ok"


class Unready(Exception):  # noqa: N818 (a state, not a mistake)
    """Raised by a check to say in plain words, without values, why the service cannot work."""


class _Check:
    """One named check, run in a thread of its own; one that hangs is not started a second time."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call
        self._thread: threading.Thread | None = None
        self._outcome = OK

    def start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="health", daemon=True)
            self._thread.start()

    def outcome(self, patience: float) -> str | None:
        """What the check found, or None when it has not answered within this many seconds."""
        if self._thread is None:
            return None
        self._thread.join(max(0.0, patience))
        return None if self._thread.is_alive() else self._outcome

    def _run(self) -> None:
        try:
            self._call()
        except Unready as reason:
            self._outcome = redacted(str(reason))[:200] or "failed"
        except BaseException as error:  # whatever a check raises is an answer, not a breakdown
            self._outcome = f"failed ({type(error).__name__})"
        else:
            self._outcome = OK


class Health:
    """The health of one service: named checks, each raising when its neighbour or store does not work."""

    def __init__(
        self,
        checks: Mapping[str, Callable[[], object]],
        *,
        bound: float = 2.0,
        keep: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Checks by name; an answer takes at most `bound` seconds and is kept for `keep` seconds."""
        self._checks = {name: _Check(call) for name, call in checks.items()}
        self._bound, self._keep, self._clock = bound, keep, clock
        self._lock = threading.Lock()
        self._broken: dict[str, str] = {}
        self._last: tuple[float, dict[str, str]] | None = None

    def live(self) -> bool:
        """True: a process that can answer runs."""
        return True

    def break_down(self, name: str, reason: str) -> None:
        """Be unready from now on, for a failure that only a restart settles, such as a failed fsync."""
        self._broken[name] = redacted(reason)[:200]

    def ready(self) -> tuple[bool, dict[str, str]]:
        """Whether all checks pass, and for each `ok` or why not."""
        with self._lock:
            now = self._clock()
            if self._last is None or now - self._last[0] >= self._keep:
                found = self._run()
                self._last = (self._clock(), found)
            found = {**self._last[1], **self._broken}
        return all(outcome == OK for outcome in found.values()), found

    def _run(self) -> dict[str, str]:
        """All checks at once, so that together they take no longer than the bound."""
        for check in self._checks.values():
            check.start()
        deadline = time.monotonic() + self._bound
        late = f"no answer within {self._bound:g} s"
        return {name: check.outcome(deadline - time.monotonic()) or late for name, check in self._checks.items()}
