"""Connections and units of work.

PostgreSQL: reads run outside transactions (one statement, one round trip) unless several statements
have to see one state; writes run at READ COMMITTED and rely on unique keys and row locks. SQLite: WAL,
synchronous=FULL, writers take turns in a queue of their own, since its busy handler makes them starve.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import psycopg
from psycopg import errors as pg
from sqlalchemy import Engine, create_engine, event, literal, select
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from common.db.queue import WriterQueue
from common.db.statement import Row, Statement, sqlite_matches_any
from common.faults import checkpoint
from common.observe import slow, stages
from common.observe.stages import Stage

Result = TypeVar("Result")

_RETRY: Final = (
    pg.SerializationFailure,
    pg.DeadlockDetected,
    pg.AdminShutdown,
    pg.CrashShutdown,
    pg.CannotConnectNow,
    pg.TooManyConnections,
    pg.ReadOnlySqlTransaction,
    pg.LockNotAvailable,
)
_AT_ONCE: Final = 0.0002  # a connection that is had sooner was not waited for
_FULL: Final = (pg.DiskFull, pg.OutOfMemory)
# A server that does not even acknowledge packets is given up after these: as long as a statement may take, and no more.
_NETWORK: Final = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


_NOTHING: Final = Statement(select(literal(1)))


class DatabaseError(Exception):
    """The database failed; nothing of the unit of work happened, as far as can be known."""


class DatabaseBusy(DatabaseError):  # noqa: N818
    """No connection, a lost connection, a deadlock: the same again may succeed."""


class DatabaseFull(DatabaseError):  # noqa: N818
    """No room, until someone makes some."""


class Conflict(DatabaseError):  # noqa: N818
    """Someone else was first: a unique key is taken, or what a row needs is gone."""


def _translated(error: Exception) -> DatabaseError:
    """What a driver's error means for the caller; the text names no values."""
    name = type(error).__name__
    if isinstance(error, pg.UniqueViolation | pg.NotNullViolation):
        return Conflict(name)
    if isinstance(error, sqlite3.IntegrityError):
        return Conflict(name)
    if isinstance(error, _FULL):
        return DatabaseFull(name)
    if isinstance(error, (*_RETRY, PoolTimeout)):
        return DatabaseBusy(name)
    if isinstance(error, pg.QueryCanceled):
        return DatabaseError(f"{name}: it took too long")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return DatabaseBusy(name)
    if isinstance(error, sqlite3.OperationalError):
        told = str(error)
        if "full" in told:
            return DatabaseFull(name)
        if "locked" in told or "busy" in told:
            return DatabaseBusy(name)
    return DatabaseError(f"{name}: {getattr(error, 'sqlstate', None) or 'no SQLSTATE'}")


