"""Values that are made of files, and made anew when those change: certificates, issuers, keys."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Generic, TypeVar

Value = TypeVar("Value")

LOOK_EVERY: Final = 1.0


class Followed(Generic[Value]):
    """A value as its files are, which are looked at once a second; safe to use from many threads.

    Files that cannot be used, half-copied ones, leave what was before in force, and are told of in the log.
    """

    def __init__(
        self,
        what: str,
        make: Callable[[], Value],
        paths: Callable[[], Iterable[Path]],
        unusable: type[Exception] | tuple[type[Exception], ...],
        log: logging.Logger,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """``unusable`` is what ``make`` raises for files that cannot be used; so does this, to begin with."""
        self._what, self._make, self._paths, self._unusable, self._log = what, make, paths, unusable, log
        self._now = now
        self._lock = threading.Lock()
        self._state = self._seen()
        self._value = make()
        self._looked = now()

    def __call__(self) -> Value:
        """The value of now."""
        if self._now() - self._looked > LOOK_EVERY:
            with self._lock:
                if self._now() - self._looked > LOOK_EVERY:
                    self._looked = self._now()
                    self._look()
        return self._value

    def _look(self) -> None:
        state = self._seen()
        if state == self._state:
            return
        self._state = state
        try:
            self._value = self._make()
        except self._unusable as error:
            self._log.error("changed %s cannot be used, those from before stay in force: %s", self._what, error)
        else:
            self._log.info("%s were read again", self._what)

    def _seen(self) -> tuple[tuple[str, int, int], ...]:
        """Names, times and sizes of the files; nothing where one cannot be looked at."""
        try:
            found = [(str(each), each.stat()) for each in self._paths()]
        except (OSError, ValueError):
            return ()
        return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in found)
