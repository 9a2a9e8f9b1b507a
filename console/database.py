"""The Registry's database as the command line needs it: opened, migrated, or found to be behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from common.db import Database, DatabaseError, open_database
from common.settings import Settings
from console.failure import HOPELESS, Failure
from console.serving.services import shown_database
from registry.store import schema


@contextmanager
def database(settings: Settings) -> Iterator[Database]:
    """The database that settings name, closed at the end; Failure when it cannot be used."""
    try:
        opened = open_database(settings.database_url, pool=1, wait=settings.database_wait)
    except (OSError, SQLAlchemyError) as error:
        raise _unusable(settings, error) from error
    try:
        yield opened
    except (SQLAlchemyError, DatabaseError) as error:
        raise _unusable(settings, error) from error
    finally:
        opened.close()


def ready_database(settings: Settings, *, migrate: bool) -> None:
    """Bring the schema to this release, or with `migrate` off insist that it is there already."""
    with database(settings) as opened:
        if migrate:
            schema.upgrade(opened)
        elif schema.current(opened) != schema.newest():
            raise Failure(
                f"The database is at schema {schema.current(opened) or 'none'}, and this release needs "
                f"{schema.newest()}.",
                "Run `portolan migrate`.",
                code=HOPELESS,
            )


def _unusable(settings: Settings, error: Exception) -> Failure:
    """One sentence of the driver's, which names neither password nor values."""
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()
    return Failure(
        f"The database {shown_database(settings)} cannot be used: {reason[0] if reason else type(error).__name__}.",
        "See that it runs and that PORTOLAN_DATABASE is right; `portolan doctor` looks closer.",
    )
