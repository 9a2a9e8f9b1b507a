"""The metrics, as one table, and the calls that feed them.

A label value comes from the code, never from a message; whatever does not look like one counts as `other`.
"""

import os
import re
import threading
import time
from bisect import bisect_left
from collections.abc import Mapping
from contextlib import suppress
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

from common.observe import stages
from common.observe.workers import DIRECTORY

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
# Stages are parts of requests, of which many take less than a millisecond.
_STAGE_SECONDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30)
_FLUSH_SECONDS: Final = 1.0
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
    buckets: tuple[float, ...] = _SECONDS


TABLE: Final = (
    Row(Counter, "requests_total", ("service", "transaction", "outcome"), "Requests answered."),
    Row(Histogram, "request_seconds", ("service", "transaction"), "Time from request to answer."),
    Row(
        Histogram,
        "stage_seconds",
        ("service", "transaction", "stage"),
        "Time that a request spent in one stage, that of others within it not counted.",
        buckets=_STAGE_SECONDS,
    ),
    Row(Counter, "slow_total", ("service", "kind"), "Requests and statements that were slow, as settings say."),
    Row(Counter, "refused_total", ("service",), "Requests refused with 503, since too many were waiting."),
    Row(Counter, "document_bytes_total", ("direction",), "Bytes of documents received and sent."),
    Row(Gauge, "in_flight", ("service",), "Requests being served.", "livesum"),
    Row(Gauge, "capacity", ("service",), "Requests that can be served at a time.", "livesum"),
    Row(Gauge, "disk_size_bytes", ("disk",), "Size of the file system that something is kept on.", "mostrecent"),
    Row(Gauge, "disk_free_bytes", ("disk",), "What is free there for the service.", "mostrecent"),
    Row(Counter, "errors_total", ("code",), "Errors reported, by the standard's code."),
    Row(Gauge, "pending_documents", (), "Documents not yet settled with the Registry.", "mostrecent"),
    Row(Gauge, "outbox_waiting", ("service",), "Answers that wait to be delivered.", "mostrecent"),
    Row(Gauge, "outbox_dead", ("service",), "Answers given up, which wait for an operator.", "mostrecent"),
    Row(Gauge, "outbox_oldest_seconds", ("service",), "Age of the oldest answer that waits.", "mostrecent"),
    Row(Counter, "outbox_total", ("service", "outcome"), "Deliveries of answers: delivered, failed, dead."),
    Row(
        Gauge,
        "forwards",
        ("state",),
        "Messages of the cross-reference for the Registry that wait, or were refused.",
        "mostrecent",
    ),
    Row(Counter, "replica_reads_total", ("outcome",), "Stored queries that a replica answered, or why it did not."),
    Row(
        Counter,
        "visit_events_total",
        ("outcome",),
        "Events of visits in patient feeds: noted, again (known from before), unmapped (at a place without a code), "
        "refused (of a sender without the right).",
    ),
    Row(Counter, "audit_records_total", ("outcome",), "Audit records received: kept, known from before, unreadable."),
    Row(Gauge, "audit_last_record_seconds", (), "When the last audit record was kept, since 1970.", "max"),
    Row(Gauge, "audit_verified", (), "Whether the audit trail was whole when last verified.", "mostrecent"),
    Row(Gauge, "audit_verified_seconds", (), "When that was, since 1970.", "mostrecent"),
    Row(Counter, "audit_spooled_total", ("service",), "Audit records kept."),
    Row(Counter, "audit_sent_total", ("destination",), "Audit records that an audit repository has confirmed."),
    Row(
        Counter,
        "audit_failures_total",
        ("where",),
        "What went wrong with audit records: spool (not kept), record (done without one), delivery, damage.",
    ),
    Row(Gauge, "audit_waiting", ("destination",), "Audit records that wait to be confirmed.", "mostrecent"),
    Row(Gauge, "audit_oldest_seconds", ("destination",), "Age of the oldest audit record that waits.", "mostrecent"),
    Row(Gauge, "build_info", ("version",), "The version that runs; always 1.", "max"),
)

# The time at which each series began doubles the answer, and several processes have none in common.
disable_created_metrics()  # type: ignore[no-untyped-call]

_registry: Final = CollectorRegistry()


def _made(row: Row) -> Any:
    more: dict[str, Any] = {"multiprocess_mode": row.mode} if row.kind is Gauge else {}
    if row.kind is Histogram:
        more["buckets"] = row.buckets
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


