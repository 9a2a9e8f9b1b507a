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
WITH_FRAGMENTS = ("submission_set", "entry", "folder", "association")


def upgrade() -> None:
    """All tables; on PostgreSQL the fragments are compressed fast and kept in the row."""
    op.create_table(
        "association",
        sa.Column("patient_id", STRING, nullable=False),
        sa.Column("entry_uuid", STRING, nullable=False),
        sa.Column("type", STRING, nullable=False),
        sa.Column("source", STRING, nullable=False),
        sa.Column("target", STRING, nullable=False),
        sa.Column("availability_status", STRING, nullable=False),
        sa.Column("ebrim", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("patient_id", "entry_uuid"),
    )
    op.create_index("association_by_source", "association", ["source"])
    op.create_index("association_by_target", "association", ["target"])
    op.create_index("association_by_uuid", "association", ["entry_uuid"])
    op.create_table(
        "entry",
        sa.Column("patient_id", STRING, nullable=False),
        sa.Column("entry_uuid", STRING, nullable=False),
        sa.Column("logical_id", STRING, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("is_latest", sa.SmallInteger(), nullable=False),
        sa.Column("unique_id", STRING, nullable=False),
        sa.Column("object_type", STRING, nullable=False),
        sa.Column("availability_status", STRING, nullable=False),
        sa.Column("document_availability", STRING),
        sa.Column("repository_unique_id", STRING, nullable=False),
        sa.Column("hash", STRING),
        sa.Column("size", STRING),
        sa.Column("class_code", STRING, nullable=False),
        sa.Column("type_code", STRING, nullable=False),
        sa.Column("format_code", STRING, nullable=False),
        sa.Column("practice_setting_code", STRING, nullable=False),
        sa.Column("healthcare_facility_type_code", STRING, nullable=False),
        sa.Column("confidentiality_codes", STRING, nullable=False),
        sa.Column("event_codes", STRING),
        sa.Column("creation_time", STRING),
        sa.Column("service_start_time", STRING),
        sa.Column("service_stop_time", STRING),
        sa.Column("author_persons", STRING),
        sa.Column("reference_id_list", STRING),
        sa.Column("ebrim", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("patient_id", "entry_uuid"),
    )
    op.create_index("entry_by_type", "entry", ["patient_id", "type_code", "creation_time"])
    op.create_index("entry_by_unique_id", "entry", ["unique_id"])
    op.create_index("entry_by_uuid", "entry", ["entry_uuid"])
    op.create_table(
        "folder",
        sa.Column("patient_id", STRING, nullable=False),
        sa.Column("entry_uuid", STRING, nullable=False),
        sa.Column("logical_id", STRING, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("is_latest", sa.SmallInteger(), nullable=False),
        sa.Column("unique_id", STRING, nullable=False),
        sa.Column("availability_status", STRING, nullable=False),
        sa.Column("last_update_time", STRING, nullable=False),
        sa.Column("codes", STRING, nullable=False),
        sa.Column("ebrim", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("patient_id", "entry_uuid"),
    )
    op.create_index("folder_by_unique_id", "folder", ["unique_id"])
    op.create_index("folder_by_uuid", "folder", ["entry_uuid"])
    op.create_table(
        "identifier",
        sa.Column("value", STRING, primary_key=True),
        sa.Column("kind", STRING, nullable=False),
        sa.Column("patient_id", STRING, nullable=False),
        sa.Column("entry_uuid", STRING, nullable=False),
        sa.Column("hash", STRING),
        sa.Column("size", STRING),
    )
    op.create_table(
        "patient",
        sa.Column("patient_id", STRING, primary_key=True),
        sa.Column("fed_at", STRING),
        sa.Column("merged_into", STRING),
    )
    op.create_table(
        "submission_set",
        sa.Column("patient_id", STRING, nullable=False),
        sa.Column("entry_uuid", STRING, nullable=False),
        sa.Column("unique_id", STRING, nullable=False),
        sa.Column("source_id", STRING, nullable=False),
        sa.Column("submission_time", STRING, nullable=False),
        sa.Column("content_type_code", STRING, nullable=False),
        sa.Column("author_persons", STRING),
        sa.Column("availability_status", STRING, nullable=False),
        sa.Column("message_id", STRING),
        sa.Column("message_digest", STRING, nullable=False),
        sa.Column("registered_at", STRING, nullable=False),
        sa.Column("ebrim", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("patient_id", "entry_uuid"),
    )
    op.create_index("submission_set_by_unique_id", "submission_set", ["unique_id"])
    op.create_index("submission_set_by_uuid", "submission_set", ["entry_uuid"])
    if op.get_bind().dialect.name == "postgresql":
        _keep_fragments_in_rows()


def _keep_fragments_in_rows() -> None:
    """A DocumentEntry's fragment has 5 to 10 KB: compressed it is a third of that, and fits into its row.

    By default it would be moved out of the row, which costs other index look-ups for each entry read. A row
    over the target has its fragment compressed, and is then small enough to keep it.
    """
    connection = op.get_bind()
    known = sa.text("SELECT 'lz4' = ANY(enumvals) FROM pg_settings WHERE name = 'default_toast_compression'")
    has_lz4 = connection.execute(known).scalar()
    for table in WITH_FRAGMENTS:
        op.execute(f"ALTER TABLE {table} SET (toast_tuple_target = 5000)")
        if has_lz4:
            op.execute(f"ALTER TABLE {table} ALTER COLUMN ebrim SET COMPRESSION lz4")


def downgrade() -> None:
    """Nothing is left: there was nothing before."""
    for table in ("association", "folder", "entry", "submission_set", "identifier", "patient"):
        op.drop_table(table)
