"""Brings the database to this release's schema, and tells whether it is there."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

import migrations.registry as scripts
import registry.store.lifecycle_tables  # noqa: F401 - so that the tables are all there to be compared
from common.db import Database

VERSION_TABLE: Final = "portolan_registry_version"
_LOCK: Final = 7_320_041  # any number, the same for all who migrate


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(scripts.__file__).parent))
    config.attributes["connection"] = connection
    return config


def newest() -> str:
    """The revision that this release works with."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def current(database: Database) -> str:
    """The revision that the database is at; empty for a new one."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        return context.get_current_revision() or ""


def upgrade(database: Database) -> tuple[str, str]:
    """Migrate; the revisions before and after. Whoever comes second waits, and finds nothing to do."""
    before = current(database)
    with database.engine.begin() as connection:
        if not database.is_sqlite:
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SET LOCAL statement_timeout = 0"))  # a migration takes as long as it takes
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        command.upgrade(_config(connection), "head")
    return before, current(database)