class _Tally:
    """What happens at each request's stages, added up here and handed on once a second.

    A histogram that processes share takes microseconds for each value, and a request has many.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._rows: dict[tuple[str, str], dict[str, list[float]]] = {}
        self._in_flight: dict[str, int] = {}
        self._changed: set[str] = set()
        self._due = False

    def stages(self, service: str, transaction: str, spent: Mapping[str, float]) -> None:
        """One request's times: for each stage the sum, and how many fell into each bucket."""
        with self._lock:
            rows = self._rows.get((service, transaction))
            if rows is None:
                rows = self._rows[service, transaction] = {}
            for stage, seconds in spent.items():
                row = rows.get(stage)
                if row is None:
                    row = rows[stage] = [0.0] * (len(_STAGE_SECONDS) + 2)
                row[0] += seconds
                row[1 + bisect_left(_STAGE_SECONDS, seconds)] += 1
            due, self._due = self._due, True
        if not due:
            self._soon()

    def more(self, service: str, count: int) -> None:
        """So many more requests are being served."""
        with self._lock:
            self._in_flight[service] = self._in_flight.get(service, 0) + count
            self._changed.add(service)
            due, self._due = self._due, True
        if not due:
            self._soon()

    def _soon(self) -> None:
        timer = threading.Timer(_FLUSH_SECONDS, self.flush)
        timer.daemon = True
        timer.start()

    def flush(self) -> None:
        """Hand on what has been added up; one at a time, or an older number might be the last to be written."""
        with self._flushing:
            with self._lock:
                rows, self._rows = self._rows, {}
                flying = [(service, self._in_flight[service]) for service in self._changed]
                self._changed.clear()
                self._due = False
            for service, count in flying:
                _child("in_flight", service).set(count)
            for (service, transaction), by_stage in rows.items():
                for stage, row in by_stage.items():
                    _add(_child("stage_seconds", service, transaction, stage), row)


def _add(histogram: Any, row: list[float]) -> None:
    """Many values at once; the library takes them one by one only, so this looks into its histogram."""
    histogram._sum.inc(row[0])
    for bucket, count in zip(histogram._buckets, row[1:], strict=True):
        if count:
            bucket.inc(count)


_tally: Final = _Tally()
stages.recorded_by(_tally.stages)


class in_flight:  # noqa: N801 - to be read like a function; as a class it costs half as much, for every request
    """Count the block as a request being served."""

    __slots__ = ("_service",)

    def __init__(self, service: str) -> None:
        self._service = service

    def __enter__(self) -> None:
        _tally.more(self._service, 1)

    def __exit__(self, *_: object) -> None:
        _tally.more(self._service, -1)


def capacity(service: str, threads: int) -> None:
    """Say how many requests this process can serve at a time."""
    _child("capacity", service).set(threads)


def refused(service: str) -> None:
    """Count a request that was refused unread."""
    _child("refused_total", service).inc()


def slow(service: str, kind: str) -> None:
    """Count a slow `request` or `statement`."""
    _child("slow_total", service, kind).inc()


_disks: Final[dict[str, Path]] = {}


def disk(name: str, folder: Path) -> None:
    """Show how much room there is where something is kept."""
    _disks[name] = folder


def _look_at_disks() -> None:
    for name, folder in _disks.items():
        with suppress(OSError):  # not there yet
            found = os.statvfs(folder)
            _child("disk_size_bytes", name).set(found.f_blocks * found.f_frsize)
            _child("disk_free_bytes", name).set(found.f_bavail * found.f_frsize)


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


def forwards(waiting: int, refused: int) -> None:
    """Say how many messages for the Registry wait, and how many it refused."""
    _child("forwards", "waiting").set(waiting)
    _child("forwards", "refused").set(refused)


def replica_read(outcome: str) -> None:
    """Count one question of a stored query: `replica`, or why the database itself was asked, `behind` or `away`."""
    _child("replica_reads_total", outcome).inc()


def visit_event(outcome: str) -> None:
    """Count one event of a visit: `noted`, `again`, `unmapped` or `refused`."""
    _child("visit_events_total", outcome).inc()


def audit_records(outcome: str, count: int) -> None:
    """Count audit records by what became of them: `kept`, `known` or `unreadable`."""
    if count:
        _child("audit_records_total", outcome).inc(count)
        if outcome == "kept":
            _child("audit_last_record_seconds").set(time.time())


def audit_verified(whole: bool, at: float) -> None:
    """Say how the audit trail was found, and when."""
    _child("audit_verified").set(whole)
    _child("audit_verified_seconds").set(at)


def audit_spooled(service: str, count: int) -> None:
    """Count audit records that were kept."""
    if count:
        _child("audit_spooled_total", service).inc(count)


def audit_sent(destination: str, count: int) -> None:
    """Count audit records that have arrived."""
    _child("audit_sent_total", destination).inc(count)


def audit_failed(where: str) -> None:
    """Count what went wrong: `spool`, `record`, `delivery`, `damage`."""
    _child("audit_failures_total", where).inc()


def audit_waiting(destination: str, records: int, oldest: float) -> None:
    """Say how many audit records wait, and how old the oldest is (seconds)."""
    _child("audit_waiting", destination).set(records)
    _child("audit_oldest_seconds", destination).set(oldest)


def render() -> bytes:
    """All metrics in Prometheus' text form, those of all workers of the service together."""
    _child("build_info", f"v{_version()}").set(1)
    _tally.flush()
    _look_at_disks()
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
