"""Looks at the cross-reference, where a site has one: its database, what waits in it, and whom it tells and asks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from common.db import Database
from common.settings import Settings
from common.settings_types import split_bind
from common.tls import Unusable, of_client
from console.database import identity_database
from console.doctor import listening
from console.doctor.finding import Findings, fail, ok, warn
from console.doctor.opened import Place, within
from console.serving.services import shown_identity_database
from identity.store import conflicts, forwarding, schema

ABOUT: Final = "identity"
_SQLITE: Final = "sqlite:///"


def is_used(settings: Settings) -> bool:
    """Whether the settings speak of a cross-reference, or there is one."""
    usual = Settings()
    told = any(
        getattr(settings, name) != getattr(usual, name)
        for name in ("identity_database", "identity_url", "identity_forward")
    )
    return told or Path(settings.identity_database_url.removeprefix(_SQLITE)).exists()


def look(settings: Settings) -> Findings:
    """Everything about the cross-reference that can be seen from here; nothing where there is none."""
    if not is_used(settings):
        return
    place = Place(ABOUT, settings.identity_database_url, "portolan serve identity")
    yield from within(place, lambda: identity_database(settings), lambda opened: _opened(opened, settings))
    yield from _forward(settings)
    yield from _token(settings)


def _opened(opened: Database, settings: Settings) -> Findings:
    found, needed = schema.current(opened), schema.newest()
    if found != needed:
        yield fail(ABOUT, f"schema {found or 'none'}, and this release needs {needed}", "Run `portolan migrate`.")
        return
    yield ok(ABOUT, f"{shown_identity_database(settings)} answers, schema {found}, as this release needs it")
    with opened.read() as work:
        contradictions = len(conflicts.conflicts(work))
        counts = forwarding.counts(work)
    if contradictions:
        told = f"conflicts of patients' ids that wait for an administrator: {contradictions}"
        yield warn(ABOUT, told, "`portolan identity conflicts` lists them.")
    if refused := counts.get(forwarding.REFUSED, 0):
        told = f"messages that the Registry refused: {refused}"
        yield warn(ABOUT, told, "`portolan identity forwards` says why; then `--again` or `--discard`.")
    waiting = counts.get(forwarding.WAITING, 0)
    if waiting and not settings.identity_forward:
        told = f"messages for the Registry that wait, while nobody is to be told: {waiting}"
        yield warn(ABOUT, told, "Set PORTOLAN_IDENTITY_FORWARD to the Registry's listener for feeds.")


def _forward(settings: Settings) -> Findings:
    """Whether the Registry's listener accepts us."""
    if not settings.identity_forward:
        return
    advice = "Start the Registry, and see that PORTOLAN_IDENTITY_FORWARD is right."
    forward = settings.identity_forward
    try:
        made = of_client(settings.tls_files_towards(settings.identity_forward_ca_file))
        tls = made() if made is not None else None
    except Unusable as error:
        yield fail(ABOUT, f"the Registry's listener cannot be called over TLS: {error}", "Correct that file.")
        return
    yield listening.look(ABOUT, "the Registry's listener", forward, split_bind(forward), advice, tls)


def _token(settings: Settings) -> Findings:
    """Whether the token for the national record can be read; it is not tried out."""
    file = settings.tracing_token_file
    if settings.tracing.startswith("http") and file and not os.access(file, os.R_OK):
        yield fail(ABOUT, f"the token file {file} cannot be read", "See PORTOLAN_TRACING_TOKEN_FILE.")
