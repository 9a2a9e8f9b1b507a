"""Merges of patients: a record of each, and what every object was filed under before.

All of it is additional and may be NULL, so that the release before works on: its rows are not merged ones.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
MOVED = ("submission_set", "entry", "folder", "association")


def upgrade() -> None:
    """A table, and a column without a default in each of four: no row is rewritten."""
    for table in MOVED:
        op.add_column(table, sa.Column("filed_under", STRING))
    op.create_table(
        "patient_merge",
        sa.Column("merge_id", STRING, primary_key=True),
        sa.Column("subsumed", STRING, nullable=False),
        sa.Column("survivor", STRING, nullable=False),
        sa.Column("merged_at", STRING, nullable=False),
        sa.Column("message_id", STRING, nullable=False),
        sa.Column("undone_at", STRING),
    )
    op.create_index("patient_merge_by_subsumed", "patient_merge", ["subsumed"])
    op.create_index("patient_merge_by_survivor", "patient_merge", ["survivor"])
    if op.get_bind().dialect.name == "postgresql":
        # A SubmissionSet's fragment has 3 to 5 KB: just too little to be compressed so far, and just too much for two
        # rows on a page. From now on new ones are a third of that, which a merge rewrites so much the faster.
        op.execute("ALTER TABLE submission_set SET (toast_tuple_target = 3000)")


def downgrade() -> None:
    """What was merged stays merged."""
    op.drop_table("patient_merge")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE submission_set SET (toast_tuple_target = 5000)")
    for table in MOVED:
        op.drop_column(table, "filed_under")
