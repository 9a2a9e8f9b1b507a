"""What took too long, in the log: by its name, its time and its size, and never with a value."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from common.observe.stages import Watch

log = logging.getLogger("portolan.slow")

_MOST_SHAPE: Final = 2_000


@dataclass(slots=True)
class Bounds:
    """From how many seconds on something is slow, in this service."""

    statement: float = 0.5
    request: float = 2.0
    service: str = "other"


BOUNDS: Final = Bounds()


def configure(service: str, *, statement: float, request: float) -> None:
    """Have this process log what takes longer, in seconds."""
    BOUNDS.service, BOUNDS.statement, BOUNDS.request = service, statement, request


def tell_statement(name: str, sql: str, seconds: float, rows: int | None) -> None:
    """Log a statement; its text holds places for values, and no values."""
    told = {
        "duration_ms": round(seconds * 1000, 1),
        "rows": rows,
        "statement": name,
        "sql": " ".join(sql.split())[:_MOST_SHAPE],
    }
    log.warning("a slow statement: %s", name, extra=told)
    _count("statement")


def tell_request(transaction: str, outcome: str, seconds: float, watch: Watch | None) -> None:
    """Log a request, and where its time went, if it was watched."""
    told = {
        "transaction": transaction,
        "outcome": outcome,
        "duration_ms": round(seconds * 1000, 1),
        "stages_ms": watch.milliseconds() if watch is not None else None,
    }
    log.warning("a slow request: %s", transaction, extra=told)
    _count("request")


def _count(kind: str) -> None:
    from common.observe import metrics  # here, since it looks for its directory when it is imported

    metrics.slow(BOUNDS.service, kind)
