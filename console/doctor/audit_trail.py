"""Looks at the audit trail, where one is kept here: its database, its key, and when it was verified."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from auditing.chain import BadKey, Witness
from auditing.store import checkpoints, schema
from auditing.store.records import the_head
from auditing.verified import look as last_verified
from common.db import Database
from common.settings import Settings
from console.database import audit_database
from console.doctor.finding import Findings, fail, ok, warn
from console.doctor.opened import Place, within
from console.serving.services import shown_audit_database

ABOUT: Final = "audit trail"
_LATE: Final = 36 * 3600.0


def is_used(settings: Settings) -> bool:
    """Whether the settings speak of a trail that is kept here."""
    usual = Settings()
    names = (
        "audit_repository_database",
        "audit_repository_key",
        "audit_repository_url",
        "audit_repository_checkpoints",
    )
    return any(getattr(settings, name) != getattr(usual, name) for name in names)


def look(settings: Settings) -> Findings:
    """Everything about the trail that can be seen from here; nothing where there is none."""
    if not is_used(settings):
        return
    place = Place(ABOUT, settings.audit_repository_database_url, "portolan serve audit", least=256, better=4096)
    yield from within(place, lambda: audit_database(settings), lambda opened: _opened(opened, settings))


def _opened(opened: Database, settings: Settings) -> Findings:
    found, needed = schema.current(opened), schema.newest()
    if found != needed:
        yield fail(ABOUT, f"schema {found or 'none'}, and this release needs {needed}", "Run `portolan migrate`.")
        return
    yield ok(ABOUT, f"{shown_audit_database(settings)} answers, schema {found}, as this release needs it")
    with opened.read() as work:
        number, _ = the_head(work)
        newest = checkpoints.last(work)
    yield from _key(settings, number, newest.number if newest else 0)
    yield from _verified(settings, number)


def _key(settings: Settings, number: int, signed: int) -> Findings:
    if not settings.audit_repository_key:
        told = "there is no key: the end of the trail could be cut off unseen"
        yield warn(ABOUT, told, "`portolan audit key FILE`, and PORTOLAN_AUDIT_REPOSITORY_KEY=FILE.")
        return
    try:
        name = Witness.of_pem(Path(settings.audit_repository_key).read_bytes()).name
    except (OSError, BadKey) as error:
        told = f"{settings.audit_repository_key}: {getattr(error, 'strerror', None) or error}"
        yield fail(ABOUT, told, "`portolan audit key FILE` makes one.")
        return
    yield ok(ABOUT, f"{number} records, signed with the key {name} up to record {signed}")
    if not settings.audit_repository_checkpoints:
        told = "checkpoints are kept in the database alone, where they could be cut off with the records"
        yield warn(ABOUT, told, "Name a file in PORTOLAN_AUDIT_REPOSITORY_CHECKPOINTS, and have it shipped elsewhere.")


def _verified(settings: Settings, number: int) -> Findings:
    found = last_verified(settings.data)
    if found is None:
        if number:
            yield warn(ABOUT, "it has never been verified from here", "Run `portolan audit verify` daily.")
        return
    whole, at = found
    if not whole:
        yield fail(
            ABOUT, "it was not whole when it was last verified", "docs/operations/audit-trail.md says what to do."
        )
    elif time.time() - at > _LATE:
        hours = (time.time() - at) / 3600
        yield warn(ABOUT, f"it was last verified {hours:.0f} hours ago", "Run `portolan audit verify` daily.")
    else:
        yield ok(ABOUT, "it was whole when it was last verified")