class Work:
    """One unit of work: statements on one connection. Leaving without ``commit`` undoes all."""

    def __init__(self, database: Database, connection: Any, *, single: bool = False) -> None:
        """With ``single`` there is no transaction: the one statement that writes is durable when it is done."""
        self._database = database
        self._connection = connection
        self._single = single
        self._written = False
        self.committed = False

    @property
    def takes_many_inserts_at_once(self) -> bool:
        """Whether one statement can insert into several tables (PostgreSQL's data-modifying WITH)."""
        return not self._database.is_sqlite

    def rows(self, statement: Statement, values: Mapping[str, Any] | None = None) -> list[Row]:
        """All rows of a statement that returns some."""
        bound = statement.bound(self._database.dialect, values or {})
        cursor = self._cursor()
        began = time.perf_counter()
        try:
            cursor.execute(*bound)
            found: list[Row] = cursor.fetchall()
        except Exception:
            self._told(statement, began, None)
            raise
        self._told(statement, began, len(found))
        cursor.close()
        return found

    def run(self, statement: Statement, values: Mapping[str, Any] | None = None) -> int:
        """Carry out a statement; the number of rows it changed."""
        if self._single and self._written:
            raise AssertionError("a second statement that writes needs a transaction")
        self._written = True
        bound = statement.bound(self._database.dialect, values or {})
        cursor = self._cursor()
        began = time.perf_counter()
        try:
            cursor.execute(*bound)
        except Exception:
            self._told(statement, began, None)
            raise
        count: int = cursor.rowcount
        self._told(statement, began, count)
        cursor.close()
        return count

    def run_each(self, statement: Statement, values: Sequence[Mapping[str, Any]]) -> None:
        """Carry out a statement for each set of values."""
        if len(values) == 1:
            self.run(statement, values[0])
        elif values:
            bound = [statement.bound(self._database.dialect, each) for each in values]
            cursor = self._cursor()
            began = time.perf_counter()
            try:
                cursor.executemany(bound[0][0], [parameters for _, parameters in bound])
            except Exception:
                self._told(statement, began, None)
                raise
            self._told(statement, began, len(values))
            cursor.close()

    def _told(self, statement: Statement, began: float, rows: int | None) -> None:
        """Note the time of a statement, one that failed included; by its name where it is traced or was slow."""
        ended = time.perf_counter()
        watch = stages.current()
        if watch is not None:
            name = statement.name(self._database.dialect) if watch.trace is not None else ""
            watch.note(Stage.SQL, began, ended, name, rows)
        if ended - began >= slow.BOUNDS.statement:
            dialect = self._database.dialect
            slow.tell_statement(statement.name(dialect), statement.bound_text(dialect), ended - began, rows)

    def _cursor(self) -> Any:
        return self._database.cursor(self._connection)

    def commit(self) -> None:
        """Make it durable: when this returns, it is on disk."""
        if not self._single:
            checkpoint("db.flushed")
            with stages.aside(Stage.COMMIT):
                self._connection.commit()
        self.committed = True
        checkpoint("db.committed")


