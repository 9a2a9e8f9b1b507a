"""Tables of what becomes of documents in the end: evidence of removals, legal holds, purges.

They stand beside the registry's tables proper: nothing in them goes when an object goes.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Index, Integer, PrimaryKeyConstraint, Table

from common.db.columns import String
from registry.store.tables import metadata

removal: Final = Table(
    "removal",
    metadata,
    Column("patient_id", String, nullable=False),
    Column("entry_uuid", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("unique_id", String),
    Column("logical_id", String),
    Column("version", Integer),
    Column("repository_unique_id", String),
    Column("hash", String),
    Column("size", String),
    Column("removed_at", String, nullable=False),
    Column("removed_by", String),
    Column("reason", String),
    Column("message_id", String),
    Column("correlation", String),
    PrimaryKeyConstraint("patient_id", "entry_uuid"),
    Index("removal_by_uuid", "entry_uuid"),
    Index("removal_by_unique_id", "unique_id"),
)

legal_hold: Final = Table(
    "legal_hold",
    metadata,
    Column("patient_id", String, nullable=False),
    Column("hold_id", String, nullable=False),
    Column("unique_id", String),
    Column("reason", String, nullable=False),
    Column("placed_by", String, nullable=False),
    Column("placed_at", String, nullable=False),
    Column("lifted_by", String),
    Column("lifted_at", String),
    Column("lift_reason", String),
    PrimaryKeyConstraint("patient_id", "hold_id"),
    Index("legal_hold_by_id", "hold_id"),
    Index("legal_hold_by_unique_id", "unique_id"),
)

patient_death: Final = Table(
    "patient_death",
    metadata,
    Column("patient_id", String, primary_key=True),
    Column("died_on", String, nullable=False),
    Column("recorded_by", String, nullable=False),
    Column("recorded_at", String, nullable=False),
)

purge_plan: Final = Table(
    "purge_plan",
    metadata,
    Column("plan_id", String, primary_key=True),
    Column("policy", String, nullable=False),
    Column("as_of", String, nullable=False),
    Column("planned_by", String, nullable=False),
    Column("planned_at", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("confirmed_by", String),
    Column("confirmed_at", String),
    Column("finished_at", String),
)

purge_item: Final = Table(
    "purge_item",
    metadata,
    Column("patient_id", String, nullable=False),
    Column("plan_id", String, nullable=False),
    Column("entry_uuid", String, nullable=False),
    Column("unique_id", String, nullable=False),
    Column("repository_unique_id", String, nullable=False),
    Column("hash", String),
    Column("state_digest", String, nullable=False),
    Column("rule", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("state", String, nullable=False),
    Column("detail", String, nullable=False),
    Column("changed_at", String, nullable=False),
    PrimaryKeyConstraint("patient_id", "plan_id", "entry_uuid"),
    Index("purge_item_by_plan", "plan_id", "state", "patient_id"),
)
