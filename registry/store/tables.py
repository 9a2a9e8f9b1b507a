"""The registry's tables. The patient leads every key, so that a patient's rows lie together.

``ebrim`` is an object's fragment (see ``common.ebxml.fragments``): made once, spliced into answers.
Attributes that occur several times and are only ever searched stand in one column, each value between
separators (see ``common.db.statement.SEPARATOR``). No table has a foreign key, and the one table with a
key that is unique across patients, ``identifier``, has that key for its first column: so the schema can be
spread over machines by patient, and ``identifier`` by its value.

A patient's row is there once a feed has told of them (``fed_at``), or anything is registered for them: whoever
registers holds that row, and whoever merges takes it alone. ``filed_under`` is the patient id that a row had before its
patient was merged into another; it is NULL where that is still ``patient_id``.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
)

from common.db.columns import String

metadata: Final = MetaData()


def _later_versions(table: Table) -> None:
    """The first version is found by its own id, which is the logicalID; so only later ones cost an index entry."""
    later = table.c.version > 1
    Index(f"{table.name}_later_versions", table.c.logical_id, postgresql_where=later, sqlite_where=later)


patient: Final = Table(
    "patient",
    metadata,
    Column("patient_id", String, primary_key=True),
    Column("fed_at", String),
    Column("merged_into", String),
)

# Every merge that was carried out. ``undone_at`` is set when an administrator has taken it back.
patient_merge: Final = Table(
    "patient_merge",
    metadata,
    Column("merge_id", String, primary_key=True),
    Column("subsumed", String, nullable=False),
    Column("survivor", String, nullable=False),
    Column("merged_at", String, nullable=False),
    Column("message_id", String, nullable=False),
    Column("undone_at", String),
    Index("patient_merge_by_subsumed", "subsumed"),
    Index("patient_merge_by_survivor", "survivor"),
)

identifier: Final = Table(
    "identifier",
    metadata,
    Column("value", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("patient_id", String, nullable=False),
    Column("entry_uuid", String, nullable=False),
    Column("hash", String),
    Column("size", String),
)

submission_set: Final = Table(
    "submission_set",
    metadata,
    Column("patient_id", String, nullable=False),
    Column("entry_uuid", String, nullable=False),
    Column("unique_id", String, nullable=False),
    Column("source_id", String, nullable=False),
    Column("submission_time", String, nullable=False),
    Column("content_type_code", String, nullable=False),
    Column("author_persons", String),
    Column("availability_status", String, nullable=False),
    Column("message_id", String),
    Column("message_digest", String, nullable=False),
    Column("registered_at", String, nullable=False),
    Column("ebrim", LargeBinary, nullable=False),
    Column("filed_under", String),
    PrimaryKeyConstraint("patient_id", "entry_uuid"),
    Index("submission_set_by_uuid", "entry_uuid"),
    Index("submission_set_by_unique_id", "unique_id"),
)

entry: Final = Table(
    "entry",
    metadata,
    Column("patient_id", String, nullable=False),
    Column("entry_uuid", String, nullable=False),
    Column("logical_id", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("is_latest", SmallInteger, nullable=False),
    Column("unique_id", String, nullable=False),
    Column("object_type", String, nullable=False),
    Column("availability_status", String, nullable=False),
    Column("document_availability", String),
    Column("repository_unique_id", String, nullable=False),
    Column("hash", String),
    Column("size", String),
    Column("class_code", String, nullable=False),
    Column("type_code", String, nullable=False),
    Column("format_code", String, nullable=False),
    Column("practice_setting_code", String, nullable=False),
    Column("healthcare_facility_type_code", String, nullable=False),
    Column("confidentiality_codes", String, nullable=False),
    Column("event_codes", String),
    Column("creation_time", String),
    Column("service_start_time", String),
    Column("service_stop_time", String),
    Column("author_persons", String),
    Column("reference_id_list", String),
    Column("ebrim", LargeBinary, nullable=False),
    Column("filed_under", String),
    # Empty where the authors name no organisation; NULL where the entry is older than this column.
    Column("author_organisations", String),
    PrimaryKeyConstraint("patient_id", "entry_uuid"),
    Index("entry_by_uuid", "entry_uuid"),
    Index("entry_by_unique_id", "unique_id"),
    # A patient with thousands of documents is asked for those of a type, or of a time.
    Index("entry_by_type", "patient_id", "type_code", "creation_time"),
)
_later_versions(entry)

folder: Final = Table(
    "folder",
    metadata,
    Column("patient_id", String, nullable=False),
    Column("entry_uuid", String, nullable=False),
    Column("logical_id", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("is_latest", SmallInteger, nullable=False),
    Column("unique_id", String, nullable=False),
    Column("availability_status", String, nullable=False),
    Column("last_update_time", String, nullable=False),
    Column("codes", String, nullable=False),
    Column("ebrim", LargeBinary, nullable=False),
    Column("filed_under", String),
    PrimaryKeyConstraint("patient_id", "entry_uuid"),
    Index("folder_by_uuid", "entry_uuid"),
    Index("folder_by_unique_id", "unique_id"),
)
_later_versions(folder)

association: Final = Table(
    "association",
    metadata,
    Column("patient_id", String, nullable=False),
    Column("entry_uuid", String, nullable=False),
    Column("type", String, nullable=False),
    Column("source", String, nullable=False),
    Column("target", String, nullable=False),
    Column("availability_status", String, nullable=False),
    Column("ebrim", LargeBinary, nullable=False),
    Column("filed_under", String),
    PrimaryKeyConstraint("patient_id", "entry_uuid"),
    Index("association_by_uuid", "entry_uuid"),
    Index("association_by_source", "source"),
    Index("association_by_target", "target"),
)
