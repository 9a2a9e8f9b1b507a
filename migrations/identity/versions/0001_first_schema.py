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
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ONE_NUMBER = sa.text("national = 1 AND merged_into_root IS NULL")

TABLES = (
    "pix_query",
    "pix_turn",
    "pix_forward",
    "pix_conflict",
    "pix_searched",
    "pix_demographics",
    "pix_identifier",
    "pix_person",
)


def upgrade() -> None:
    """All tables."""
    op.create_table(
        "pix_person",
        sa.Column("person", STRING, primary_key=True),
    )
    op.create_table(
        "pix_identifier",
        sa.Column("root", STRING, nullable=False),
        sa.Column("extension", STRING, nullable=False),
        sa.Column("person", STRING, sa.ForeignKey("pix_person.person"), nullable=False),
        sa.Column("national", sa.SmallInteger(), nullable=False),
        sa.Column("told_at", STRING, nullable=False),
        sa.Column("merged_into_root", STRING),
        sa.Column("merged_into_extension", STRING),
        sa.Column("merged_by", STRING),
        sa.Column("merged_at", STRING),
        sa.PrimaryKeyConstraint("root", "extension"),
    )
    op.create_index("pix_identifier_by_person", "pix_identifier", ["person"])
    op.create_index(
        "pix_identifier_one_number",
        "pix_identifier",
        ["person"],
        unique=True,
        postgresql_where=ONE_NUMBER,
        sqlite_where=ONE_NUMBER,
    )
    op.create_index("pix_identifier_by_survivor", "pix_identifier", ["merged_into_root", "merged_into_extension"])
    op.create_table(
        "pix_demographics",
        sa.Column("root", STRING, nullable=False),
        sa.Column("extension", STRING, nullable=False),
        sa.Column("birth", STRING, nullable=False),
        sa.Column("sex", STRING, nullable=False),
        sa.Column("content", STRING, nullable=False),
        sa.Column("told_at", STRING, nullable=False),
        sa.PrimaryKeyConstraint("root", "extension"),
    )
    op.create_index("pix_demographics_by_birth", "pix_demographics", ["birth"])
    op.create_table(
        "pix_searched",
        sa.Column("root", STRING, nullable=False),
        sa.Column("extension", STRING, nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("kind", STRING, nullable=False),
        sa.Column("one", STRING, nullable=False),
        sa.Column("two", STRING, nullable=False),
        sa.PrimaryKeyConstraint("root", "extension", "number"),
    )
    op.create_index("pix_searched_by_value", "pix_searched", ["kind", "one", "two"])
    op.create_table(
        "pix_conflict",
        sa.Column("conflict", STRING, primary_key=True),
        sa.Column("kind", STRING, nullable=False),
        sa.Column("identifiers", STRING, nullable=False),
        sa.Column("reason", STRING, nullable=False),
        sa.Column("message_id", STRING, nullable=False),
        sa.Column("first_at", STRING, nullable=False),
        sa.Column("last_at", STRING, nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("settled_at", STRING),
    )
    op.create_table(
        "pix_forward",
        sa.Column("forward", COUNTER, primary_key=True, autoincrement=True),
        sa.Column("event", STRING, nullable=False),
        sa.Column("patient", STRING, nullable=False),
        sa.Column("other", STRING, nullable=False),
        sa.Column("state", STRING, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("reason", STRING),
        sa.Column("kept_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("pix_forward_by_patient", "pix_forward", ["patient"])
    op.create_index("pix_forward_by_other", "pix_forward", ["other"])
    op.create_index("pix_forward_by_state", "pix_forward", ["state", "due_at"])
    op.create_table(
        "pix_turn",
        sa.Column("name", STRING, primary_key=True),
        sa.Column("holder", STRING, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "pix_query",
        sa.Column("query", STRING, primary_key=True),
        sa.Column("echo", sa.LargeBinary(), nullable=False),
        sa.Column("persons", STRING, nullable=False),
        sa.Column("scopes", STRING, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
    )
    op.create_index("pix_query_by_time", "pix_query", ["until"])


def downgrade() -> None:
    """Nothing is left: there was nothing before."""
    for name in TABLES:
        op.drop_table(name)
