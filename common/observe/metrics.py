"""The metrics, as one table, and the calls that feed them.

A label value comes from the code, never from a message; whatever does not look like one counts as `other`.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)

from common.observe.workers import DIRECTORY

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")
_TEN_DIGITS: Final = re.compile(r"[0-9]{10}")
_MOST_CHILDREN: Final = 2_000


@dataclass(frozen=True)
class Row:
    """One metric; `mode` says how a gauge's values of several processes become one."""

    kind: type[Counter] | type[Gauge] | type[Histogram]
    name: str
    labels: tuple[str, ...]
    meaning: str
    mode: str = ""


TABLE: Final = (
    Row(Counter, "requests_total", ("service", "transaction", "outcome"), "Requests answered."),
    Row(Histogram, "request_seconds", ("service", "transaction"), "Time from request to answer."),
    Row(Histogram, "stage_seconds", ("service", "transaction", "stage"), "Time that one stage of a request took."),
    Row(Counter, "document_bytes_total", ("direction",), "Bytes of documents received and sent."),
    Row(Gauge, "in_flight", ("service",), "Requests being served.", "livesum"),
    Row(Counter, "errors_total", ("code",), "Errors reported, by the standard's code."),
    Row(Gauge, "pending_documents", (), "Documents not yet settled with the Registry.", "mostrecent"),
    Row(Gauge, "outbox_waiting", ("service",), "Answers that wait to be delivered.", "mostrecent"),
    Row(Gauge, "outbox_dead", ("service",), "Answers given up, which wait for an operator.", "mostrecent"),
    Row(Gauge, "outbox_oldest_seconds", ("service",), "Age of the oldest answer that waits.", "mostrecent"),
    Row(Counter, "outbox_total", ("service", "outcome"), "Deliveries of answers: delivered, failed, dead."),
    Row(Counter, "replica_reads_total", ("outcome",), "Stored queries that a replica answered, or why it did not."),
    Row(Gauge, "build_info", ("version",), "The version that runs; always 1.", "max"),
)

# The time at which each series began doubles the answer, and several processes have none in common.
disable_created_metrics()  # type: ignore[no-untyped-call]

_registry: Final = CollectorRegistry()


def _made(row: Row) -> Any:
    more: dict[str, Any] = {"multiprocess_mode": row.mode} if row.kind is Gauge else {}
    if row.kind is Histogram:
        more["buckets"] = _SECONDS
    return row.kind(f"portolan_{row.name}", row.meaning, row.labels, registry=_registry, **more)


_metrics: Final[dict[str, Any]] = {row.name: _made(row) for row in TABLE}
_known: Final[set[tuple[str, ...]]] = set()


@lru_cache(maxsize=2 * _MOST_CHILDREN)
def _child(name: str, *labels: str) -> Any:
    """The one counter, gauge or histogram for these label values; looked up once, then remembered."""
    safe = tuple(label if _LABEL.fullmatch(label) and not _TEN_DIGITS.search(label) else "other" for label in labels)
    if (name, *safe) not in _known and len(_known) >= _MOST_CHILDREN:
        safe = tuple("other" for _ in labels)
    _known.add((name, *safe))
    return _metrics[name].labels(*safe) if labels else _metrics[name]


def request(service: str, transaction: str, outcome: str, seconds: float) -> None:
    """Count one answered request, and the time it took."""
    _child("requests_total", service, transaction, outcome).inc()
    _child("request_seconds", service, transaction).observe(seconds)


def stage(service: str, transaction: str, name: str, seconds: float) -> None:
    """Note the time that one stage of a request took."""
    _child("stage_seconds", service, transaction, name).observe(seconds)


@contextmanager
def timed_stage(service: str, transaction: str, name: str) -> Iterator[None]:
    """Note the time that the block took, whether it succeeds or not."""
    began = time.perf_counter()
    try:
        yield
    finally:
        stage(service, transaction, name, time.perf_counter() - began)


@contextmanager
def in_flight(service: str) -> Iterator[None]:
    """Count the block as a request being served."""
    gauge = _child("in_flight", service)
    gauge.inc()
    try:
        yield
    finally:
        gauge.dec()


def document_bytes(direction: str, count: int) -> None:
    """Count bytes of documents, `in` or `out`."""
    _child("document_bytes_total", direction).inc(count)


def error(code: str) -> None:
    """Count one reported error by its code in the standard."""
    _child("errors_total", code).inc()


def pending_documents(count: int) -> None:
    """Say how many documents are not yet settled with the Registry."""
    _child("pending_documents").set(count)


def outbox(service: str, outcome: str) -> None:
    """Count one delivery of an answer: `delivered`, `failed`, or `dead` when it was the last."""
    _child("outbox_total", service, outcome).inc()


def outbox_depth(service: str, waiting: int, dead: int, oldest: float) -> None:
    """Say how many answers wait, how many are dead, and how old the oldest one that waits is (seconds)."""
    _child("outbox_waiting", service).set(waiting)
    _child("outbox_dead", service).set(dead)
    _child("outbox_oldest_seconds", service).set(oldest)


def replica_read(outcome: str) -> None:
    """Count one question of a stored query: `replica`, or why the database itself was asked, `behind` or `away`."""
    _child("replica_reads_total", outcome).inc()


def render() -> bytes:
    """All metrics in Prometheus' text form, those of all workers of the service together."""
    _child("build_info", f"v{_version()}").set(1)
    directory = os.environ.get(DIRECTORY)
    if not directory:
        return generate_latest(_registry)
    _forget_the_dead(Path(directory))
    merged = CollectorRegistry()
    multiprocess.MultiProcessCollector(merged, path=directory)  # type: ignore[no-untyped-call]
    return generate_latest(merged)


@lru_cache(maxsize=1)
def _version() -> str:
    try:
        return version("portolan")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "unknown"


def _forget_the_dead(directory: Path) -> None:
    """Drop what killed workers left in flight; they could not count it down."""
    for file in directory.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdigit() and not _runs(int(pid)):
            with suppress(OSError):
                file.unlink()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
