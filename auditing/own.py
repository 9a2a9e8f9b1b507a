"""The repository's own records: that the trail was read (DICOM PS3.15 A.5.3.3), or that somebody tried."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from auditing.event import Coded
from common.audit.events import PATIENT_NUMBER, TRAIL_READ, URI, Other
from common.audit.message import RFC_3881, AuditMessage, Code, Participant, Source, Subject
from common.audit.syslog import Clock, Origin, syslog_of
from common.audit.writing import written

_SOURCE: Final = Source("portolan-audit")
_QUERY: Final = Code("10", RFC_3881, "Search Criteria")
_FAILED: Final = 8
_ANONYMOUS: Final = "anonymous"
_NOW: Final = Clock()


@dataclass(frozen=True, slots=True)
class Use:
    """Who read the trail, by what, asking for what; ``network`` is where they are, if that is known."""

    user: str
    by: str
    question: str
    host: str
    name: str = ""
    network: str = ""
    alias: str = ""
    patient: str = ""
    roles: tuple[Coded, ...] = ()
    purposes: tuple[Coded, ...] = ()
    transaction: Coded | None = None
    refused: str = ""


def message(use: Use, trail: str) -> bytes:
    """A syslog message of it, unlike any other of this process; ``trail`` is the address of what was read."""
    at, process = _NOW(), str(os.getpid())
    subjects = [
        Subject(trail, "2", "13", URI, name="Security Audit Log"),
        Subject("audit trail", "2", "24", _QUERY, query=use.question.encode("utf-8")),
    ]
    if use.patient:
        subjects.insert(0, Subject(use.patient, "1", "1", PATIENT_NUMBER))
    told = AuditMessage(
        TRAIL_READ.event,
        TRAIL_READ.action,
        _FAILED if use.refused else TRAIL_READ.outcome,
        (
            Participant(use.user, True, use.alias, use.name, network=use.network, roles=tuple(map(_code, use.roles))),
            Participant(use.by, False, process, network=use.host),
        ),
        _SOURCE,
        (_code(use.transaction),) if use.transaction is not None else (),
        use.refused,
        tuple(map(_code, use.purposes)),
        tuple(subjects),
    )
    return syslog_of(written(told, at), at, Origin(use.host, "audit", process).fields, failed=bool(use.refused))


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody who is not known, and is not let in: by which certificate, if any, from where, and why not."""

    subject: str
    network: str
    host: str
    told: str


def attempt(kind: Other, tried: Attempt, trail: str) -> bytes:
    """A syslog message of it; who it is was not said, or not truly."""
    who = Participant(_ANONYMOUS, True, name=tried.subject, network=tried.network)
    return _of(kind, who, trail, tried.host, tried.told, Subject(trail, "2", "13", URI))


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody did to the trail itself: who, by what, where, and what it was."""

    user: str
    by: str
    host: str
    told: str


def deed(kind: Other, done: Deed, trail: str) -> bytes:
    """A syslog message of it."""
    who = Participant(done.user, True, network=done.host)
    return _of(kind, who, done.by, done.host, done.told, Subject(trail, "2", "13", URI, name="Security Audit Log"))


def _of(kind: Other, who: Participant, by: str, host: str, told: str, trail: Subject) -> bytes:
    """What somebody did with the trail, by something that runs on a host."""
    at, process = _NOW(), str(os.getpid())
    made = AuditMessage(
        kind.event,
        kind.action,
        kind.outcome,
        (who, Participant(by, False, process, network=host)),
        _SOURCE,
        (kind.type,) if kind.type is not None else (),
        told,
        (),
        (trail,),
    )
    return syslog_of(written(made, at), at, Origin(host, "audit", process).fields, failed=kind.outcome != 0)


def _code(told: Coded) -> Code:
    return Code(told.code, told.system or "unknown", told.display or told.code)
