"""Traces of requests, by OpenTelemetry, where the setting `trace_endpoint` asks for them.

The SDK (the extra `tracing`) is imported then only. A span holds names of ours, times, numbers of rows and the
correlation id; no value of a message, no text of an error, and no address but those that settings name.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from common.observe import correlation, stages, trace_context

_QUIET: Final = ("Success", "PartialSuccess", "Accepted", "AA", "AE", "AR", "OK", "NF")

_MOST_LEAVES: Final = 200

_tracer: Any = None
_provider: Any = None


class NotInstalled(Exception):  # noqa: N818
    """The extra `tracing` is not installed."""


def see_that_it_can() -> None:
    """NotInstalled where traces cannot be made."""
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter
        import opentelemetry.sdk.trace.export  # noqa: F401
    except ImportError as error:
        raise NotInstalled("traces need the extra `tracing`: pip install 'portolan[tracing]'") from error


def configure(service: str, endpoint: str, share: float, version: str = "") -> None:
    """Have this process send its spans to an OTLP collector; ``share`` of the traces that begin here. NotInstalled."""
    global _provider, _tracer
    see_that_it_can()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    resource = Resource.create({"service.name": f"portolan-{service}", "service.version": version})
    _provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(share)), resource=resource)
    exporter = OTLPSpanExporter(endpoint=traces_at(endpoint), timeout=5)
    _provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1_000))
    _tracer = _provider.get_tracer("portolan")


def are_made() -> bool:
    """Whether this process makes spans."""
    return _tracer is not None


def traces_at(endpoint: str) -> str:
    """Where a collector takes traces: its address, with the usual path where it has none."""
    return endpoint if endpoint.split("//", 1)[1].strip("/").count("/") else endpoint.rstrip("/") + "/v1/traces"


def close() -> None:
    """Send what is left, within a few seconds."""
    global _provider, _tracer
    if _provider is not None:
        _provider.force_flush(3_000)
        _provider.shutdown()
        _provider = _tracer = None


class Trace:
    """One request's spans: the request itself, its stages, and what is done within them."""

    __slots__ = ("_epoch", "_inside", "_left", "_root", "_stage", "_tracer")

    def __init__(self, tracer: Any, name: str, context: Any, kind: Any) -> None:
        from opentelemetry.trace import set_span_in_context

        self._tracer = tracer
        self._epoch = time.time_ns() - int(time.perf_counter() * 1e9)
        attributes = {"portolan.correlation": correlation.current()}
        self._root = tracer.start_span(name, context=context, kind=kind, attributes=attributes)
        self._inside = set_span_in_context(self._root)
        self._stage: Any = None
        self._left = _MOST_LEAVES

    @property
    def trace_id(self) -> str:
        """As logs show it."""
        return f"{self._root.get_span_context().trace_id:032x}"

    @property
    def inside(self) -> Any:
        """The context of what is done now."""
        return self._inside

    def stage(self, name: str, at: float) -> None:
        """A stage begins, and the one before it ends."""
        if not self._root.is_recording():
            return
        from opentelemetry.trace import set_span_in_context

        now = self._epoch + int(at * 1e9)
        if self._stage is not None:
            self._stage.end(now)
        self._stage = self._tracer.start_span(name, context=set_span_in_context(self._root), start_time=now)
        self._inside = set_span_in_context(self._stage)

    def leaf(self, name: str, began: float, ended: float, rows: int | None = None) -> None:
        """Something was done within the stage; of very many such things the first ones are shown."""
        if not self._root.is_recording() or not self._left:
            return
        self._left -= 1
        attributes = {"db.response.returned_rows": rows} if rows is not None else None
        start = self._epoch + int(began * 1e9)
        span = self._tracer.start_span(name, context=self._inside, start_time=start, attributes=attributes)
        span.end(self._epoch + int(ended * 1e9))

    def end(self, transaction: str, outcome: str, at: float) -> None:
        """The request is over."""
        if not self._root.is_recording():
            return
        now = self._epoch + int(at * 1e9)
        if self._stage is not None:
            self._stage.end(now)
        self._root.update_name(transaction)
        self._root.set_attribute("portolan.transaction", transaction)
        self._root.set_attribute("portolan.outcome", outcome)
        if outcome not in _QUIET:
            self._root.set_status(_error())
        self._root.end(now)


def _error() -> Any:
    from opentelemetry.trace import StatusCode

    return StatusCode.ERROR


def asked(environ: Mapping[str, Any] | None = None) -> Trace | None:
    """The trace of a request that came with these headers, as WSGI names them; None where requests are not traced."""
    if _tracer is None:
        return None
    from opentelemetry.trace import SpanKind

    told = environ or {}
    caller = trace_context.read(told.get("HTTP_TRACEPARENT"), told.get("HTTP_TRACESTATE"))
    return Trace(_tracer, "request", _context(caller), SpanKind.SERVER)


def _context(caller: trace_context.TraceContext | None) -> Any:
    """The caller as OpenTelemetry has it; a context without any span, rather than whichever is current, for none."""
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState, set_span_in_context

    if caller is None:
        return Context()
    span = SpanContext(
        caller.trace_id,
        caller.span_id,
        is_remote=True,
        trace_flags=TraceFlags(int(caller.sampled)),
        trace_state=TraceState(caller.state),
    )
    return set_span_in_context(NonRecordingSpan(span), Context())


_task: ContextVar[Any] = ContextVar("task", default=None)


@contextmanager
def task(name: str) -> Iterator[None]:
    """A trace of its own for what a person, or a timetable, has begun: calls within the block belong to it."""
    if _tracer is None:
        yield
        return
    from opentelemetry.context import Context
    from opentelemetry.trace import set_span_in_context

    attributes = {"portolan.correlation": correlation.current()}
    span = _tracer.start_span(name, context=Context(), attributes=attributes)
    token = _task.set(set_span_in_context(span))
    try:
        yield
    except Exception:
        span.set_status(_error())
        raise
    finally:
        _task.reset(token)
        span.end()


@contextmanager
def calling(name: str, host: str) -> Iterator[dict[str, str]]:
    """A call of a neighbour: the headers that tell it of the trace; none where there is none.

    Within somebody else's program, the spans go where that program has its own sent, if it uses OpenTelemetry.
    """
    tracer = _tracer if _tracer is not None else _theirs()
    if tracer is None:
        yield {}
        return
    from opentelemetry.trace import SpanKind

    watch = stages.current()
    trace = watch.trace if watch is not None else None
    context = trace.inside if isinstance(trace, Trace) else _task.get()
    attributes = {"server.address": host, "portolan.correlation": correlation.current()}
    span = tracer.start_span(name, context=context, kind=SpanKind.CLIENT, attributes=attributes)
    try:
        yield _headers(span)
    except Exception:
        span.set_status(_error())
        raise
    finally:
        span.end()


def _headers(span: Any) -> dict[str, str]:
    context = span.get_span_context()
    if not context.is_valid:
        return {}
    state = tuple(context.trace_state.items())
    sampled = bool(context.trace_flags.sampled)
    return trace_context.write(trace_context.TraceContext(context.trace_id, context.span_id, sampled, state))


def _theirs() -> Any:
    """The tracer of the program that uses our client, if it has loaded OpenTelemetry."""
    module = sys.modules.get("opentelemetry.trace")
    return module.get_tracer("portolan") if module is not None else None
