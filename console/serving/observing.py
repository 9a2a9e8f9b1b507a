"""What a process that serves shows of itself, beyond its log: traces, slow things, how much it can take, its disks."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from common.http.crew import LAST
from common.observe import slow, spans
from common.settings import Settings
from console.failure import HOPELESS, Failure
from console.serving.services import SERVICES

# Its warnings are about exporting, and come once for each batch while a collector is away.
_TALKATIVE = "opentelemetry"


def observe(service: str, settings: Settings, threads: int = 0) -> None:
    """Begin, in a process that serves; it has so many ``threads``, or those of the service's workers."""
    slow.configure(service, statement=settings.slow_query, request=settings.slow_request)
    begin_tracing(service, settings)
    # Imported here: it looks for its directory when it is imported, and that is prepared by now.
    metrics = importlib.import_module("common.observe.metrics")
    metrics.capacity(service, threads or SERVICES[service].threads(settings))
    metrics.disk("data", settings.data)
    if service == "repository" and settings.bucket is None:
        metrics.disk("documents", Path(settings.storage_url))


def begin_tracing(service: str, settings: Settings) -> None:
    """Have spans sent where the settings say, if they do."""
    if not settings.trace_endpoint:
        return
    logging.getLogger(_TALKATIVE).setLevel(logging.ERROR)
    spans.configure(service, settings.trace_endpoint, settings.trace_share, _version())
    LAST.append(spans.close)


def _version() -> str:
    try:
        return version("portolan")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "unknown"


def see_that_it_can(settings: Settings) -> None:
    """Failure where traces are wanted and cannot be made."""
    if not settings.trace_endpoint:
        return
    try:
        spans.see_that_it_can()
    except spans.NotInstalled as error:
        told = f"PORTOLAN_TRACE_ENDPOINT is set, but {error}."
        raise Failure(told, "Install it, or leave the setting empty.", code=HOPELESS) from error


def refusals(service: str) -> Callable[[], None]:
    """What counts the requests that a service refuses."""

    def count() -> None:
        importlib.import_module("common.observe.metrics").refused(service)

    return count
