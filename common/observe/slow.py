"""What took too long, in the log: by its name, its time and its size, and never with a value."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from common.observe.stages import Watch, current

log = logging.getLogger("portolan.slow")

_MOST_SHAPE: Final = 2_000


@dataclass(slots=True)
class Bounds:
    """From how many seconds on something is slow."""

    statement: float = 0.5
    request: float = 2.0


BOUNDS: Final = Bounds()


def configure(*, statement: float, request: float) -> None:
    """Have this process log what takes longer, in seconds."""
    BOUNDS.statement, BOUNDS.request = statement, request


def tell_statement(name: str, sql: str, seconds: float, rows: int | None) -> None:
    """Log a statement; its text holds places for values, and no values."""
    watch = current()
    told = {
        "transaction": watch.transaction if watch else None,
        "duration_ms": round(seconds * 1000, 1),
        "rows": rows,
        "statement": name,
        "sql": " ".join(sql.split())[:_MOST_SHAPE],
    }
    log.warning("a slow statement: %s", name, extra=told)
    _count(watch.service if watch else "other", "statement")


def tell_request(watch: Watch) -> None:
    """Log a request, and where its time went."""
    told = {
        "transaction": watch.transaction,
        "outcome": watch.outcome,
        "duration_ms": round(watch.ours * 1000, 1),
        "stages_ms": watch.milliseconds(),
    }
    log.warning("a slow request: %s", watch.transaction, extra=told)
    _count(watch.service, "request")


def _count(service: str, kind: str) -> None:
    from common.observe import metrics  # here, since it looks for its directory when it is imported

    metrics.slow(service, kind)
