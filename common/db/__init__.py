"""The door to a SQL database: units of work over PostgreSQL or SQLite, statements compiled once."""

from common.db.breakdowns import told_of
from common.db.database import Conflict, Database, DatabaseBusy, DatabaseError, DatabaseFull, Work, open_database
from common.db.replica import Reader, Replica, open_reader
from common.db.retrying import decided
from common.db.statement import Row, Statement, bytes_contain, bytes_replaced, matches_any, value_contains

__all__ = [
    "Conflict",
    "Database",
    "DatabaseBusy",
    "DatabaseError",
    "DatabaseFull",
    "Reader",
    "Replica",
    "Row",
    "Statement",
    "Work",
    "bytes_contain",
    "bytes_replaced",
    "decided",
    "matches_any",
    "open_database",
    "open_reader",
    "told_of",
    "value_contains",
]
