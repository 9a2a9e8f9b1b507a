"""Audit messages to test with, and a trail in a database."""

from __future__ import annotations

import base64
import random
import time
from collections.abc import Callable

from auditing.indexing import indexed
from auditing.store import schema
from auditing.store.records import Kept, Received, append
from common.db import Database, open_database

NHS = "2.16.840.1.113883.2.1.4.1"
AT = 1_773_238_823_120_000  # 2026-03-11T14:20:23.120Z


def a_patient(number: str = "9990001006") -> str:
    """A CX."""
    return f"{number}^^^&{NHS}&ISO"


def an_event(
    *,
    transaction: str = "ITI-43",
    event: tuple[str, str] = ("110106", "Export"),
    action: str = "R",
    at: str = "2026-03-11T14:20:23.120Z",
    outcome: str = "0",
    patient: str = a_patient(),
    user: str = "555000000001",
    name: str = "A. Nurse<555000000001@urn:example:idp>",
    document: str = "2.999.1.1",
    purpose: str = "",
    source: str = "repository",
    details: str = "",
) -> bytes:
    """A DICOM AuditMessage of a document that somebody fetched (security.md, sections 3 and 4)."""
    uid = base64.b64encode(b"2.999.826.1.1").decode()
    why = (
        f'<PurposeOfUse csd-code="{purpose}" codeSystemName="1.0.14265.1" originalText="{purpose}"/>' if purpose else ""
    )
    what = (
        f'<ParticipantObjectIdentification ParticipantObjectID="{document}" ParticipantObjectTypeCode="2" '
        f'ParticipantObjectTypeCodeRole="3"><ParticipantObjectIDTypeCode csd-code="9" codeSystemName="RFC-3881" '
        f'originalText="Report Number"/><ParticipantObjectDetail type="Repository Unique Id" value="{uid}"/>{details}'
        "</ParticipantObjectIdentification>"
        if document
        else ""
    )
    whose = (
        f'<ParticipantObjectIdentification ParticipantObjectID="{patient.replace("&", "&amp;")}" '
        'ParticipantObjectTypeCode="1" ParticipantObjectTypeCodeRole="1"><ParticipantObjectIDTypeCode csd-code="2" '
        'codeSystemName="RFC-3881" originalText="Patient Number"/></ParticipantObjectIdentification>'
        if patient
        else ""
    )
    told = "<EventOutcomeDescription>XDSDocumentUniqueIdError</EventOutcomeDescription>" if outcome != "0" else ""
    escaped = name.replace("<", "&lt;").replace(">", "&gt;")
    return (
        f'<AuditMessage><EventIdentification EventActionCode="{action}" EventDateTime="{at}" '
        f'EventOutcomeIndicator="{outcome}"><EventID csd-code="{event[0]}" codeSystemName="DCM" '
        f'originalText="{event[1]}"/><EventTypeCode csd-code="{transaction}" codeSystemName="IHE Transactions" '
        f'originalText="Retrieve Document Set"/>{told}{why}</EventIdentification>'
        '<ActiveParticipant UserID="https://repository.northbeck.example/repository" AlternativeUserID="4712" '
        'UserIsRequestor="false" NetworkAccessPointID="repository.northbeck.example" NetworkAccessPointTypeCode="1">'
        '<RoleIDCode csd-code="110153" codeSystemName="DCM" originalText="Source Role ID"/></ActiveParticipant>'
        '<ActiveParticipant UserID="http://www.w3.org/2005/08/addressing/anonymous" UserIsRequestor="true" '
        'NetworkAccessPointID="192.0.2.7" NetworkAccessPointTypeCode="2"><RoleIDCode csd-code="110152" '
        'codeSystemName="DCM" originalText="Destination Role ID"/></ActiveParticipant>'
        f'<ActiveParticipant UserID="{user}" UserName="{escaped}" UserIsRequestor="true"><RoleIDCode csd-code="S8000" '
        'codeSystemName="NHS" originalText="Clinical Practitioner"/></ActiveParticipant>'
        f'<AuditSourceIdentification AuditSourceID="{source}" AuditEnterpriseSiteID="Northbeck Trust">'
        f'<AuditSourceTypeCode csd-code="4"/></AuditSourceIdentification>{whose}{what}</AuditMessage>'
    ).encode()


def syslog(content: bytes, number: int = 0, at: str = "2026-03-11T14:20:23.120Z") -> bytes:
    """It in a syslog message; the number makes it one of its own."""
    return b"<85>1 %b repository.northbeck.example repository %d IHE+RFC-3881 - " % (at.encode(), number) + content


# The older form of codes: attributes as RFC 3881 names them.
OLD_FORM = (
    b'<?xml version="1.0" encoding="UTF-8"?><AuditMessage><EventIdentification EventActionCode="E" '
    b'EventDateTime="2026-03-11T15:20:23+01:00" EventOutcomeIndicator="0"><EventID code="110112" codeSystemName="DCM" '
    b'displayName="Query"/><EventTypeCode code="ITI-18" codeSystemName="IHE Transactions" '
    b'displayName="Registry Stored Query"/></EventIdentification><ActiveParticipant UserID="consumer" '
    b'UserIsRequestor="true"/><AuditSourceIdentification AuditSourceID="old"/><ParticipantObjectIdentification '
    b'ParticipantObjectID="9990001006^^^&amp;2.16.840.1.113883.2.1.4.1&amp;ISO" ParticipantObjectTypeCode="1" '
    b'ParticipantObjectTypeCodeRole="1"><ParticipantObjectIDTypeCode code="2" codeSystemName="RFC-3881" '
    b'displayName="Patient Number"/></ParticipantObjectIdentification><ParticipantObjectIdentification '
    b'ParticipantObjectID="urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d" ParticipantObjectTypeCode="2" '
    b'ParticipantObjectTypeCodeRole="24"><ParticipantObjectIDTypeCode code="ITI-18" codeSystemName="IHE Transactions" '
    b'displayName="Registry Stored Query"/><ParticipantObjectQuery>PHF1ZXJ5Lz4=</ParticipantObjectQuery>'
    b"</ParticipantObjectIdentification></AuditMessage>"
)


def received(*messages: bytes, at: int = AT) -> list[Received]:
    """Messages as the receiver hands them on."""
    return [Received(raw, at + number, indexed(raw, at + number)) for number, raw in enumerate(messages)]


def a_trail(url: str) -> Database:
    """An empty one."""
    database = open_database(url)
    schema.upgrade(database)
    return database


def fill(database: Database, count: int, message: Callable[[int], bytes] | None = None, group: int = 250) -> list[Kept]:
    """Records of several patients and users."""
    seed = random.Random(7)

    def usual(number: int) -> bytes:
        patient = a_patient(f"999000{seed.randrange(10):04}")
        return syslog(an_event(patient=patient, user=f"55500000000{seed.randrange(10)}"), number)

    made = [(message or usual)(number) for number in range(count)]
    return [
        append(database, received(*made[begin : begin + group], at=time.time_ns() // 1000))
        for begin in range(0, count, group)
    ]


def framed(message: bytes) -> bytes:
    """A message as it is sent (RFC 5425 section 4.3)."""
    return b"%d %b" % (len(message), message)
