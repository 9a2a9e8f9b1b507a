"""Looks at the outboxes: reach, schema, what waits for long, what was given up."""

from __future__ import annotations

from typing import Final

from common.outbox.schema import SCHEMA
from common.outbox.store import Store
from common.settings import Settings
from console.doctor.finding import Finding, Findings, fail, ok, warn
from console.failure import Failure
from console.outbox import is_there, outbox_database, shown_outbox

ABOUT: Final = "outbox"
_LONG: Final = 3600.0


def look(settings: Settings) -> Findings:
    """Everything about asynchronous answers that can be seen from here."""
    for service in ("registry", "repository"):
        allowed = not settings.async_allowed(service).is_empty
        there = is_there(settings.outbox_url(service))
        if not there and allowed:
            told = f"{shown_outbox(settings, service)} is not there yet"
            yield warn(ABOUT, told, "`portolan serve` or `portolan migrate` makes it.")
        elif there and (allowed or not settings.outbox):
            yield from _opened(settings, service)


def _opened(settings: Settings, service: str) -> Findings:
    try:
        with outbox_database(settings, service) as opened:
            found, needed = SCHEMA.current(opened), SCHEMA.newest()
            if found != needed:
                told = f"the {service}'s is at schema {found or 'none'}, and this release needs {needed}"
                yield fail(ABOUT, told, "Run `portolan migrate`.")
                return
            yield from _letters(Store(opened, service), settings, service)
    except Failure as failure:
        told, advice = failure.message.splitlines()
        yield fail(ABOUT, told, advice)


def _letters(store: Store, settings: Settings, service: str) -> Findings:
    depth = store.depth()
    if depth.dead:
        told = f"{depth.dead} answer{'s' if depth.dead > 1 else ''} of the {service} could not be delivered"
        yield warn(ABOUT, told, "`portolan outbox list --dead` names them; then `replay` or `discard`.")
    yield _waiting(depth.waiting, depth.oldest, service)
    if depth.waiting and settings.async_allowed(service).is_empty:
        told = f"{depth.waiting} of the {service} wait, and nothing may be sent anywhere"
        yield warn(ABOUT, told, "Set PORTOLAN_ASYNC_REPLY_TO, or discard them.")


def _waiting(waiting: int, oldest: float, service: str) -> Finding:
    if waiting and oldest > _LONG:
        told = f"{waiting} answers of the {service} wait, the oldest for {oldest / 3600:.1f} hours"
        return warn(ABOUT, told, "`portolan outbox list` says to whom and why.")
    return ok(ABOUT, f"{waiting} answers of the {service} wait")
