"""How the trail was found when it was last verified: a small file that the command writes and the service shows."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Final

from common.observe import metrics

_FILE: Final = "audit-verified.json"
_LOOK_EVERY: Final = 15.0


def note(data: Path, *, whole: bool) -> None:
    """Write it down; a whole file or none."""
    data.mkdir(parents=True, exist_ok=True)
    beside = data / f"{_FILE}.{os.getpid()}"
    beside.write_text(json.dumps({"whole": whole, "at": time.time()}), encoding="utf-8")
    beside.replace(data / _FILE)


def look(data: Path) -> tuple[bool, float] | None:
    """What was written; None where nothing, or nothing that can be read, was."""
    try:
        told = json.loads((data / _FILE).read_text(encoding="utf-8"))
        return bool(told["whole"]), float(told["at"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def watch(data: Path) -> None:
    """Show it among the metrics, in a thread."""

    def run() -> None:
        while True:
            if (found := look(data)) is not None:
                metrics.audit_verified(*found)
            time.sleep(_LOOK_EVERY)

    threading.Thread(target=run, name="verified", daemon=True).start()
