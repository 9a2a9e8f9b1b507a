"""Auditing as settings say, for the process that calls this: after it has forked, if it does."""

from __future__ import annotations

from common.audit.auditor import Auditor
from common.audit.delivery import Connection
from common.audit.message import Source
from common.audit.parties import Node
from common.audit.segments import Destination, folder_of
from common.audit.sender import Portion, Sender
from common.audit.spool import Bounds, Spool, Sync
from common.settings import Settings
from common.settings_types import split_bind
from common.tls import Files, Renewed, Role, of_client


def destinations_of(settings: Settings) -> list[Destination]:
    """The audit repositories, in the order of the setting."""
    named = filter(None, (part.strip() for part in settings.audit_repositories.split(",")))
    return [Destination(*split_bind(each), number) for number, each in enumerate(named, 1)]


def open_auditor(settings: Settings, service: str, url: str = "", *, brief: bool = False) -> Auditor | None:
    """What a service, or a client, records by; None where nothing is to be recorded.

    A ``brief`` one starts no thread.
    """
    if not settings.audit:
        return None
    kind = "4" if url else "1"
    node = Node(service, url, Source(settings.audit_source or service, settings.audit_site, kind))
    bounds = Bounds(settings.audit_spool_max)
    spool = Spool(folder_of(settings.data), service, sync=Sync(settings.audit_sync), bounds=bounds, brief=brief)
    return Auditor(node, spool, refuses=settings.audit_failure == "refuse")


def open_sender(settings: Settings) -> Sender | None:
    """What takes records to the audit repositories, not started yet; Unusable for files of TLS that cannot be used."""
    if not settings.audit:
        return None
    tls = None if settings.audit_plain else (of_client(settings.tls_files) or Renewed(Files(), Role.CLIENT))
    portion = Portion(quiet=settings.audit_confirm)
    return Sender(folder_of(settings.data), destinations_of(settings), lambda each: Connection(each, tls), portion)
