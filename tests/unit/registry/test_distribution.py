"""The Registry's tables can be spread over machines by patient: what an engine for that could not hold is not there."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, Integer, MetaData, PrimaryKeyConstraint, String, Table, UniqueConstraint
from sqlalchemy.schema import ForeignKey, Index

from bench.scale_keys import ELSEWHERE, KEY, hindrances
from registry.store import lifecycle_tables, tables


def test_every_table_is_kept_by_patient_or_named_here_with_a_reason() -> None:
    assert lifecycle_tables.metadata is tables.metadata
    found = [told for table in tables.metadata.tables.values() for told in hindrances(table)]

    assert found == []


def test_every_exception_is_a_table_that_needs_one() -> None:
    assert set(ELSEWHERE) <= set(tables.metadata.tables)
    for name in ELSEWHERE:
        table = tables.metadata.tables[name]
        assert KEY not in [column.name for column in table.primary_key.columns]


def test_the_patient_leads_every_primary_key() -> None:
    for table in tables.metadata.tables.values():
        if table.name not in ELSEWHERE:
            assert next(iter(table.primary_key.columns)).name == KEY, table.name


def test_the_one_key_across_patients_is_the_whole_key_of_its_table() -> None:
    assert [column.name for column in tables.identifier.primary_key.columns] == ["value"]
    assert [each.name for each in tables.identifier.indexes if each.unique] == []


@pytest.mark.parametrize(
    ("columns", "more"),
    [
        ([Column("entry_uuid", String, primary_key=True)], []),
        ([Column(KEY, String), Column("entry_uuid", String, primary_key=True)], []),
        ([Column(KEY, String, primary_key=True), Column("n", Integer)], [UniqueConstraint("n")]),
        ([Column(KEY, String, primary_key=True), Column("n", Integer)], [Index("by_n", "n", unique=True)]),
        ([Column(KEY, String, ForeignKey("patient.patient_id"), primary_key=True)], []),
        (
            [Column(KEY, String, nullable=False), Column("n", Integer, nullable=False)],
            [PrimaryKeyConstraint("n")],
        ),
    ],
    ids=["no patient", "patient may be missing", "unique", "unique index", "foreign key", "key without patient"],
)
def test_a_table_that_could_not_be_spread_is_found(columns: list[Column[object]], more: list[object]) -> None:
    metadata = MetaData()
    Table("patient", metadata, Column(KEY, String, primary_key=True))
    bad = Table("bad", metadata, *columns, *more)  # type: ignore[arg-type]

    assert list(hindrances(bad))
