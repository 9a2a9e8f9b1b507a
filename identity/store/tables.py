"""The cross-reference's tables; all begin with ``pix_``, so that they may share a database with others.

``pix_identifier.person`` of a subsumed identifier is that of its survivor, always. The unique index on the persons of
current national identifiers is what keeps two NHS Numbers apart, whoever writes at the same time. Times are DTMs in
UTC, but for those that are compared with the clock, which are milliseconds since 1970 by the database's own.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    text,
)

from common.db.columns import String

metadata: Final = MetaData()

Counter: Final = BigInteger().with_variant(Integer, "sqlite")
_ONE_NUMBER: Final = text("national = 1 AND merged_into_root IS NULL")

person: Final = Table("pix_person", metadata, Column("person", String, primary_key=True))

identifier: Final = Table(
    "pix_identifier",
    metadata,
    Column("root", String, nullable=False),
    Column("extension", String, nullable=False),
    Column("person", String, ForeignKey("pix_person.person"), nullable=False),
    Column("national", SmallInteger, nullable=False),
    Column("told_at", String, nullable=False),
    Column("merged_into_root", String),
    Column("merged_into_extension", String),
    Column("merged_by", String),
    Column("merged_at", String),
    PrimaryKeyConstraint("root", "extension"),
    Index("pix_identifier_by_person", "person"),
    Index("pix_identifier_one_number", "person", unique=True, postgresql_where=_ONE_NUMBER, sqlite_where=_ONE_NUMBER),
    Index("pix_identifier_by_survivor", "merged_into_root", "merged_into_extension"),
)

# What an identifier's authority last told of the person; ``content`` is all of it, the other columns are searched.
demographics: Final = Table(
    "pix_demographics",
    metadata,
    Column("root", String, nullable=False),
    Column("extension", String, nullable=False),
    Column("birth", String, nullable=False),
    Column("sex", String, nullable=False),
    Column("content", String, nullable=False),
    Column("told_at", String, nullable=False),
    PrimaryKeyConstraint("root", "extension"),
    Index("pix_demographics_by_birth", "birth"),
)

# Every name, address and telephone number as it is compared: ``kind`` says what ``one`` and ``two`` are.
searched: Final = Table(
    "pix_searched",
    metadata,
    Column("root", String, nullable=False),
    Column("extension", String, nullable=False),
    Column("number", SmallInteger, nullable=False),
    Column("kind", String, nullable=False),
    Column("one", String, nullable=False),
    Column("two", String, nullable=False),
    PrimaryKeyConstraint("root", "extension", "number"),
    Index("pix_searched_by_value", "kind", "one", "two"),
)

conflict: Final = Table(
    "pix_conflict",
    metadata,
    Column("conflict", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("identifiers", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("message_id", String, nullable=False),
    Column("first_at", String, nullable=False),
    Column("last_at", String, nullable=False),
    Column("times", Integer, nullable=False),
    Column("settled_at", String),
)

# What the Registry is still to be told: deleted once it has accepted it.
forward: Final = Table(
    "pix_forward",
    metadata,
    Column("forward", Counter, primary_key=True, autoincrement=True),
    Column("event", String, nullable=False),
    Column("patient", String, nullable=False),
    Column("other", String, nullable=False),
    Column("state", String, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("reason", String),
    Column("kept_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Index("pix_forward_by_patient", "patient"),
    Index("pix_forward_by_other", "other"),
    Index("pix_forward_by_state", "state", "due_at"),
    sqlite_autoincrement=True,
)

# Who forwards: one process at a time, so that what one patient's messages say arrives in their order.
turn: Final = Table(
    "pix_turn",
    metadata,
    Column("name", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("until", BigInteger, nullable=False),
)

# Queries whose answers are taken in portions, for as long as they are kept.
query: Final = Table(
    "pix_query",
    metadata,
    Column("query", String, primary_key=True),
    Column("echo", LargeBinary, nullable=False),
    Column("persons", String, nullable=False),
    Column("scopes", String, nullable=False),
    Column("position", Integer, nullable=False),
    Column("until", BigInteger, nullable=False),
    Index("pix_query_by_time", "until"),
)
