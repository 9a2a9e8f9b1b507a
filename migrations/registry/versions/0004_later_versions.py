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
TABLES = ("entry", "folder")


def upgrade() -> None:
    """Indexes of later versions alone: small, since few objects have any. PostgreSQL reads the whole table for them."""
    if op.get_bind().dialect.name == "postgresql":
        _beside_writers()
        return
    for table in TABLES:
        op.create_index(f"{table}_later_versions", table, ["logical_id"], sqlite_where=LATER)


def _beside_writers() -> None:
    """Without a lock that holds up those who write; what was left by an attempt that was cut off is made anew."""
    with op.get_context().autocommit_block():
        before = op.get_bind().exec_driver_sql("SHOW lock_timeout").scalar_one()
        op.execute("SET lock_timeout = 0")  # it waits for running transactions, and nobody for it
        for table in TABLES:
            name = f"{table}_later_versions"
            op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
            op.create_index(name, table, ["logical_id"], postgresql_where=LATER, postgresql_concurrently=True)
        op.execute(f"SET lock_timeout = '{before}'")


def downgrade() -> None:
    """The previous release does without."""
    for table in TABLES:
        op.drop_index(f"{table}_later_versions", table)
