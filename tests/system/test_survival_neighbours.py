"""Stores and neighbours that refuse, stall, crawl or break off: the standard's error in time, and then all is well.

PORTOLAN_SURVIVAL_LONG=1 adds what takes ten seconds each.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from random import Random
from typing import Final

import psycopg
import pytest
import requests
from sqlalchemy.engine import make_url

from common.standard.transactions import ITI_18, ITI_42
from tests.factories import a_document, a_patient_id, a_submission, submit_objects
from tests.running import Pair, a_pair, back_end
from tests.servers.fake_registry import FakeRegistry, passing_on, send
from tests.servers.process import free_port
from tests.servers.weather import Weather
from tests.system.kill_kit import stored
from tests.system.survival_judge import check
from tests.system.survival_kit import ELSEWHERE, LONG, SIMPLE, WITHOUT_FEEDS, Told, a_letter, ask, retrieval
from tests.system.test_registry_away import RESPONSE
from tests.system.test_registry_away import SUCCESS as REGISTERED
from tests.wire import STATUS, Services, answer, envelope, query_body

pytestmark = pytest.mark.system

LARGE: Final = 3 * 2**20
KNOWN: Final = a_patient_id()


@dataclass
class Place:
    """Services whose every neighbour is behind weather of its own, and two documents that they know."""

    pair: Pair
    database: Weather
    s3: Weather
    registry: Weather
    direct: str
    """The database, past the weather."""
    small: str = ""
    large: str = ""

    @property
    def services(self) -> Services:
        """To speak to."""
        return self.pair.services.apart()

    def fair(self) -> None:
        """Nothing is wrong any more."""
        for each in (self.database, self.s3, self.registry):
            each.fair()


def _through(url: str, port: int) -> str:
    return make_url(url).set(host="127.0.0.1", port=port).render_as_string(hide_password=False)


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Started once."""
    settings = back_end("postgresql and s3", request)
    url = make_url(settings["DATABASE"])
    if not url.port:
        pytest.skip("this PostgreSQL listens on no port that a test could come between")
    folder = tmp_path_factory.mktemp("weather")
    registry_port = free_port()
    made = Place(
        Pair.__new__(Pair),
        Weather(url.port),
        Weather(int(settings["S3_ENDPOINT"].rpartition(":")[2])),
        Weather(registry_port),
        settings["DATABASE"],
    )
    settings |= WITHOUT_FEEDS | {
        "DATABASE": _through(settings["DATABASE"], made.database.port),
        "OUTBOX": "",
        "S3_ENDPOINT": f"http://127.0.0.1:{made.s3.port}",
        "REGISTRY_BIND": f"127.0.0.1:{registry_port}",
        "REGISTRY_URL": f"http://127.0.0.1:{made.registry.port}/registry",
        "DATABASE_POOL": "2",
        "DATABASE_WAIT": "1s",
        "CONNECT_TIMEOUT": "1s",
        "ANSWER_TIMEOUT": "6s",
        "SWEEP_AFTER": "8s",
        "SWEEP_EVERY": "0.5s",
        "LOG_LEVEL": "warning",
    }
    made.pair = a_pair(folder, settings)
    made.pair.registry.port = registry_port
    made.pair.start()
    chance = Random(5)
    for name, size in (("small", 1_000), ("large", LARGE)):
        letter = a_letter(KNOWN, size, chance)
        assert provided(made.services, letter.data, letter.kind).is_success
        setattr(made, name, letter.unique_id)
    yield made
    made.fair()
    made.pair.stop()
    for each in (made.database, made.s3, made.registry):
        each.close()


def provided(services: Services, data: bytes, kind: str) -> Told:
    """ITI-41."""
    return ask(lambda: services.post(services.repository, data, kind))


def new(services: Services) -> Told:
    """ITI-41 of something new."""
    letter = a_letter(a_patient_id(), 2_000, Random())
    return provided(services, letter.data, letter.kind)


def registered(services: Services) -> Told:
    """ITI-42 of something new."""
    message = envelope(
        ITI_42, submit_objects(a_submission(a_document(patient_id=a_patient_id(), repository_unique_id=ELSEWHERE)))
    )
    return ask(lambda: services.post(services.registry, message, SIMPLE))


