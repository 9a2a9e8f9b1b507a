"""The outbox's one table. Times are milliseconds since 1970 by the database's clock, which all who share it go by."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Column, FunctionElement, Index, Integer, LargeBinary, MetaData, Table
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from common.db.columns import String

metadata: Final = MetaData()


letter: Final = Table(
    "outbox_letter",
    metadata,
    Column("id", String, primary_key=True),
    Column("service", String, nullable=False),
    Column("message_id", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("transaction", String, nullable=False),
    Column("correlation", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("address", String, nullable=False),
    Column("content_type", String, nullable=False),
    Column("content", LargeBinary),
    Column("size", BigInteger, nullable=False),
    Column("state", String, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("reason", String),
    Column("kept_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("lease", String),
    Column("asked", String),
    Index("outbox_letter_by_message", "service", "message_id", "digest", unique=True),
    Index("outbox_letter_by_state", "service", "state", "due_at"),
)


class now_ms(FunctionElement[int]):  # noqa: N801 (reads as SQL)
    """Now, by the database's clock."""

    type = BigInteger()
    inherit_cache = True
    name = "now_ms"


@compiles(now_ms, "postgresql")
def _now_postgresql(_element: FunctionElement[int], _compiler: SQLCompiler, **_kw: Any) -> str:
    # Unlike the wall clock within a statement this one can bound the reading of an index.
    return "(extract(epoch FROM statement_timestamp()) * 1000)::bigint"


@compiles(now_ms)
def _now_default(_element: FunctionElement[int], _compiler: SQLCompiler, **_kw: Any) -> str:
    return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
