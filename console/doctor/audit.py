"""Looks at the audit trail: whether records can be kept and sent, and what waits."""

from __future__ import annotations

import ssl
from typing import Final

from common.audit.opening import destinations_of
from common.audit.segments import Destination, folder_of, make_folder, size_of, waiting
from common.audit.sender import age_of
from common.settings import Settings
from common.tls import Files, Renewed, Role, Unusable, of_client
from console.doctor import listening
from console.doctor.finding import Finding, Findings, fail, ok, warn
from console.output import shown_bytes

ABOUT: Final = "audit"
_LONG: Final = 900.0
_MUCH: Final = 0.5


def look(settings: Settings) -> Findings:
    """Everything about the sending of audit records; a warning where nothing is recorded over TLS."""
    if not settings.audit:
        if settings.tls_trust or settings.xua != "off":
            told = "nothing that is done is recorded"
            yield warn(ABOUT, told, "Set PORTOLAN_AUDIT; docs/guide/audit.md says how.")
        return
    tls: ssl.SSLContext | None = None
    try:
        if not settings.audit_plain:
            tls = (of_client(settings.tls_files) or Renewed(Files(), Role.CLIENT))()
    except Unusable as error:
        yield fail(ABOUT, f"records cannot be sent over TLS: {error}", "Correct that file.")
    folder = folder_of(settings.data)
    try:
        make_folder(folder)
        size = size_of(folder)
    except OSError as error:
        yield fail(ABOUT, f"the spool {folder} cannot be used: {error.strerror}", "Give this user the right to it.")
        return
    if size > _MUCH * settings.audit_spool_max:
        told = f"the spool holds {shown_bytes(size)} of at most {shown_bytes(settings.audit_spool_max)}"
        yield warn(ABOUT, told, "Bring the audit repositories back: when it is full, requests are refused.")
    for each in destinations_of(settings):
        advice = "Start it, or correct PORTOLAN_AUDIT_REPOSITORIES; records wait for it meanwhile."
        yield listening.look(ABOUT, "the audit repository", str(each), (each.host, each.port), advice, tls)
        yield _waiting(each, settings)


def _waiting(each: Destination, settings: Settings) -> Finding:
    found = waiting(folder_of(settings.data), each)
    age = age_of(found.oldest)
    if age > _LONG:
        told = f"{found.records} records wait for {each}, the oldest for {age / 3600:.1f} hours"
        return warn(ABOUT, told, "The log's last warning of portolan.audit says why.")
    return ok(ABOUT, f"{found.records} records wait for {each}")
