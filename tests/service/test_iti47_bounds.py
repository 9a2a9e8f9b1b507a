"""ITI-47 at its bounds: too many matches, names that begin so, queries whose time is over, and many people."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lxml import etree

from common.db import Database, open_database
from common.demographics import Demographics, PersonName
from identity.crossreference import CrossReference, Told
from identity.demographics_query import Bounds, DemographicsQuery
from identity.rules.identifiers import Domain, Key
from identity.store import schema
from tests.factories import AUTHORITY
from tests.service.identity_kit import by_birth, by_name, continuation, pdq_query


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'identity.db'}"
    if request.param == "postgresql":
        make: Callable[[], str] = request.getfixturevalue("postgres_database")
        url = make()
    made = open_database(url)
    schema.upgrade(made)
    yield made
    made.close()


def asking(database: Database, most: int = 200, keep: float = 60, *, prefix: bool = False) -> DemographicsQuery:
    return DemographicsQuery(CrossReference(database, Domain(AUTHORITY)), database, Bounds(most, keep, prefix))


def told(database: Database, *names: tuple[str, str]) -> None:
    reference = CrossReference(database, Domain(AUTHORITY))
    for number, (family, given) in enumerate(names):
        person = Demographics((PersonName(family, (given,)),), "19420317", "F")
        assert reference.tell(Told((Key("2.999.1", f"L{number}"),), str(number), person)) is None


def response(body: bytes) -> str:
    found = etree.fromstring(body).find("{*}controlActProcess/{*}queryAck/{*}queryResponseCode")
    assert found is not None
    return str(found.get("code"))


def test_x12_more_than_the_bound_is_an_error_and_never_a_cut_answer(database: Database) -> None:
    told(database, ("Fenwick", "Maud"), ("Fenwick", "Ann"), ("Fenwick", "Ivy"))
    query = etree.fromstring(pdq_query(by_name("Fenwick")))

    assert response(asking(database, 3).answer(query, "c").body) == "OK"
    refused = asking(database, 2).answer(query, "c").body
    assert response(refused) == "AE"
    assert b"more than 2 persons" in refused
    assert b"L0" not in refused


def test_names_may_begin_as_asked_for_where_that_is_set(database: Database) -> None:
    told(database, ("Fenwick", "Maud"), ("Fenton", "Ann"))
    query = etree.fromstring(pdq_query(by_name("Fen", "M")))

    assert response(asking(database).answer(query, "c").body) == "NF"
    found = asking(database, prefix=True).answer(query, "c").body
    assert response(found) == "OK"
    assert b"Fenwick" in found
    assert b"Fenton" not in found


def test_a_query_whose_time_is_over_is_asked_again(database: Database) -> None:
    told(database, ("Fenwick", "Maud"), ("Fenwick", "Ann"))
    action = asking(database, keep=0.3)
    action.answer(etree.fromstring(pdq_query(by_name("Fenwick"), query_id="q", quantity=1)), "c")
    more = etree.fromstring(continuation("q"))
    assert response(asking(database, keep=0.3).go_on(more, "c").body) == "OK"  # any worker goes on with it

    time.sleep(0.5)

    assert response(action.go_on(more, "c").body) == "AE"


def test_a_name_among_many_people_is_found_at_once(database: Database) -> None:
    """By an index on either database, whatever else is asked for: everybody here has the same birthday."""
    people = [
        {"n": number, "family": f"family{number % 2000}", "given": f"given{number // 2000}"} for number in range(20_000)
    ]
    with database.engine.begin() as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("BEGIN")  # the driver begins none by itself
        for each in people:
            key = f"'2.999.1', 'M{each['n']}'"
            connection.exec_driver_sql(f"INSERT INTO pix_person VALUES ('p{each['n']}')")
            connection.exec_driver_sql(
                "INSERT INTO pix_identifier (root, extension, person, national, told_at) "
                f"VALUES ({key}, 'p{each['n']}', 0, '20260306')"
            )
            connection.exec_driver_sql(
                f"INSERT INTO pix_demographics VALUES ({key}, '19420317', 'F', "
                '\'{"names":[],"birth":"","sex":"","addresses":[],"phones":[]}\', \'20260306\')'
            )
            connection.exec_driver_sql(
                f"INSERT INTO pix_searched VALUES ({key}, 0, 'name', '{each['family']}', '{each['given']}')"
            )
    query = etree.fromstring(pdq_query(by_name("family77", "given3"), by_birth("19420317")))
    action = asking(database)
    action.answer(query, "c")

    began = time.perf_counter()
    for _ in range(10):
        assert response(action.answer(query, "c").body) == "OK"
    assert (time.perf_counter() - began) / 10 < 0.1
