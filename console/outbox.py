"""The services' outboxes as the command line needs them: opened, migrated, or found to be behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from common.db import Database, DatabaseError, open_database
from common.outbox.box import tls_of
from common.outbox.schema import SCHEMA
from common.settings import Settings
from common.tls import Unusable
from console.failure import HOPELESS, Failure

_SERVICES: Final = ("registry", "repository")
_SQLITE: Final = "sqlite:///"


def outbox_urls(settings: Settings) -> dict[str, str]:
    """The databases of all outboxes, each once, by the name of the (first) service that uses it."""
    found: dict[str, str] = {}
    for service in _SERVICES:
        url = settings.outbox_url(service)
        if url not in found.values():
            found[service] = url
    return found


def served_outboxes(settings: Settings) -> list[str]:
    """The services that take part in asynchronous exchange, one for each database."""
    return [name for name in outbox_urls(settings) if not settings.async_allowed(name).is_empty]


def is_there(url: str) -> bool:
    """Whether a database is there to be opened: looking must not make a file."""
    return not url.startswith(_SQLITE) or Path(url.removeprefix(_SQLITE)).exists()


@contextmanager
def outbox_database(settings: Settings, service: str) -> Iterator[Database]:
    """The database of a service's outbox, closed at the end; Failure when it cannot be used."""
    url = settings.outbox_url(service)
    try:
        opened = open_database(url, pool=1, wait=settings.database_wait)
    except (OSError, SQLAlchemyError) as error:
        raise _unusable(url, error) from error
    try:
        yield opened
    except (SQLAlchemyError, DatabaseError) as error:
        raise _unusable(url, error) from error
    finally:
        opened.close()


def ready_outbox(settings: Settings, service: str, *, migrate: bool) -> None:
    """Bring an outbox to this release's schema, or with `migrate` off insist that it is there already."""
    _see_that_certificates_can_be_read(settings)
    with outbox_database(settings, service) as opened:
        if migrate:
            SCHEMA.upgrade(opened)
        elif not SCHEMA.is_served(opened):
            raise Failure(
                f"The outbox of the {service} is at schema {SCHEMA.current(opened) or 'none'}, and this release needs "
                f"{SCHEMA.newest()}.",
                "Run `portolan migrate`.",
                code=HOPELESS,
            )


def _see_that_certificates_can_be_read(settings: Settings) -> None:
    """Failure for a file that no receiver could be checked with: no worker could start with it."""
    if not settings.async_ca_file:  # else it is called by what everything else is, which is looked at by itself
        return
    try:
        tls_of(settings)
    except Unusable as error:
        raise Failure(
            f"The certificates of PORTOLAN_ASYNC_CA_FILE cannot be used: {error}.",
            "Name a file with certificates in PEM form.",
            code=HOPELESS,
        ) from error


def shown_outbox(settings: Settings, service: str) -> str:
    """The database's URL with its password hidden."""
    return make_url(settings.outbox_url(service)).render_as_string(hide_password=True)


def _unusable(url: str, error: Exception) -> Failure:
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()
    shown = make_url(url).render_as_string(hide_password=True)
    return Failure(
        f"The outbox {shown} cannot be used: {reason[0] if reason else type(error).__name__}.",
        "See that it can be reached and PORTOLAN_OUTBOX is right; `portolan doctor` looks closer.",
    )