class Database:
    """A database by its SQLAlchemy URL; shared by all threads of a process."""

    def __init__(self, url: str, *, pool: int, wait: float) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = self._engine(pool, wait)
        # PostgreSQL's own $1 placeholders: psycopg then has nothing to parse, which it would do for each
        # call of a statement as long as ours.
        self.dialect: Dialect = self.engine.dialect if self.is_sqlite else PGDialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
        self._queue = WriterQueue(Path(self.url.database or "")) if self.is_sqlite else None

    def _engine(self, pool: int, wait: float) -> Engine:
        options: dict[str, Any] = {"pool_size": pool, "max_overflow": 0, "pool_timeout": wait}
        if self.is_sqlite:
            engine = create_engine(self.url, connect_args={"check_same_thread": False, "timeout": wait}, **options)
            event.listen(engine, "connect", _prepare_sqlite)
        else:
            arguments = {"connect_timeout": max(2, int(wait)), "prepare_threshold": 2, **_NETWORK}
            engine = create_engine(self.url, connect_args=arguments, pool_use_lifo=True, **options)
            event.listen(engine, "connect", _prepare_postgresql)
        return engine

    def cursor(self, connection: Any) -> Any:
        """A cursor that gets its results in the cheapest form: bytes as bytes."""
        driver = connection.dbapi_connection
        if self.is_sqlite:
            return driver.cursor()
        cursor = psycopg.RawCursor(driver)
        cursor.format = psycopg.pq.Format.BINARY
        return cursor

    def ask(self, question: Callable[[Work], Result], *, snapshot: bool = False) -> Result:
        """The answer to a question that changes nothing; with ``snapshot`` all its statements see the same state."""
        with self.read(snapshot=snapshot) as work:
            return question(work)

    @contextmanager
    def read(self, *, snapshot: bool = False, first: Callable[[Work], None] | None = None) -> Iterator[Work]:
        """Statements that change nothing; with ``snapshot`` they all see the same state.

        ``first`` is done on the same connection before that state is chosen.
        """
        with self._checked_out() as connection:
            driver = connection.dbapi_connection
            if self.is_sqlite:
                if snapshot:
                    driver.execute("BEGIN")
                try:
                    yield Work(self, connection)
                finally:
                    if snapshot:
                        driver.execute("ROLLBACK")
                return
            if first is not None:
                driver.autocommit = True
                first(Work(self, connection))
            driver.autocommit = not snapshot
            if snapshot:
                driver.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            try:
                yield Work(self, connection)
            finally:
                if snapshot:
                    connection.rollback()

    @contextmanager
    def write(self, *, single: bool = False) -> Iterator[Work]:
        """A transaction that takes effect only by ``commit``.

        With ``single``, for work that locks nothing and writes by one statement, PostgreSQL is spared BEGIN and
        COMMIT: that statement is a transaction by itself.
        """
        if single and self._queue is None:
            with self._checked_out() as connection:
                connection.dbapi_connection.autocommit = True
                yield Work(self, connection, single=True)
            return
        if self._queue is None:
            with self._checked_out() as connection:
                connection.dbapi_connection.autocommit = False
                yield from self._transaction(connection)
            return
        began = time.perf_counter()
        with self._queue.turn():
            _waited(began)
            with self._checked_out() as connection:
                connection.dbapi_connection.execute("BEGIN IMMEDIATE")
                yield from self._transaction(connection)

    def _transaction(self, connection: Any) -> Iterator[Work]:
        work = Work(self, connection)
        try:
            yield work
        finally:
            if not work.committed:
                connection.rollback()

    @contextmanager
    def _checked_out(self) -> Iterator[Any]:
        """A connection of the pool; the drivers' errors leave translated, broken connections are dropped."""
        connection: Any = None
        pool = self.engine.pool
        try:
            began = time.perf_counter()
            connection = self.engine.raw_connection()
            _waited(began)
            yield connection
        except (sqlite3.Error, psycopg.Error, PoolTimeout) as error:
            if connection is not None and _is_broken(connection, error):
                connection.invalidate()
                # The others of the pool are as old: a server that was restarted, or has become a standby, broke all.
                if self.engine.pool is pool:
                    self.engine.dispose()
            raise _translated(error) from error
        finally:
            if connection is not None:
                connection.close()

    def ping(self) -> None:
        """Ask the database for nothing; DatabaseError when it does not answer."""
        with self.read() as work:
            work.rows(_NOTHING)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _waited(began: float) -> None:
    """Note the time until a connection, or a writer's turn, was had, if it was waited for."""
    ended = time.perf_counter()
    if ended - began > _AT_ONCE and (watch := stages.current()) is not None:
        watch.note(Stage.WAIT, began, ended)


def _is_broken(connection: Any, error: Exception) -> bool:
    driver = connection.dbapi_connection
    if isinstance(error, pg.ReadOnlySqlTransaction):  # whoever answers is no primary any more
        return True
    return isinstance(error, psycopg.Error) and (driver is None or driver.closed or driver.broken)


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA cache_size=-16384")
    connection.create_function("matches_any", 2, sqlite_matches_any, deterministic=True)


def _prepare_postgresql(connection: Any, _record: object) -> None:
    connection.autocommit = True
    connection.execute("SET synchronous_commit = on")
    connection.execute("SET timezone = 'UTC'")
    # A plan made while a table is small would read all of it, and be kept while the table grows.
    connection.execute("SET enable_seqscan = off")
    # No request waits for ever: neither for a lock that somebody forgot, nor for a statement gone astray.
    connection.execute("SET lock_timeout = '10s'")
    connection.execute("SET statement_timeout = '30s'")
    connection.execute("SET idle_in_transaction_session_timeout = '60s'")
    connection.autocommit = False


def open_database(url: str, *, pool: int = 8, wait: float = 5.0) -> Database:
    """The database at a SQLAlchemy URL; ``wait`` (seconds) bounds the wait for a connection."""
    parsed = make_url(url)
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise ArgumentError(f"{parsed.get_backend_name()} is not served: use sqlite or postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    return Database(url, pool=pool, wait=wait)
