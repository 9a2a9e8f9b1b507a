"""Keep with a request that is answered later who asked.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from common.db.columns import String

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """NULL for what is kept already: where access is decided, that is then nobody's."""
    op.add_column("outbox_letter", sa.Column("asked", String))


def downgrade() -> None:
    """The previous release reads a user out of the request."""
    op.drop_column("outbox_letter", "asked")
