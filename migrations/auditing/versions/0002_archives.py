"""What of the trail was taken out into files, and that nothing else can be.

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
MOVED = ("arr_record", "arr_event", "arr_term")
TOLD = "the audit trail is only ever added to"
LAST = "(SELECT coalesce(max(number), 0) FROM arr_archive)"


def upgrade() -> None:
    """Rows of records may go that a row of the new table says are archived."""
    op.create_table(
        "arr_archive",
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("first", sa.BigInteger(), nullable=False, unique=True),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("file", STRING, nullable=False),
        sa.Column("sha256", STRING, nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _guard_postgresql() -> None:
    op.execute(
        f"CREATE FUNCTION arr_refuse_unarchived() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF OLD.number > {LAST} THEN RAISE EXCEPTION '{TOLD}'; END IF; RETURN OLD; END $$"
    )
    op.execute(
        "CREATE TRIGGER arr_archive_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON arr_archive "
        "FOR EACH STATEMENT EXECUTE FUNCTION arr_refuse()"
    )
    for name in MOVED:
        op.execute(f"DROP TRIGGER {name}_guard ON {name}")
        op.execute(
            f"CREATE TRIGGER {name}_guard BEFORE UPDATE OR TRUNCATE ON {name} "
            "FOR EACH STATEMENT EXECUTE FUNCTION arr_refuse()"
        )
        op.execute(
            f"CREATE TRIGGER {name}_delete_guard BEFORE DELETE ON {name} "
            "FOR EACH ROW EXECUTE FUNCTION arr_refuse_unarchived()"
        )


def _guard_sqlite() -> None:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{TOLD}'); END"
    for act in ("UPDATE", "DELETE"):
        op.execute(f"CREATE TRIGGER arr_archive_{act.lower()}_guard BEFORE {act} ON arr_archive {refuse}")
    for name in MOVED:
        op.execute(f"DROP TRIGGER {name}_delete_guard")
        op.execute(f"CREATE TRIGGER {name}_delete_guard BEFORE DELETE ON {name} WHEN OLD.number > {LAST} {refuse}")


def downgrade() -> None:
    """As before; a trail of which something was archived is verified by nothing that knows no archives."""
    if op.get_bind().dialect.name == "postgresql":
        for name in MOVED:
            op.execute(f"DROP TRIGGER {name}_delete_guard ON {name}")
            op.execute(f"DROP TRIGGER {name}_guard ON {name}")
            op.execute(
                f"CREATE TRIGGER {name}_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON {name} "
                "FOR EACH STATEMENT EXECUTE FUNCTION arr_refuse()"
            )
        op.execute("DROP FUNCTION arr_refuse_unarchived()")
    else:
        for name in MOVED:
            op.execute(f"DROP TRIGGER {name}_delete_guard")
            op.execute(
                f"CREATE TRIGGER {name}_delete_guard BEFORE DELETE ON {name} BEGIN SELECT RAISE(ABORT, '{TOLD}'); END"
            )
    op.drop_table("arr_archive")
