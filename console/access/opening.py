"""What every command about access begins with."""

from __future__ import annotations

import click

from common.access.records import KINDS, WrongValue
from common.clock import utc_now
from common.settings import Settings
from console.cli import settings
from console.database import ready_database


def ready() -> Settings:
    """Settings whose database has this release's schema; Failure."""
    current = settings()
    ready_database(current, migrate=False)
    return current


def time_of(told: str) -> str:
    """A time of ``--at`` as a DTM, now where none is given; UsageError."""
    try:
        return KINDS["roles"].field("begins").made(told) if told else utc_now()
    except WrongValue as wrong:
        raise click.UsageError(f"--at {wrong}") from wrong
