"""A collector of traces: takes OTLP over HTTP, as the specification has it, and keeps the spans."""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.servers.process import eventually


@dataclass(frozen=True)
class Span:
    """One span as it was received."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]
    failed: bool
    state: str
    began: int
    ended: int


class Collector:
    """Listens on a free port while it is used as a context."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.bytes = b""
        self.paths: set[str] = set()
        self._lock = threading.Lock()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    data = gzip.decompress(data)
                collector._take(self.path, data)
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _take(self, path: str, data: bytes) -> None:
        received = ExportTraceServiceRequest.FromString(data)
        with self._lock:
            self.paths.add(path)
            self.bytes += data
            for group in received.resource_spans:
                named = {each.key: each.value.string_value for each in group.resource.attributes}
                for scope in group.scope_spans:
                    self.spans += [_read(named["service.name"], each) for each in scope.spans]

    def of_trace(self, trace: str) -> list[Span]:
        """What has come of one trace so far."""
        with self._lock:
            return [span for span in self.spans if span.trace == trace]

    def await_spans(self, trace: str, *wanted: tuple[str, str]) -> list[Span]:
        """The spans of a trace, once these (of a service, by name) are among them."""
        eventually(
            lambda: set(wanted) <= {(span.service, span.name) for span in self.of_trace(trace)},
            f"{wanted} of trace {trace} received",
            15,
        )
        return self.of_trace(trace)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _read(service: str, span: Any) -> Span:
    return Span(
        service,
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        {each.key: each.value.string_value or each.value.int_value for each in span.attributes},
        span.status.code == 2,
        span.trace_state,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
    )
