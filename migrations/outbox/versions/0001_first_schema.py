"""The first schema.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """The one table."""
    op.create_table(
        "outbox_letter",
        sa.Column("id", STRING, primary_key=True),
        sa.Column("service", STRING, nullable=False),
        sa.Column("message_id", STRING, nullable=False),
        sa.Column("digest", STRING, nullable=False),
        sa.Column("transaction", STRING, nullable=False),
        sa.Column("correlation", STRING, nullable=False),
        sa.Column("kind", STRING, nullable=False),
        sa.Column("outcome", STRING, nullable=False),
        sa.Column("address", STRING, nullable=False),
        sa.Column("content_type", STRING, nullable=False),
        sa.Column("content", sa.LargeBinary()),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("state", STRING, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("reason", STRING),
        sa.Column("kept_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("lease", STRING),
    )
    by_message = ["service", "message_id", "digest"]
    op.create_index("outbox_letter_by_message", "outbox_letter", by_message, unique=True)
    op.create_index("outbox_letter_by_state", "outbox_letter", ["service", "state", "due_at"])


def downgrade() -> None:
    """Nothing is left: there was nothing before."""
    op.drop_table("outbox_letter")
