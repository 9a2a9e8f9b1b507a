"""The trail's tables; all begin with ``arr_``, so that they may share a database with others.

``arr_record`` is the trail. ``arr_event`` and ``arr_term`` are what it is found by, made of its bytes, and checked
against them by ``portolan audit verify``. Triggers refuse to change or delete a row of these, but for the records that
``arr_archive`` says are in a file: no lock against whoever owns the database, but against a slip. Times are
microseconds since 1970.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, PrimaryKeyConstraint, SmallInteger, Table

from common.db.columns import String

metadata: Final = MetaData()

# One row: the last record of the chain. Whoever adds to it holds this row's lock meanwhile.
head: Final = Table(
    "arr_head",
    metadata,
    Column("name", String, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

record: Final = Table(
    "arr_record",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("received_at", BigInteger, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Index("arr_record_by_digest", "digest", unique=True),
)

event: Final = Table(
    "arr_event",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("problem", String, nullable=False),
    Column("event", String, nullable=False),
    Column("action", String, nullable=False),
    Column("outcome", SmallInteger, nullable=False),
    Column("source", String, nullable=False),
    Column("site", String, nullable=False),
    Column("kinds", String, nullable=False),
    Index("arr_event_by_time", "at", "number"),
    Index("arr_event_by_source", "source", "at"),
)

term: Final = Table(
    "arr_term",
    metadata,
    Column("kind", String, nullable=False),
    Column("value", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    PrimaryKeyConstraint("kind", "value", "at", "number"),
    Index("arr_term_by_number", "number"),
)

checkpoint: Final = Table(
    "arr_checkpoint",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("key", String, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)

# What was taken out of the trail: up to which record, from which on, the hash there, and in which file it is. Of two
# who take the same records out, up to different ones, one wins.
archive: Final = Table(
    "arr_archive",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("first", BigInteger, nullable=False, unique=True),
    Column("hash", LargeBinary, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("file", String, nullable=False),
    Column("sha256", String, nullable=False),
)

KEPT: Final = (record, event, term, checkpoint)
