"""A process that ends when the one that started it is gone, so that nothing is left listening by itself."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Final

_EVERY_SECONDS: Final = 0.5


def end_with_parent(parent: int | None = None) -> None:
    """Stop this process as SIGTERM would, soon after its parent has died.

    ``parent`` is the id of the process that started it, if that may be gone by now.
    """
    threading.Thread(target=_watch, args=(parent or os.getppid(),), name="parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_EVERY_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
