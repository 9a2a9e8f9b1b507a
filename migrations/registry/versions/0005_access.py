"""Keep what access decisions go by, and of each entry the organisations of its authors.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

from common.db.columns import String

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SPAN = ("begins", "ends")
TABLES = {
    "roles": ("id", "role", "right", "organisation", *SPAN, "note"),
    "relationships": ("id", "patient_id", "organisation", "team", "user", *SPAN, "source"),
    "consents": ("id", "patient_id", "decision", "type", "organisation", "purpose", *SPAN, "basis", "source"),
    "agreements": ("id", "title", "providers", "recipients", "types", "purposes", *SPAN, "reference"),
    "organisations": ("code", "name", "care_setting", "part_of", "also", "town", "postcode", *SPAN, "source"),
    "users": ("user", "name", "kind", "issuer", "organisation", "roles", "teams", *SPAN),
    "endpoints": ("id", "organisation", "service", "transactions", "address", *SPAN),
    "services": ("service", "name", "organisation", "kind", "contact", *SPAN),
}
OF_PATIENTS = ("relationships", "consents")
INDEXES = {
    "relationships": "id",
    "consents": "id",
    "organisations": "also",
    "users": "kind",
    "endpoints": "organisation",
}


def upgrade() -> None:
    """The new column is NULL for what is registered already, and PostgreSQL adds it without reading the table."""
    op.add_column("entry", sa.Column("author_organisations", String))
    op.create_table(
        "access_version", sa.Column("name", String, primary_key=True), sa.Column("version", sa.Integer, nullable=False)
    )
    op.execute("INSERT INTO access_version (name, version) VALUES ('access', 0)")
    texts = ("at", "by", "change", "kind", "record", "content")
    op.create_table(
        "access_journal",
        sa.Column("number", sa.Integer, primary_key=True),
        *(sa.Column(name, String, nullable=False) for name in texts),
    )
    for name, columns in TABLES.items():
        key = ("patient_id", "id") if name in OF_PATIENTS else columns[:1]
        made = [sa.Column(column, String, nullable=False) for column in columns]
        op.create_table(f"access_{name}", *made, sa.PrimaryKeyConstraint(*key))
        if name in INDEXES:
            op.create_index(f"access_{name}_by_{INDEXES[name]}", f"access_{name}", [INDEXES[name]])
    _only_append()


def _only_append() -> None:
    """What stands in the journal stays as it is, for whoever has no more rights than this service."""
    told = "the journal of access is only added to"
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION access_journal_stays() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{told}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER access_journal_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON access_journal "
            "FOR EACH STATEMENT EXECUTE FUNCTION access_journal_stays()"
        )
        return
    for what in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER access_journal_no_{what.lower()} BEFORE {what} ON access_journal "
            f"BEGIN SELECT RAISE(ABORT, '{told}'); END"
        )


def downgrade() -> None:
    """The previous release does without."""
    for name in ("version", "journal", *TABLES):
        op.drop_table(f"access_{name}")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION access_journal_stays()")
    op.drop_column("entry", "author_organisations")
