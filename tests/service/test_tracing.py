"""Traces: one from source to Repository to Registry to database, and nothing of a patient in it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from common.http.connection import Connection
from common.http.head import read_head
from common.http.limits import Limits
from common.http.server import Server
from common.model import LocalizedString
from common.standard.transactions import ITI_18
from console.serving.observing import refusals
from tests.factories import a_document, a_patient_id, a_submission
from tests.feeds import Pas, admitted
from tests.running import Pair, a_pair
from tests.servers.otlp import Collector, Span
from tests.servers.process import eventually, free_port
from tests.unit.common.observe.test_metrics import value
from tests.unit.console.running import Place
from tests.wire import STATUS, Services, answer, envelope, mtom_provide, query_body

SECRET_TITLE = "a-title-that-names-somebody"


@dataclass
class Traced:
    """Running services, and where their spans go."""

    pair: Pair
    collector: Collector

    @property
    def services(self) -> Services:
        return self.pair.services


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    with Collector() as collector:
        settings = {"TRACE_ENDPOINT": collector.url, "SLOW_QUERY": "0.0001", "SLOW_REQUEST": "0.0001"}
        pair = a_pair(tmp_path_factory.mktemp("traced"), settings)
        pair.start()
        yield Traced(pair, collector)
        pair.stop()


def a_trace() -> tuple[str, dict[str, str]]:
    """A trace of a foreign source's, and the headers that say so."""
    trace = os.urandom(16).hex()
    return trace, {"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "tracestate": "vendor=abc"}


def by_name(spans: list[Span], service: str, name: str) -> Span:
    """The one span of a service with this name."""
    [found] = [span for span in spans if (span.service, span.name) == (f"portolan-{service}", name)]
    return found


def provided(traced: Traced, headers: dict[str, str], patient_id: str) -> None:
    """Submit one document, as a foreign source does."""
    document = a_document(patient_id=patient_id, title=(LocalizedString(SECRET_TITLE),), hash=None, size=None)
    kind, data = mtom_provide(a_submission(document), {document.entry_uuid: b"a letter"})
    received = answer(traced.services.post(traced.services.repository, data, kind, **headers))
    assert received.registry_status == "Success", received.contexts


def test_one_trace_goes_from_the_source_to_the_database(traced: Traced) -> None:
    trace, headers = a_trace()
    patient_id = a_patient_id()

    provided(traced, headers, patient_id)
    spans = traced.collector.await_spans(trace, ("portolan-registry", "ITI-42"), ("portolan-repository", "ITI-41"))

    asked = by_name(spans, "repository", "ITI-41")
    call = by_name(spans, "repository", "ITI-42")
    registered = by_name(spans, "registry", "ITI-42")
    parents = {span.id: span for span in spans}
    assert asked.parent == "00f067aa0ba902b7"
    assert parents[parents[call.parent].parent] == asked
    assert registered.parent == call.id
    inserts = [span for span in spans if "INSERT" in span.name]
    assert any("INSERT entry" in span.name for span in inserts)
    assert all(parents[parents[span.parent].parent] == registered for span in inserts)
    assert {span.name for span in spans if parents.get(span.parent) == asked} == {
        "receive", "rules", "serialise", "send"
    }  # fmt: skip
    stored = {span.name for span in spans if span.name.startswith("storage: ")}
    assert stored >= {"storage: commit", "storage: settle"}
    assert all(span.state == "vendor=abc" for span in spans)
    assert asked.attributes["portolan.correlation"] == registered.attributes["portolan.correlation"]
    assert (asked.attributes["portolan.outcome"], asked.failed) == ("Success", False)


def test_spans_lie_within_their_parents(traced: Traced) -> None:
    trace, headers = a_trace()

    provided(traced, headers, a_patient_id())
    spans = traced.collector.await_spans(trace, ("portolan-registry", "ITI-42"), ("portolan-repository", "ITI-41"))

    parents = {span.id: span for span in spans}
    slack = 5_000_000  # clocks of two processes, and of one that is read twice
    late = 1_000_000_000  # whoever has answered may be kept from noting it while the other side goes on
    for span in spans:
        if parent := parents.get(span.parent):
            assert parent.began - slack <= span.began <= span.ended <= parent.ended + late, (span, parent)


def test_no_patient_data_is_in_spans_or_slow_logs(traced: Traced) -> None:
    trace, headers = a_trace()
    patient_id = a_patient_id()

    provided(traced, headers, patient_id)
    found = traced.services.simple(
        traced.services.registry,
        _find(patient_id),
        **headers,
    )
    assert len(found.ids()) == 1
    traced.collector.await_spans(trace, ("portolan-registry", "ITI-18"), ("portolan-repository", "ITI-41"))

    number = patient_id.partition("^")[0]
    logs = traced.pair.registry.log.read_text() + traced.pair.repository.log.read_text()
    for secret in (number, SECRET_TITLE):
        assert secret not in logs
        assert secret.encode() not in traced.collector.bytes
    assert '"msg": "a slow statement: ' in logs
    assert '"msg": "a slow request: ITI-18"' in logs
    assert f'"trace": "{trace}"' in logs


def _find(patient_id: str) -> bytes:
    slots = [
        ("$XDSDocumentEntryPatientId", f"'{patient_id}'"),
        ("$XDSDocumentEntryStatus", f"('{STATUS}Approved')"),
    ]
    return envelope(ITI_18, query_body("FindDocuments", slots, leaf=False))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"traceparent": "nonsense"},
        {"traceparent": f"00-{'0' * 32}-00f067aa0ba902b7-01", "tracestate": "a=1"},
        {"traceparent": "00-" + "a" * 4000, "tracestate": "b=" + "x" * 4000},
    ],
)
def test_without_a_trace_that_can_be_understood_one_begins_here(traced: Traced, headers: dict[str, str]) -> None:
    correlation = f"c0ffee{os.urandom(8).hex()}"

    received = traced.services.simple(
        traced.services.registry, _find(a_patient_id()), X_Correlation_Id=correlation, **headers
    )
    assert received.registry_status == "Success"

    def mine() -> list[Span]:
        return [
            span for span in list(traced.collector.spans) if span.attributes.get("portolan.correlation") == correlation
        ]

    eventually(lambda: bool(mine()), "the span of the request", 15)
    [span] = mine()
    assert (span.name, span.parent, span.state) == ("ITI-18", "", "")


