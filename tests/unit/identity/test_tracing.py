"""Tracing: what PDS says becomes one of three values, and every kind of failure is told apart."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from common.db import open_database
from common.demographics import Address, PersonName
from identity.checking import Checking
from identity.crossreference import CrossReference, Told
from identity.rules.identifiers import Domain, Key
from identity.store import conflicts, schema
from identity.tracing import (
    FhirTracing,
    RecordedTracing,
    Superseded,
    TracedPerson,
    TracingFailed,
    Unknown,
    read_answer,
)
from tests.factories import AUTHORITY

NUMBER = "9990001006"


class Pds(HTTPServer):
    """Answers as it is told to, and keeps what it was asked."""

    status = 200
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, dict[str, str]]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Pds

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def pds() -> Iterator[Pds]:
    made = Pds()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def client(pds: Pds, seconds: float = 5) -> FhirTracing:
    base = f"http://127.0.0.1:{pds.server_address[1]}/pds/"
    return FhirTracing(base, token=lambda: "secret\n", connect_timeout=1, answer_timeout=seconds)


def a_patient(number: str = NUMBER, **more: Any) -> bytes:
    return json.dumps({"resourceType": "Patient", "id": number, **more}).encode()


def test_a_person_is_read(pds: Pds) -> None:
    pds.body = a_patient(
        name=[{"family": "Fenwick", "given": ["Maud", "Ann"], "prefix": ["Mrs"]}],
        birthDate="1942-03-17",
        deceasedDateTime="2026-01-09",
        gender="female",
        generalPractitioner=[{"identifier": {"value": "ZT902"}}],
        address=[{"line": ["12 Sample Lane"], "postalCode": "ZZ99 3VZ"}],
    )

    assert client(pds).trace(NUMBER) == TracedPerson(
        NUMBER,
        (PersonName("Fenwick", ("Maud", "Ann"), "Mrs"),),
        "1942-03-17",
        "2026-01-09",
        "female",
        "ZT902",
        (Address(("12 Sample Lane",), postcode="ZZ99 3VZ"),),
    )
    [(path, headers)] = pds.asked
    assert path == f"/pds/Patient/{NUMBER}"
    assert headers["Authorization"] == "Bearer secret"
    assert len(headers["X-Request-ID"]) == len(headers["X-Correlation-ID"]) == 36


@pytest.mark.parametrize("code", ["R", "V"])
def test_where_a_sensitive_person_lives_is_not_kept(code: str) -> None:
    found = read_answer(
        NUMBER,
        a_patient(
            meta={"security": [{"code": code}]},
            address=[{"line": ["12 Sample Lane"]}],
            generalPractitioner=[{"identifier": {"value": "ZT902"}}],
        ),
    )

    assert isinstance(found, TracedPerson)
    assert (found.sensitive, found.addresses, found.practice) == (True, (), "")


def test_a_superseded_number_and_an_invalid_record_are_told_apart() -> None:
    assert read_answer(NUMBER, a_patient("9990001014")) == Superseded(NUMBER, "9990001014")
    assert read_answer(NUMBER, a_patient(meta={"security": [{"code": "REDACTED"}]})) == Unknown(NUMBER)


def test_an_unknown_number_is_unknown_and_no_number_is_not_asked_for(pds: Pds) -> None:
    pds.status = 404

    assert client(pds).trace(NUMBER) == Unknown(NUMBER)
    assert client(pds).trace("../metadata") == Unknown("../metadata")
    assert len(pds.asked) == 1


@pytest.mark.parametrize(
    ("status", "again", "after"),
    [
        (429, True, 7.0),
        (503, True, None),
        (500, True, None),
        (401, False, None),
        (403, False, None),
        (302, False, None),
    ],
)
def test_failures_are_told_apart(pds: Pds, status: int, again: bool, after: float | None) -> None:
    pds.status = status
    pds.headers = {"Retry-After": "7", "Location": "http://127.0.0.1:1/"}

    with pytest.raises(TracingFailed) as failed:
        client(pds).trace(NUMBER)

    assert (failed.value.again, failed.value.after) == (again, after)
    assert NUMBER not in str(failed.value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 100_000,
        a_patient("12"),
        b" " * 600_000 + a_patient(),
        b'{"resourceType":"Bundle"}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_patient_is_a_failure(pds: Pds, body: bytes) -> None:
    pds.body = body

    with pytest.raises(TracingFailed) as failed:
        client(pds).trace(NUMBER)

    assert not failed.value.again


@pytest.mark.parametrize("odd", [None, 7, "x", [], [None], {"a": []}, [["x"]]])
def test_odd_parts_are_passed_over(odd: Any) -> None:
    names = ("meta", "name", "birthDate", "gender", "generalPractitioner", "address", "deceasedDateTime")

    assert isinstance(read_answer(NUMBER, a_patient(**dict.fromkeys(names, odd))), TracedPerson)


def test_who_cannot_be_reached_can_be_asked_again() -> None:
    away = FhirTracing("http://127.0.0.1:9", token=str, connect_timeout=1, answer_timeout=1)

    with pytest.raises(TracingFailed) as failed:
        away.trace(NUMBER)

    assert failed.value.again


def test_the_recorded_responses_are_a_stand_in(tmp_path: Path) -> None:
    shipped = RecordedTracing()

    assert isinstance(shipped.trace(NUMBER), TracedPerson)
    assert shipped.trace("9990001022") == Superseded("9990001022", NUMBER)
    assert shipped.trace("9990001030") == Unknown("9990001030")
    assert shipped.trace("../9990001006") == Unknown("../9990001006")
    (tmp_path / f"{NUMBER}.json").write_bytes(b"nonsense")
    with pytest.raises(TracingFailed):
        RecordedTracing(tmp_path).trace(NUMBER)


def test_a_superseded_number_is_told_to_an_administrator_and_merged_by_nobody(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'identity.db'}")
    schema.upgrade(database)
    reference = CrossReference(database, Domain(AUTHORITY))
    checking = Checking(reference, RecordedTracing())
    told = Told((Key("2.999.1", "L1"), Key(AUTHORITY, "9990001022"), Key("2.999.2", "X")), "m1")
    assert reference.tell(told) is None

    for _ in range(2):
        checking.look(told)
    checking.look(Told((Key(AUTHORITY, NUMBER),), "m2"))
    checking.look(Told((Key(AUTHORITY, "9990001030"),), "m3"))
    checking.settle()

    with database.read() as work:
        found = {each.kind: each for each in conflicts.conflicts(work)}
    assert set(found) == {"superseded", "untraced"}
    assert found["superseded"].identifiers == (f"{NUMBER}^^^&{AUTHORITY}&ISO", f"9990001022^^^&{AUTHORITY}&ISO")
    assert found["superseded"].times == 1
    person = reference.person_of(Key(AUTHORITY, "9990001022"))
    assert person is not None
    assert set(person.keys) == set(told.keys)
    database.close()
