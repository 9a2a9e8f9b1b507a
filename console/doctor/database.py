"""Looks at the Registry's database: reach, version, schema, durability, clock, connections."""

from __future__ import annotations

import time
from typing import Any, Final

from sqlalchemy import Connection, text

from common.db import Database
from common.settings import Settings
from console.database import database
from console.doctor.finding import Finding, Findings, fail, ok, warn
from console.doctor.opened import Place, within
from console.serving.services import shown_database
from registry.store import schema

ABOUT: Final = "database"
_OLDEST_POSTGRESQL: Final = 13
_MOST_SQLITE_WORKERS: Final = 8
_SKEW_SECONDS: Final = 1.0
# Roles may keep a few connections to themselves; so do backups and whoever looks after the database.
_SPARE_CONNECTIONS: Final = 10


def look(settings: Settings) -> Findings:
    """Everything about the database that can be seen from here."""
    place = Place(ABOUT, settings.database_url)
    yield from within(place, lambda: database(settings), lambda opened: _opened(opened, settings))


def _opened(opened: Database, settings: Settings) -> Findings:
    with opened.engine.connect() as connection:
        if opened.is_sqlite:
            yield from _sqlite(connection, settings)
        else:
            yield from _postgresql(connection, settings)
        yield _writes(connection)
    yield _schema(opened)


def _scalar(connection: Connection, sql: str) -> Any:
    return connection.execute(text(sql)).scalar_one()


def _sqlite(connection: Connection, settings: Settings) -> Findings:
    version = _scalar(connection, "SELECT sqlite_version()")
    yield ok(ABOUT, f"{shown_database(settings)} answers, SQLite {version}")
    found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    if found != "ok":
        yield fail(ABOUT, "the file is damaged", "Stop the Registry and restore the file from a backup.")
    workers = settings.workers("registry")
    if workers > _MOST_SQLITE_WORKERS:
        told = f"{workers} Registry workers write to one SQLite file, one at a time"
        yield warn(ABOUT, told, "Use fewer with PORTOLAN_REGISTRY_WORKERS, or PostgreSQL.")


def _postgresql(connection: Connection, settings: Settings) -> Findings:
    number = int(_scalar(connection, "SHOW server_version_num"))
    told = f"{shown_database(settings)} answers, PostgreSQL {_scalar(connection, 'SHOW server_version')}"
    if number // 10_000 < _OLDEST_POSTGRESQL:
        yield warn(ABOUT, told, f"Portolan is tested from PostgreSQL {_OLDEST_POSTGRESQL} on; upgrade it.")
    else:
        yield ok(ABOUT, told)
    for name in ("fsync", "full_page_writes"):
        if _scalar(connection, f"SHOW {name}") != "on":
            yield fail(ABOUT, f"{name} is off", f"Set {name} = on in postgresql.conf: a crash loses documents.")
    yield _connections(connection, settings)
    yield _clock(connection)


def _connections(connection: Connection, settings: Settings) -> Finding:
    there = int(_scalar(connection, "SHOW max_connections"))
    needed = settings.workers("registry") * settings.database_connections
    told = f"{needed} connections of {there} are for one Registry"
    if needed + _SPARE_CONNECTIONS > there:
        return warn(ABOUT, told, "Raise max_connections, or lower PORTOLAN_DATABASE_POOL or the workers.")
    return ok(ABOUT, told)


def _clock(connection: Connection) -> Finding:
    before = time.time()
    theirs = float(_scalar(connection, "SELECT extract(epoch FROM clock_timestamp())"))
    skew = abs(theirs - (before + time.time()) / 2)
    told = f"the database server's clock differs by {skew:.2f} s"
    if skew > _SKEW_SECONDS:
        return warn("clock", told, "Run a time service such as chrony on both machines.")
    return ok("clock", told)


def _schema(opened: Database) -> Finding:
    found, needed = schema.current(opened), schema.newest()
    if found == needed:
        return ok(ABOUT, f"schema {found}, as this release needs it")
    if schema.is_served(opened):
        told = f"schema {found}, of a later release than this one, which works with {needed} and serves on"
        return warn(ABOUT, told, "Bring every service to the later release.")
    return fail(ABOUT, f"schema {found or 'none'}, and this release needs {needed}", "Run `portolan migrate`.")


def _writes(connection: Connection) -> Finding:
    """Whether a table can be made and filled; it is undone, and nobody else sees it."""
    connection.rollback()
    began = time.perf_counter()
    # SQLite's driver is in autocommit mode, so the transaction is begun by name; PostgreSQL only notes that it has one.
    with connection.begin():
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.execute(text("CREATE TABLE portolan_doctor (x integer)"))
        connection.execute(text("INSERT INTO portolan_doctor VALUES (1)"))
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("ROLLBACK")
        else:
            connection.rollback()
    return ok(ABOUT, f"can be written, and undone ({(time.perf_counter() - began) * 1000:.1f} ms)")
