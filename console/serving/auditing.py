"""The audit trail of a process that serves: what it records by, and what takes that to the audit repositories."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from common.audit.auditor import Auditor
from common.audit.events import STARTED, STOPPED, Other
from common.audit.opening import open_auditor, open_sender
from common.audit.sender import Sender
from common.audit.spool import SpoolFailed
from common.settings import Settings
from common.tls import Unusable
from console.failure import HOPELESS, Failure

log = logging.getLogger("portolan.audit")

_HERE: list[Auditor] = []


@dataclass
class Auditing:
    """What is open; nothing where nothing is recorded."""

    auditor: Auditor | None = None
    sender: Sender | None = None

    def end(self) -> None:
        """Keep what is recorded, and send what goes in a moment; others send the rest."""
        if self.auditor is not None:
            self.auditor.close()
        if self.sender is not None:
            self.sender.stop()
        _HERE.clear()


def begin(settings: Settings, service: str, url: str) -> Auditing:
    """In the process that serves, once it has forked; Unusable."""
    made = Auditing(open_auditor(settings, service, url), open_sender(settings))
    if made.auditor is not None:
        _HERE.append(made.auditor)
    if made.sender is not None:
        made.sender.start()
    return made


def not_admitted(address: str, told: str) -> None:
    """Record a TLS connection that was refused in this process."""
    for auditor in _HERE:
        auditor.not_admitted(address, told)


def _tell(settings: Settings, service: str, url: str, other: Other) -> None:
    """Record one event, in a file that is closed before anything forks. SpoolFailed."""
    auditor = open_auditor(settings, service, url, brief=True)
    if auditor is not None:
        try:
            auditor.started(other)
        finally:
            auditor.close()


def tell(settings: Settings, other: Other, told: str) -> None:
    """Record what a command does that is no transaction, with the user who gave it: rules or keys that are changed.

    SpoolFailed, before anything is done, if it is called first.
    """
    auditor = open_auditor(settings, "command-line", brief=True)
    if auditor is not None:
        try:
            auditor.check()
            auditor.by_user(other, told)
        finally:
            auditor.close()


@contextmanager
def life(settings: Settings, service: str, url: str) -> Iterator[None]:
    """Record that a service starts and stops; Failure where that cannot be, or nothing could be sent."""
    try:
        _tell(settings, service, url, STARTED)
        open_sender(settings)
    except SpoolFailed as failed:
        raise Failure(
            f"The {service} cannot record what it does: {failed}.", "Make room in the data directory."
        ) from failed
    except Unusable as error:
        told = f"Audit records cannot be sent over TLS: {error}."
        raise Failure(told, "`portolan doctor` looks closer.", code=HOPELESS) from error
    try:
        yield
    finally:
        try:
            _tell(settings, service, url, STOPPED)
        except SpoolFailed:
            log.error("the stop of the %s could not be recorded", service)
        sender = open_sender(settings)
        if sender is not None:
            sender.start()
            sender.stop(2.0)
