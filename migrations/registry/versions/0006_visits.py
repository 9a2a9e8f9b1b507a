"""Keep what ADT messages tell of visits, of which relationships are made.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from common.db.columns import String

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TEXTS = ("event", "organisation", "recorded_at", "happened_at", "arrived_at", "message", "local_ids")


def upgrade() -> None:
    """A table of its own: nothing that is there is read or changed."""
    op.create_table(
        "access_visit_event",
        sa.Column("patient_id", String, nullable=False),
        sa.Column("visit", String, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        *(sa.Column(name, String, nullable=False) for name in TEXTS),
        sa.PrimaryKeyConstraint("patient_id", "visit", "number"),
    )


def downgrade() -> None:
    """The previous release makes no relationships of messages; those that were made stay."""
    op.drop_table("access_visit_event")
