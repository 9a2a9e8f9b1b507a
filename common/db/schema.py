"""Brings a database to this release's schema, and tells whether it is there; each schema has its own version table."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from common.db.database import Database


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

    def upgrade(self, database: Database) -> tuple[str, str]:
        """Migrate; the revisions before and after. Whoever comes second waits, and finds nothing to do."""
        before = self.current(database)
        with _alone(database), database.engine.begin() as connection:
            if not database.is_sqlite:
                connection.execute(text("SET LOCAL lock_timeout = 0"))
                connection.execute(text("SET LOCAL statement_timeout = 0"))  # it takes as long as it takes
                connection.execute(text(f"SELECT pg_advisory_xact_lock({self.lock})"))
            command.upgrade(self._config(connection), "head")
        return before, self.current(database)


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
