"""By what each of the Registry's tables is spread over machines, and what would keep it from that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Table, UniqueConstraint

KEY: Final = "patient_id"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A table that does not lie with a patient: the column it is spread by (none: a copy on every machine), and why."""

    by: str | None
    why: str


ELSEWHERE: Final = {
    "identifier": Elsewhere("value", "a name is unique across all patients, so its key is what it is spread by"),
    "patient_merge": Elsewhere(None, "a merge is of two patients; there are few, so every machine has them all"),
    "purge_plan": Elsewhere(None, "a plan is about many patients; there are a few a year"),
    "access_version": Elsewhere(None, "one number, which says whether what is shared has changed"),
    "access_journal": Elsewhere("number", "a change may be of no patient, and all of them stand in one order"),
    **{
        f"access_{name}": Elsewhere(None, "of no patient; it changes seldom, and is read from memory")
        for name in ("roles", "agreements", "organisations", "users", "endpoints", "services")
    },
}


def uniques(table: Table) -> Iterator[tuple[str, list[str]]]:
    """All that is unique in a table, by name and columns; the primary key first."""
    yield "primary key", [each.name for each in table.primary_key.columns]
    for constraint in sorted(table.constraints, key=lambda each: str(each.name)):
        if isinstance(constraint, UniqueConstraint):
            yield str(constraint.name), [each.name for each in constraint.columns]
    for index in sorted(table.indexes, key=lambda each: str(each.name)):
        if index.unique:
            yield str(index.name), [each.name for each in index.columns]


def hindrances(table: Table) -> Iterator[str]:
    """What keeps a table from being spread by its column."""
    known = ELSEWHERE.get(table.name)
    by = known.by if known else KEY
    if by is None:
        return
    if by not in table.columns or table.columns[by].nullable:
        yield f"{table.name} has no {by} that is always there"
        return
    for name, columns in uniques(table):
        if by not in columns:
            yield f"{table.name}: {name} ({', '.join(columns)}) is unique without {by}"
    for key in table.foreign_key_constraints:
        yield f"{table.name}: a foreign key to {key.referred_table.name}"


def listed(tables: list[Table]) -> Iterator[str]:
    """A table of tables: what is unique in each, and by what it is spread."""
    yield "| table | unique | spread by |"
    yield "|---|---|---|"
    for table in tables:
        known = ELSEWHERE.get(table.name)
        found = "; ".join(f"{name} ({', '.join(columns)})" for name, columns in uniques(table))
        if known is None:
            spread = KEY
        else:
            spread = f"{known.by}: {known.why}" if known.by else f"not at all, a copy on every machine: {known.why}"
        yield f"| `{table.name}` | {found} | {spread} |"
