"""Brings a database to this release's schema, and tells whether it is there; each schema has its own version table."""

from __future__ import annotations

import fcntl
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from common.db.database import Database

log = logging.getLogger("portolan.db")

_LOCK_MILLISECONDS: Final = 300
_PAUSE: Final = 0.7
_LOOK_EVERY: Final = 0.1


@dataclass(frozen=True)
class Schema:
    """A folder of alembic's scripts; ``lock`` is any number, the same for all who migrate, and of no other schema."""

    scripts: ModuleType
    version_table: str
    lock: int

    def _config(self, connection: Connection | None = None) -> Config:
        config = Config()
        config.set_main_option("script_location", str(Path(self.scripts.__file__ or "").parent))
        config.attributes["connection"] = connection
        return config

    def newest(self) -> str:
        """The revision that this release works with."""
        return ScriptDirectory.from_config(self._config()).get_current_head() or ""

    def current(self, database: Database) -> str:
        """The revision that the database is at; empty for a new one."""
        with database.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"version_table": self.version_table})
            return context.get_current_revision() or ""

    def is_served(self, database: Database) -> bool:
        """Whether this release can work with the database as it is: a later schema will do, as each serves the release
        before its own.
        """
        found = self.current(database)
        return found == self.newest() or self._is_later(found)

    def _is_later(self, revision: str) -> bool:
        """Whether it is one that this release does not know; revisions are numbers of equal length."""
        return revision > self.newest()

    def upgrade(self, database: Database, to: str = "head") -> tuple[str, str]:
        """Migrate, to a revision; the revisions before and after. Whoever comes second waits, and finds nothing to do.

        A database of a later release is left as it is.
        """
        before = self.current(database)
        if self._is_later(before):
            log.warning("the database is at schema %s, of a later release than this one's %s", before, self.newest())
            return before, before
        if before == self.newest():
            return before, before
        with _alone(database), database.engine.connect() as connection:
            if database.is_sqlite:
                with connection.begin():
                    command.upgrade(self._config(connection), to)
            else:
                self._upgrade_beside_others(connection, to)
        return before, self.current(database)

    def _upgrade_beside_others(self, connection: Connection, to: str) -> None:
        """Each migration in a transaction of its own, while a service may use the tables.

        Who waits for a lock has everybody wait who comes after: so nobody waits for one long, and what did not get its
        locks is tried again from the last migration that was done. The lock of those who migrate is asked for and not
        waited for: a session that waits in a statement would hold up an index that is made concurrently.
        """
        connection.execute(text(f"SET lock_timeout = {_LOCK_MILLISECONDS}"))
        connection.execute(text("SET statement_timeout = 0"))  # it takes as long as it takes
        connection.commit()
        while not connection.scalar(text(f"SELECT pg_try_advisory_lock({self.lock})")):
            connection.commit()
            time.sleep(_LOOK_EVERY)
        connection.commit()
        try:
            while not self._is_upgraded(connection, to):
                time.sleep(_PAUSE)
        finally:
            connection.rollback()
            connection.execute(text(f"SELECT pg_advisory_unlock({self.lock})"))
            connection.commit()
            connection.invalidate()  # it has other settings than those of the pool

    def _is_upgraded(self, connection: Connection, to: str) -> bool:
        try:
            command.upgrade(self._config(connection), to)
        except OperationalError as error:
            connection.rollback()
            if not isinstance(error.orig, LockNotAvailable):
                raise
            log.info("a migration waits for its turn: %s", type(error.orig).__name__)
            return False
        return True


@contextmanager
def _alone(database: Database) -> Iterator[None]:
    """On SQLite, whose schema changes are no transaction here: a lock file beside the database."""
    file = database.url.database
    if not database.is_sqlite or not file:
        yield
        return
    with Path(f"{file}.migrating").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
