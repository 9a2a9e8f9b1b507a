"""The first schema.

Revision ID: 0001
Revises:
"""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
KEPT = ("arr_record", "arr_event", "arr_term", "arr_checkpoint")
TOLD = "the audit trail is only ever added to"


def upgrade() -> None:
    """All tables, and what keeps them from being changed."""
    head = op.create_table(
        "arr_head",
        sa.Column("name", STRING, primary_key=True),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
    )
    # The chain begins at the hash that stands before the first record.
    begin = hashlib.sha256(b"portolan audit trail 1").digest()
    op.bulk_insert(head, [{"name": "trail", "number": 0, "hash": begin}])
    op.create_table(
        "arr_record",
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
    )
    op.create_index("arr_record_by_digest", "arr_record", ["digest"], unique=True)
    op.create_table(
        "arr_event",
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("problem", STRING, nullable=False),
        sa.Column("event", STRING, nullable=False),
        sa.Column("action", STRING, nullable=False),
        sa.Column("outcome", sa.SmallInteger(), nullable=False),
        sa.Column("source", STRING, nullable=False),
        sa.Column("site", STRING, nullable=False),
        sa.Column("kinds", STRING, nullable=False),
    )
    op.create_index("arr_event_by_time", "arr_event", ["at", "number"])
    op.create_index("arr_event_by_source", "arr_event", ["source", "at"])
    op.create_table(
        "arr_term",
        sa.Column("kind", STRING, nullable=False),
        sa.Column("value", STRING, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", "at", "number"),
    )
    op.create_index("arr_term_by_number", "arr_term", ["number"])
    op.create_table(
        "arr_checkpoint",
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("key", STRING, nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _guard_postgresql() -> None:
    op.execute(
        f"CREATE FUNCTION arr_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{TOLD}'; END $$"
    )
    for name in KEPT:
        op.execute(
            f"CREATE TRIGGER {name}_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON {name} "
            "FOR EACH STATEMENT EXECUTE FUNCTION arr_refuse()"
        )


def _guard_sqlite() -> None:
    for name in KEPT:
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {name}_{act.lower()}_guard BEFORE {act} ON {name} "
                f"BEGIN SELECT RAISE(ABORT, '{TOLD}'); END"
            )


def downgrade() -> None:
    """Nothing is left: there was nothing before."""
    for name in ("arr_checkpoint", "arr_term", "arr_event", "arr_record", "arr_head"):
        op.drop_table(name)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION arr_refuse()")
