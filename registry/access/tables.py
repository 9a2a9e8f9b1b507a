"""Tables of what access decisions go by. Nothing in them is deleted: things end, and every change is in the journal.

Several values of a field stand in one column, separated by spaces. ``version`` counts changes of all but
relationships and consents, which are read anew for each decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sqlalchemy import Column, Index, Integer, PrimaryKeyConstraint, Table

from common.access.records import KINDS, Kind
from common.db.columns import String
from registry.store.tables import metadata

version: Final = Table(
    "access_version",
    metadata,
    Column("name", String, primary_key=True),
    Column("version", Integer, nullable=False),
)

journal: Final = Table(
    "access_journal",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("at", String, nullable=False),
    Column("by", String, nullable=False),
    Column("change", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("record", String, nullable=False),
    Column("content", String, nullable=False),
)

# What ADT messages have told of visits, in the order of their arrival. ``local_ids`` are the other ids that they have
# given the patient, with a unit separator between them, by which a link change finds what moves with it.
visit_event: Final = Table(
    "access_visit_event",
    metadata,
    Column("patient_id", String, nullable=False),
    Column("visit", String, nullable=False),
    Column("number", Integer, nullable=False),
    *(
        Column(name, String, nullable=False)
        for name in (
            "event", "organisation", "recorded_at", "happened_at", "arrived_at", "message", "local_ids",
        )
    ),
    PrimaryKeyConstraint("patient_id", "visit", "number"),
)  # fmt: skip


def _table(kind: Kind, *more: Index | PrimaryKeyConstraint) -> Table:
    """A kind's table: a column for each field, empty where it has none."""
    columns = [Column(kind.key, String, nullable=False)]
    columns += [Column(each.name, String, nullable=False) for each in kind.fields if each.name != kind.key]
    if not any(isinstance(each, PrimaryKeyConstraint) for each in more):
        more = (PrimaryKeyConstraint(kind.key), *more)
    return Table(f"access_{kind.name}", metadata, *columns, *more)


TABLES: Final[Mapping[str, Table]] = MappingProxyType({
    "roles": _table(KINDS["roles"]),
    "relationships": _table(
        KINDS["relationships"], PrimaryKeyConstraint("patient_id", "id"), Index("access_relationships_by_id", "id")
    ),
    "consents": _table(
        KINDS["consents"], PrimaryKeyConstraint("patient_id", "id"), Index("access_consents_by_id", "id")
    ),
    "agreements": _table(KINDS["agreements"]),
    "organisations": _table(KINDS["organisations"], Index("access_organisations_by_also", "also")),
    "users": _table(KINDS["users"], Index("access_users_by_kind", "kind")),
    "endpoints": _table(KINDS["endpoints"], Index("access_endpoints_by_organisation", "organisation")),
    "services": _table(KINDS["services"]),
})  # fmt: skip
