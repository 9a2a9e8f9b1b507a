"""The cross-reference broken off at each step of a message: whole or nothing, and once more puts it right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from common.db import Database, open_database
from common.demographics import Demographics, PersonName
from common.faults import FaultRaised, armed
from identity.crossreference import CrossReference, Told
from identity.rules.identifiers import Domain, Key
from identity.store import forwarding, schema
from tests.factories import AUTHORITY, an_nhs_number

MAUD = Demographics((PersonName("Fenwick", ("Maud",)),), "19420317", "F")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'identity.db'}"
    if request.param == "postgresql":
        make: Callable[[], str] = request.getfixturevalue("postgres_database")
        url = make()
    made = open_database(url, pool=8)
    schema.upgrade(made)
    yield made
    made.close()


def state(database: Database) -> list[tuple[object, ...]]:
    """Everything but times."""
    rows: list[tuple[object, ...]] = []
    with database.engine.connect() as connection:
        for columns, table in (
            ("root, extension, person, merged_into_extension, merged_by", "pix_identifier"),
            ("person", "pix_person"),
            ("root, extension, content", "pix_demographics"),
            ("kind, one, two", "pix_searched"),
            ("event, patient, other", "pix_forward"),
        ):
            rows += sorted(tuple(row) for row in connection.exec_driver_sql(f"SELECT {columns} FROM {table}"))
    return rows


@pytest.mark.parametrize("kind", ["tell", "merge"])
def test_d2_each_step_is_whole_or_nothing_and_once_more_puts_it_right(database: Database, kind: str) -> None:
    steps = 0
    while True:
        first, second = Key(AUTHORITY, an_nhs_number()), Key(AUTHORITY, an_nhs_number())
        names = iter(range(1_000_000 + steps * 100, 10_000_000))
        reference = CrossReference(database, Domain(AUTHORITY), forwards=True, new_name=lambda: f"p{next(names)}")  # noqa: B023
        local = Key("2.999.1", f"L{steps}")
        reference.tell(Told((local, second), "1"))
        told = Told((first,), "2", MAUD)

        def act(reference: CrossReference = reference, told: Told = told, second: Key = second) -> object:
            return reference.tell(told) if kind == "tell" else reference.merge(told, (second,))

        before = state(database)
        try:
            with armed(f"*:{steps + 1}=raise"):
                assert act() is None
        except FaultRaised:
            broken = state(database)
            assert act() is None
            after = state(database)
            assert broken in (before, after)
            assert len(after) > len(before)
            steps += 1
            continue
        break
    assert steps >= 3


def test_r8_the_same_message_at_once_is_told_to_the_registry_once(database: Database) -> None:
    reference = CrossReference(database, Domain(AUTHORITY), forwards=True)
    first, second = Key(AUTHORITY, an_nhs_number()), Key(AUTHORITY, an_nhs_number())
    told = Told((first, Key("2.999.1", "L1")), "1", MAUD)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: reference.tell(told), range(16))) == {None}
        merges = list(pool.map(lambda _: reference.merge(Told((first,), "2"), (second,)), range(8)))

    assert merges == [None] * 8
    with database.read() as work:
        events = [each.event for each in forwarding.forwards(work, 100)]
    assert events.count("A40") == 1
