"""The receiver of audit records as one thing that is started and stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from auditing.receiving.keeping import Keeper
from auditing.receiving.listening import Listener


class Receiver:
    """A listener, what keeps what it receives, and what goes on beside them."""

    def __init__(self, listener: Listener, keeper: Keeper, beside: Sequence[Callable[[], Callable[[], None]]]) -> None:
        """``beside`` are started with it, and give back what ends them."""
        self._listener, self._keeper, self._beside = listener, keeper, beside
        self._ends: list[Callable[[], None]] = []

    def start(self) -> None:
        """Begin."""
        self._keeper.start()
        self._listener.start()
        self._ends = [begin() for begin in self._beside]

    def stop(self, seconds: float) -> None:
        """Take no more, keep what was taken, and end."""
        self._listener.stop(seconds)
        self._keeper.stop(seconds)
        for end in self._ends:
            end()