def test_a_caller_that_does_not_record_is_heeded(traced: Traced) -> None:
    quiet, loud = os.urandom(16).hex(), os.urandom(16).hex()
    for trace, flags in ((quiet, "00"), (loud, "01")):
        provided(traced, {"traceparent": f"00-{trace}-00f067aa0ba902b7-{flags}"}, a_patient_id())

    traced.collector.await_spans(loud, ("portolan-registry", "ITI-42"), ("portolan-repository", "ITI-41"))
    assert traced.collector.of_trace(quiet) == []


def test_a_refusal_is_shown_as_a_failure_without_its_words(traced: Traced) -> None:
    trace, headers = a_trace()
    document = a_document(patient_id="X^^^&2.999.9&ISO", title=(LocalizedString(SECRET_TITLE),), hash=None, size=None)
    kind, data = mtom_provide(a_submission(document), {document.entry_uuid: b"a letter"})

    received = answer(traced.services.post(traced.services.repository, data, kind, **headers))

    assert received.registry_status == "Failure"
    spans = traced.collector.await_spans(trace, ("portolan-registry", "ITI-42"), ("portolan-repository", "ITI-41"))
    for service, name in (("registry", "ITI-42"), ("repository", "ITI-41")):
        span = by_name(spans, service, name)
        assert (span.failed, span.attributes["portolan.outcome"]) == (True, "Failure")


