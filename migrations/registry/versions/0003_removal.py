"""Evidence of removals, legal holds, deaths, and purges.

New tables only: they are made beside a running registry, and the release before works on without them.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _columns(required: str, optional: str = "") -> list[sa.Column[str]]:
    return [
        *(sa.Column(name, STRING, nullable=False) for name in required.split()),
        *(sa.Column(name, STRING) for name in optional.split()),
    ]


def upgrade() -> None:
    """All of them, with their indexes."""
    op.create_table(
        "removal",
        *_columns(
            "patient_id entry_uuid kind removed_at",
            "unique_id logical_id repository_unique_id hash size removed_by reason message_id correlation",
        ),
        sa.Column("version", sa.Integer()),
        sa.PrimaryKeyConstraint("patient_id", "entry_uuid"),
    )
    op.create_index("removal_by_uuid", "removal", ["entry_uuid"])
    op.create_index("removal_by_unique_id", "removal", ["unique_id"])
    op.create_table(
        "legal_hold",
        *_columns("patient_id hold_id reason placed_by placed_at", "unique_id lifted_by lifted_at lift_reason"),
        sa.PrimaryKeyConstraint("patient_id", "hold_id"),
    )
    op.create_index("legal_hold_by_id", "legal_hold", ["hold_id"])
    op.create_index("legal_hold_by_unique_id", "legal_hold", ["unique_id"])
    op.create_table(
        "patient_death",
        *_columns("patient_id died_on recorded_by recorded_at"),
        sa.PrimaryKeyConstraint("patient_id"),
    )
    op.create_table(
        "purge_plan",
        *_columns("plan_id policy as_of planned_by planned_at digest", "confirmed_by confirmed_at finished_at"),
        sa.PrimaryKeyConstraint("plan_id"),
    )
    op.create_table(
        "purge_item",
        *_columns(
            "patient_id plan_id entry_uuid unique_id repository_unique_id state_digest rule reason state detail"
            " changed_at",
            "hash",
        ),
        sa.PrimaryKeyConstraint("patient_id", "plan_id", "entry_uuid"),
    )
    op.create_index("purge_item_by_plan", "purge_item", ["plan_id", "state", "patient_id"])


def downgrade() -> None:
    """Nothing: evidence is not thrown away."""
