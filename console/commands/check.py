"""`portolan check`: do database and store agree, and each with itself?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from common.db import Database
from common.settings import Settings
from console.checking import metadata
from console.checking.documents import Documents
from console.checking.finding import Findings
from console.checking.repair import Repair
from console.checking.shown import show
from console.cli import config_option, settings
from console.database import database, ready_database
from console.failure import Failure
from console.output import json_option
from console.serving.services import shown_storage
from registry.store import checking
from repository.app import storage
from repository.storage import DocumentStore, StorageError


@click.command(short_help="Compare database and store, and name every difference.")
@click.option("--deep", is_flag=True, help="Read and hash all stored bytes as well.")
@click.option("--repair", is_flag=True, help="Remove bytes that no entry points at, and settle registered marks.")
@config_option
@json_option
@click.pass_context
def check(context: click.Context, deep: bool, repair: bool, as_json: bool) -> None:
    """Compare the Registry's database with this Repository's store, and name every difference.

    For use after a restore or a crash; services may run meanwhile. Each finding is a row: its kind, the id, what it
    means and what to do. The exit code is 1 when a difference remains. Marks of registrations that are under way are
    shown, and are no difference.

    --repair asks the database again before it removes anything, and never touches metadata. Documents that were
    acknowledged after the database's backup have bytes and no entry: have them sent again before you use it.

    \b
    Examples:
      portolan check
      portolan check --deep --json | jq '.findings[] | select(.difference)'
      portolan check --repair
    """
    current = settings()
    ready_database(current, migrate=False)
    with _stores(current) as (opened, store):
        if repair:
            _insist_on_the_right_database(opened, store, current)
        remain = show(_all(opened, store, current, deep=deep, repair=repair), as_json=as_json)
    context.exit(1 if remain else 0)


@contextmanager
def _stores(current: Settings) -> Iterator[tuple[Database, DocumentStore]]:
    with database(current) as opened:
        try:
            store = storage(current)
            try:
                yield opened, store
            finally:
                store.close()
        except StorageError as error:
            raise Failure(
                f"The store {shown_storage(current)} cannot be used: {error}.",
                "See that it runs and that PORTOLAN_STORAGE is right; `portolan doctor` looks closer.",
            ) from error


def _all(opened: Database, store: DocumentStore, current: Settings, *, deep: bool, repair: bool) -> Findings:
    documents = Documents(opened, store, current.repository_uid, current.sweep_after)
    yield from metadata.look(opened)
    yield from documents.entries(deep=deep)
    yield from documents.blobs(Repair(opened, store, current.sweep_after) if repair else None)


def _insist_on_the_right_database(opened: Database, store: DocumentStore, current: Settings) -> None:
    """An empty or foreign database would have every document removed."""
    with opened.read() as work:
        known = checking.knows_repository(work, current.repository_uid)
    if not known and next(iter(store.all()), None) is not None:
        raise Failure(
            f"Nothing was repaired: the database knows no document of the Repository {current.repository_uid}, and "
            "the store holds some.",
            "See that PORTOLAN_DATABASE, PORTOLAN_STORAGE and PORTOLAN_REPOSITORY_UID belong together.",
        )
