"""Find the later versions of an object by their logicalID.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

LATER = sa.text("version > 1")


def upgrade() -> None:
    """Indexes of later versions alone: small, since few objects have any, and made at once for the same reason."""
    for table in ("entry", "folder"):
        op.create_index(f"{table}_later_versions", table, ["logical_id"], postgresql_where=LATER, sqlite_where=LATER)


def downgrade() -> None:
    """The previous release does without."""
    for table in ("entry", "folder"):
        op.drop_index(f"{table}_later_versions", table)
