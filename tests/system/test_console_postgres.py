"""The command line with PostgreSQL: schema, feed, doctor, services."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.console.running import Place, ready

pytestmark = pytest.mark.system


@pytest.fixture
def place(tmp_path: Path, postgres_database: Callable[[], str]) -> Place:
    return Place(tmp_path, PORTOLAN_DATABASE=postgres_database(), PORTOLAN_REGISTRY_WORKERS="1")


def failures(place: Place, code: int) -> list[str]:
    """What the doctor says has failed."""
    out = place.run("doctor", code=code).stdout
    return [line for line in out.splitlines() if line.startswith("fail")]


def test_the_schema_is_made_once_and_the_doctor_sees_it(place: Place) -> None:
    assert any("schema none" in line for line in failures(place, 1))
    assert "portolan migrate" in place.run("migrate", "--check", code=1).stderr
    assert "portolan migrate" in place.run("serve", "registry", "--no-migrate", code=1).stderr

    assert "from schema none" in place.run("migrate").stdout

    assert "already" in place.run("migrate").stdout
    place.run("migrate", "--check")
    assert failures(place, 0) == []


def test_the_doctor_looks_at_the_server_and_hides_its_password(place: Place) -> None:
    place.run("migrate")

    out = place.run("doctor").stdout

    assert "PostgreSQL" in out
    assert "connections of" in out
    assert "the database server's clock differs by" in out
    assert ":xds@" not in out


def test_patients_are_fed_once(place: Place) -> None:
    place.run("migrate")

    first = place.json("patients", "feed", "9990001006", "9990001014", "--json")
    second = place.json("patients", "feed", "9990001006", "9990001022", "--json")

    assert (first, second) == ({"new": 2, "known": 0}, {"new": 1, "known": 1})
    assert len(place.json("patients", "list", "--json")) == 3


def test_the_registry_migrates_by_itself_and_is_ready(place: Place) -> None:
    with place.served("registry") as process:
        assert ready(place.registry)
        assert process.stdout
        line = process.stdout.readline()

    assert "postgresql+psycopg://xds:***@" in line