def test_a_feed_is_traced(traced: Traced) -> None:
    pas = Pas(traced.pair.mllp)
    assert pas.send(admitted(a_patient_id())).code == "AA"
    pas.close()

    eventually(lambda: any(span.name == "ITI-8" for span in list(traced.collector.spans)), "the feed's span", 15)
    [fed] = [span for span in traced.collector.spans if span.name == "ITI-8"]
    assert {span.name for span in traced.collector.of_trace(fed.trace)} >= {"rules", "serialise", "parse"}


def test_our_own_client_is_where_a_trace_begins(traced: Traced, tmp_path: Path) -> None:
    place = Place(tmp_path, PORTOLAN_TRACE_ENDPOINT=f"{traced.collector.url}/v1/traces")
    place.environ |= {
        "PORTOLAN_REGISTRY_URL": traced.services.registry,
        "PORTOLAN_REPOSITORY_URL": traced.services.repository,
    }
    patient = a_patient_id().partition("^")[0]

    place.run("find", patient)

    def begun() -> list[Span]:
        return [span for span in list(traced.collector.spans) if span.name == "portolan find"]

    eventually(lambda: bool(begun()), "the command's span", 15)
    [command] = begun()
    spans = traced.collector.await_spans(command.trace, ("portolan-registry", "ITI-18"), ("portolan-client", "ITI-18"))
    assert by_name(spans, "client", "ITI-18").parent == command.id
    assert by_name(spans, "registry", "ITI-18").parent == by_name(spans, "client", "ITI-18").id
    assert traced.collector.paths == {"/v1/traces"}
    assert patient.encode() not in traced.collector.bytes


def test_metrics_show_stages_capacity_and_disks(traced: Traced) -> None:
    provided(traced, {}, a_patient_id())

    def shown(url: str) -> str:
        return requests.get(f"{url.rpartition('/')[0]}/metrics", timeout=10).text

    registry, repository = shown(traced.services.registry), shown(traced.services.repository)
    stage = 'portolan_stage_seconds_count{{service="{0}",stage="{1}",transaction="{2}"}}'
    for name in ("receive", "parse", "rules", "sql", "commit", "serialise", "send"):
        assert stage.format("registry", name, "ITI-42") in registry, name
    for name in ("receive", "storage", "registry", "send"):
        assert stage.format("repository", name, "ITI-41") in repository, name
    # The listener for patient feeds belongs to the Registry, and has threads of its own.
    assert 'portolan_capacity{service="registry"} 24.0' in registry
    assert 'portolan_capacity{service="repository"} 32.0' in repository
    for disk in ("data", "documents"):
        assert f'portolan_disk_free_bytes{{disk="{disk}"}}' in repository


def test_a_collector_that_is_away_costs_nobody_anything(tmp_path: Path) -> None:
    pair = a_pair(tmp_path, {"TRACE_ENDPOINT": f"http://127.0.0.1:{free_port()}"})
    pair.registry.start()
    for _ in range(3):
        found = pair.services.simple(pair.registry.url, _find(a_patient_id()))
        assert found.registry_status == "Success"
    began = time.monotonic()

    assert pair.registry.stop() == 0
    assert time.monotonic() - began < 15


def test_requests_that_are_refused_are_counted() -> None:
    line = 'portolan_refused_total{service="registry"}'
    before = value(line)
    served, ours = socket.socketpair()
    served.setblocking(False)
    ours.settimeout(5)
    limits = Limits(0, idle=1, total=1, waiting=0, refused=refusals("registry"))
    with socket.create_server(("127.0.0.1", 0)) as listener, ours, served:
        connection = Connection(served, "")
        server = Server(lambda *_: [], listener, limits)
        server._epoll.register(connection.fd, 0)
        server._engage(connection, read_head(b"GET / HTTP/1.1\r\nHost: x"), b"")

        assert ours.recv(1000).startswith(b"HTTP/1.1 503 ")
    assert value(line) == before + 1
