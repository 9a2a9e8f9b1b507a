"""The services' databases as the command line needs them: opened, migrated, or found to be behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from auditing.store import schema as audit_schema
from common.db import Database, DatabaseError, open_database
from common.settings import Settings
from console.failure import HOPELESS, Failure
from identity.store import schema as identity_schema
from registry.store import schema


@contextmanager
def database(settings: Settings) -> Iterator[Database]:
    """The Registry's database that settings name, closed at the end; Failure when it cannot be used."""
    with _opened(settings.database_url, settings, "PORTOLAN_DATABASE") as opened:
        yield opened


@contextmanager
def identity_database(settings: Settings) -> Iterator[Database]:
    """The cross-reference's database that settings name, closed at the end; Failure when it cannot be used."""
    with _opened(settings.identity_database_url, settings, "PORTOLAN_IDENTITY_DATABASE") as opened:
        yield opened


@contextmanager
def audit_database(settings: Settings) -> Iterator[Database]:
    """The audit trail's database that settings name, closed at the end; Failure when it cannot be used."""
    with _opened(settings.audit_repository_database_url, settings, "PORTOLAN_AUDIT_REPOSITORY_DATABASE") as opened:
        yield opened


@contextmanager
def _opened(url: str, settings: Settings, setting: str) -> Iterator[Database]:
    try:
        opened = open_database(url, pool=1, wait=settings.database_wait)
    except (OSError, SQLAlchemyError) as error:
        raise _unusable(url, setting, error) from error
    try:
        yield opened
    except (SQLAlchemyError, DatabaseError) as error:
        raise _unusable(url, setting, error) from error
    finally:
        opened.close()


def ready_database(settings: Settings, *, migrate: bool) -> None:
    """Bring the schema to this release, or with `migrate` off insist that it is there already."""
    with database(settings) as opened:
        _ready(opened, schema, "database", migrate=migrate)


def ready_identity_database(settings: Settings, *, migrate: bool) -> None:
    """As ``ready_database``, for the cross-reference."""
    with identity_database(settings) as opened:
        _ready(opened, identity_schema, "cross-reference's database", migrate=migrate)


def ready_audit_database(settings: Settings, *, migrate: bool) -> None:
    """As ``ready_database``, for the audit trail."""
    with audit_database(settings) as opened:
        _ready(opened, audit_schema, "audit trail's database", migrate=migrate)


def _ready(opened: Database, of: ModuleType, name: str, *, migrate: bool) -> None:
    if migrate:
        of.upgrade(opened)
    elif not of.is_served(opened):
        raise Failure(
            f"The {name} is at schema {of.current(opened) or 'none'}, and this release needs {of.newest()}.",
            "Run `portolan migrate`.",
            code=HOPELESS,
        )


def _unusable(url: str, setting: str, error: Exception) -> Failure:
    """One sentence of the driver's, which names neither password nor values."""
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()
    shown = make_url(url).render_as_string(hide_password=True)
    return Failure(
        f"The database {shown} cannot be used: {reason[0] if reason else type(error).__name__}.",
        f"See that it runs and that {setting} is right; `portolan doctor` looks closer.",
    )
