"""Statements have names that say what they do, and to which tables; and their text holds no values."""

import importlib
import logging
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.base import PGDialect

from common.db import DatabaseError, Statement, open_database
from common.db.statement import summary
from common.observe import slow

ROOMS = ("registry.store", "identity.store", "common.outbox")


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("SELECT a FROM entry WHERE b = $1", "SELECT entry"),
        ("SELECT a FROM entry JOIN folder ON x = y JOIN entry AS again ON z", "SELECT entry, SELECT folder"),
        ("INSERT INTO entry (a, b) VALUES ($1, $2) ON CONFLICT DO UPDATE SET a = $1", "INSERT entry"),
        ("UPDATE entry SET a = $1 FROM folder", "UPDATE entry, SELECT folder"),
        ("DELETE FROM entry WHERE a = $1", "DELETE entry"),
        ("WITH found (a) AS (SELECT a FROM entry) UPDATE folder SET b = 1 FROM found", "SELECT entry, UPDATE folder"),
        ("WITH one AS MATERIALIZED (SELECT 1 FROM a), two AS (SELECT 1 FROM one) SELECT * FROM two", "SELECT a"),
        ("SELECT a FROM entry FOR UPDATE SKIP LOCKED", "SELECT entry"),
        ("SELECT extract(epoch FROM statement_timestamp()) FROM letter", "SELECT letter"),
        ("SELECT 1 FROM a, b", "SELECT a"),
        ("SELECT 1", "SELECT"),
        ("DELETE FROM a; DELETE FROM b; DELETE FROM c; DELETE FROM d; DELETE FROM e",
         "DELETE a, DELETE b, DELETE c, DELETE d, …"),
    ],
)  # fmt: skip
def test_a_statement_is_named_by_what_it_does(sql: str, named: str) -> None:
    assert summary(sql) == named


def _statements() -> Iterator[Statement]:
    for room in ROOMS:
        package = importlib.import_module(room)
        for found in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{room}.{found.name}")
            yield from (each for each in vars(module).values() if isinstance(each, Statement))


def test_every_statement_of_the_stores_has_a_name_of_words() -> None:
    dialect = PGDialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
    names = [each.name(dialect) for each in _statements()]

    assert len(names) > 20
    for name in names:
        assert re.fullmatch(r"[a-z_]+: [A-Z]+( [a-z_]+)?(, [A-Z]+ [a-z_]+)*(, …)?", name), name


@pytest.fixture
def told(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(slow.BOUNDS, "statement", 0.0)
    caplog.set_level(logging.WARNING, "portolan.slow")
    return f"sqlite:///{tmp_path / 'x.db'}"


def test_a_slow_statement_is_logged_with_its_rows_and_without_its_values(
    told: str, caplog: pytest.LogCaptureFixture
) -> None:
    database = open_database(told)
    with database.read() as work:
        work.rows(Statement(text("SELECT :secret UNION SELECT 'b'")), {"secret": "9990001006"})

    [record] = caplog.records
    assert record.__dict__["statement"] == "test_statement_names: SELECT"
    assert record.__dict__["rows"] == 2
    assert record.__dict__["duration_ms"] >= 0
    assert "9990001006" not in str(record.__dict__)
    database.close()


def test_a_statement_that_fails_is_logged_too(told: str, caplog: pytest.LogCaptureFixture) -> None:
    database = open_database(told)
    with pytest.raises(DatabaseError), database.read() as work:
        work.rows(Statement(text("SELECT :secret FROM nowhere")), {"secret": "9990001006"})

    [record] = caplog.records
    assert record.__dict__["statement"] == "test_statement_names: SELECT nowhere"
    assert record.__dict__["rows"] is None
    assert "9990001006" not in str(record.__dict__)
    database.close()
