"""The migrations make exactly the tables that the code works with, once, whoever else migrates at the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from common.db import Database, open_database
from identity.store import schema as identity_schema
from identity.store.tables import metadata as identity_metadata
from registry.store.schema import VERSION_TABLE, current, newest, upgrade
from registry.store.tables import metadata


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database of either kind."""
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    if request.param == "postgresql":
        make: Callable[[], str] = request.getfixturevalue("postgres_database")
        url = make()
    made = open_database(url)
    yield made
    made.close()


def differences(database: Database) -> list[object]:
    """What alembic would have to do to make the database what the code's tables say."""
    with database.engine.connect() as connection:
        options = {"version_table": VERSION_TABLE}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def test_the_migrations_make_the_tables_of_the_code(database: Database) -> None:
    assert upgrade(database) == ("", newest())

    assert current(database) == newest()
    assert differences(database) == []


def test_a_second_migration_finds_nothing_to_do(database: Database) -> None:
    upgrade(database)

    assert upgrade(database) == (newest(), newest())


def test_d13_several_who_migrate_at_once_do_it_once(
    postgres_database: Callable[[], str], request: pytest.FixtureRequest
) -> None:
    database = open_database(postgres_database())
    request.addfinalizer(database.close)

    with ThreadPoolExecutor(4) as pool:
        after = {each.result()[1] for each in [pool.submit(upgrade, database) for _ in range(4)]}

    assert after == {newest()}
    assert differences(database) == []


def test_the_migrations_of_the_cross_reference_make_its_tables_beside_others(database: Database) -> None:
    upgrade(database)
    assert identity_schema.upgrade(database) == ("", identity_schema.newest())
    assert identity_schema.upgrade(database) == (identity_schema.newest(), identity_schema.newest())

    with database.engine.connect() as connection:
        ours = {"version_table": identity_schema.VERSION_TABLE, "include_name": _is_of_the_cross_reference}
        found = compare_metadata(MigrationContext.configure(connection, opts=ours), identity_metadata)
    assert list(found) == []


def _is_of_the_cross_reference(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or (name or "").startswith("pix_")
