"""A registry of its own for each test: the actions on a temporary SQLite file, with a clock that tests set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.db import open_database
from registry.store.schema import upgrade
from tests.unit.registry.small import SmallRegistry


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[SmallRegistry]:
    """An empty registry that takes every code and every patient."""
    database = open_database(f"sqlite:///{tmp_path / 'registry.db'}")
    upgrade(database)
    yield SmallRegistry(database)
    database.close()