def found(services: Services) -> Told:
    """FindDocuments."""
    slots = [("$XDSDocumentEntryPatientId", f"'{KNOWN}'"), ("$XDSDocumentEntryStatus", f"('{STATUS}Approved')")]
    message = envelope(ITI_18, query_body("FindDocuments", slots, leaf=True))
    return ask(lambda: services.post(services.registry, message, SIMPLE))


ASKED: Final[dict[str, Callable[[Place], Told]]] = {
    "ITI-18": lambda place: found(place.services),
    "ITI-41": lambda place: new(place.services),
    "ITI-42": lambda place: registered(place.services),
    "ITI-43": lambda place: ask(lambda: retrieval(place.services, place.small)),
    "ITI-43, large": lambda place: ask(lambda: retrieval(place.services, place.large)),
}


@contextmanager
def weather(place: Place, change: Callable[[Place], None]) -> Iterator[None]:
    """Bad while the context lasts."""
    change(place)
    try:
        yield
    finally:
        place.fair()


def _set(of: Weather, **values: object) -> None:
    for name, value in values.items():
        setattr(of, name, value)


SUCCESS: Final = "Success"
BROKEN: Final = "broken connection"
# What is wrong; what is asked; what the sender may hear, and within how many seconds.
ROWS: Final = (
    ("n8 database refuses", lambda place: place.database.refuse(), "ITI-18", {"XDSRegistryBusy"}, 7),
    ("n8 database refuses", lambda place: place.database.refuse(), "ITI-42", {"XDSRegistryBusy"}, 7),
    ("n8 database refuses", lambda place: place.database.refuse(), "ITI-41", {"XDSRegistryBusy"}, 8),
    ("n8 database refuses", lambda place: place.database.refuse(), "ITI-43", {SUCCESS}, 2),
    ("n8 connections break", lambda place: place.database.cut(), "ITI-18", {SUCCESS}, 2),
    ("n8 connections break", lambda place: place.database.cut(), "ITI-42", {SUCCESS}, 2),
    ("n8 database slow", lambda place: _set(place.database, delay=0.1), "ITI-42", {SUCCESS}, 5),
    ("n4 S3 refuses", lambda place: place.s3.refuse(), "ITI-41", {"XDSRepositoryBusy"}, 11),
    ("n4 S3 refuses", lambda place: place.s3.refuse(), "ITI-43", {"XDSRepositoryBusy"}, 11),
    ("n4 S3 refuses", lambda place: place.s3.refuse(), "ITI-18", {SUCCESS}, 2),
    ("n4 connections break", lambda place: place.s3.cut(), "ITI-41", {SUCCESS}, 3),
    ("n5 S3 slow", lambda place: _set(place.s3, delay=0.1), "ITI-41", {SUCCESS}, 8),
    ("n6 S3 cuts answers", lambda place: _set(place.s3, most=LARGE // 2), "ITI-43, large",
     {"XDSRepositoryBusy", BROKEN}, 12),
    ("n1 Registry refuses", lambda place: place.registry.refuse(), "ITI-41",
     {"XDSRegistryNotAvailable", "XDSRepositoryError"}, 3),
    ("n1 Registry refuses", lambda place: place.registry.refuse(), "ITI-43", {SUCCESS}, 2),
)  # fmt: skip
SLOW_ROWS: Final = (
    ("n4 S3 never answers", lambda place: _set(place.s3, silent=True), "ITI-41", {"XDSRepositoryBusy"}, 23),
    ("n4 S3 never answers", lambda place: _set(place.s3, silent=True), "ITI-43", {"XDSRepositoryBusy"}, 12),
    (
        "n2 Registry never answers",
        lambda place: _set(place.registry, silent=True),
        "ITI-41",
        {"XDSRepositoryError"},
        14,
    ),
)


@pytest.mark.parametrize(
    ("change", "asked", "expected", "seconds"),
    [pytest.param(*row[1:], id=f"{row[0]}, {row[2]}") for row in (*ROWS, *(SLOW_ROWS if LONG else ()))],
)
def test_n4_n8_bad_weather_is_told_in_time_and_passes(
    place: Place, change: Callable[[Place], None], asked: str, expected: set[str], seconds: float
) -> None:
    assert ASKED[asked](place).is_success

    with weather(place, change):
        told = ASKED[asked](place)

    print(f"\n{asked}: {told.shown} after {told.seconds:.2f} s")
    assert told.shown in expected, told.answer.contexts if told.answer else told
    assert told.seconds < seconds
    begun = time.monotonic()
    again = ASKED[asked](place)
    assert again.is_success, again.answer.contexts if again.answer else again
    assert time.monotonic() - begun < 2


def test_n5_while_s3_crawls_other_work_goes_on(place: Place) -> None:
    with weather(place, lambda place: _set(place.s3, delay=0.3)), ThreadPoolExecutor(4) as threads:
        crawling = [threads.submit(ASKED["ITI-41"], place) for _ in range(4)]
        time.sleep(0.1)
        others = [ASKED["ITI-18"](place) for _ in range(5)]
        live = requests.get(f"http://127.0.0.1:{place.pair.repository.port}/live", timeout=1)

        assert live.ok
        assert all(each.is_success and each.seconds < 1 for each in others)
        assert all(each.result().is_success for each in crawling)


def test_n9_without_a_free_connection_a_request_is_told_so_in_time_and_the_others_end_well(place: Place) -> None:
    url = make_url(place.direct).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as holder, ThreadPoolExecutor(2) as threads:
        holder.execute("LOCK TABLE entry IN ACCESS EXCLUSIVE MODE")
        waiting = [threads.submit(ASKED["ITI-18"], place) for _ in range(2)]
        time.sleep(0.3)

        told = ASKED["ITI-18"](place)

        assert told.codes == ["XDSRegistryBusy"]
        assert told.seconds < 7
        assert requests.get(f"http://127.0.0.1:{place.pair.registry.port}/live", timeout=1).ok
        holder.rollback()
        assert all(each.result().is_success for each in waiting)
    assert ASKED["ITI-18"](place).is_success


FAILED: Final = RESPONSE.format(REGISTERED.replace("Success", "Failure"))[:-2] + (
    "><rs:RegistryErrorList><rs:RegistryError errorCode='{}' codeContext='c' "
    "severity='urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error'/></rs:RegistryErrorList></rs:RegistryResponse>"
)


class Deaf:
    """Takes the answer of a real Registry, and tells nobody."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self.headers = handler.headers
        self.wfile = self

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


@pytest.mark.parametrize("code", ["XDSRegistryBusy", "XDSRegistryError", "503"])
def test_d6_n8_bytes_stay_when_a_registry_fails_or_is_too_busy(place: Place, code: str) -> None:
    """A database that dies while it commits may have committed, and the Registry that tells of its failure is wrong."""
    passes = passing_on(f"http://127.0.0.1:{place.pair.registry.port}/registry")

    def respond(handler: BaseHTTPRequestHandler, data: bytes) -> None:
        if code == "503":
            send(handler, b"busy: try again\n", 503, "text/plain")
            return
        passes(Deaf(handler), data)  # type: ignore[arg-type]
        send(handler, envelope(ITI_42, FAILED.format(code).encode()))

    services, letter = place.services, a_letter(a_patient_id(), 900, Random())
    with FakeRegistry(respond) as fake:
        place.registry.lead_to(int(fake.url.split(":")[2].partition("/")[0]))
        told = provided(services, letter.data, letter.kind)
        place.registry.lead_to(place.pair.registry.port)

    assert told.codes == ["XDSRegistryBusy" if code == "503" else code], told
    assert stored(place.pair, letter.unique_id) == [True]
    found = answer(retrieval(services, letter.unique_id))
    if code == "503":
        assert found.codes == ["XDSDocumentUniqueIdError"]
    else:
        assert found.documents() == {letter.unique_id: letter.content}
    assert provided(services, letter.data, letter.kind).is_success
    assert answer(retrieval(services, letter.unique_id)).documents() == {letter.unique_id: letter.content}


def test_after_all_of_that_database_and_store_agree(place: Place) -> None:
    place.fair()
    until = time.monotonic() + 40
    while (told := check(place.pair, differences=True))["summary"]["differences"] and time.monotonic() < until:
        time.sleep(1)
    assert told["summary"]["differences"] == 0, told["findings"][:5]
