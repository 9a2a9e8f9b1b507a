"""The repository's own record: that the trail was read (Audit Log Used, DICOM PS3.15 A.5.3.3)."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from lxml import etree

from auditing.event import Coded

_USED: Final = Coded("110101", "DCM", "Audit Log Used")
_URI: Final = Coded("12", "RFC-3881", "URI")
_PATIENT: Final = Coded("2", "RFC-3881", "Patient Number")
_QUERY: Final = Coded("10", "RFC-3881", "Search Criteria")


@dataclass(frozen=True, slots=True)
class Use:
    """Who read the trail, by what, asking for what; ``network`` is where they are, if that is known."""

    user: str
    by: str
    question: str
    host: str
    name: str = ""
    network: str = ""
    patient: str = ""
    roles: tuple[Coded, ...] = ()
    purposes: tuple[Coded, ...] = ()
    transaction: Coded | None = None
    refused: str = ""


def message(use: Use, trail: str, now: datetime | None = None) -> bytes:
    """A syslog message of it; ``trail`` is the address of what was read."""
    at = (now or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    root = etree.Element("AuditMessage")
    outcome = "8" if use.refused else "0"
    what = etree.SubElement(
        root, "EventIdentification", EventActionCode="R", EventDateTime=at, EventOutcomeIndicator=outcome
    )
    _coded(what, "EventID", _USED)
    if use.transaction is not None:
        _coded(what, "EventTypeCode", use.transaction)
    if use.refused:
        etree.SubElement(what, "EventOutcomeDescription").text = _clean(use.refused)
    for purpose in use.purposes:
        _coded(what, "PurposeOfUse", purpose)
    _participant(root, use.user, use.name, use.network, requestor=True, roles=use.roles)
    process = str(os.getpid())
    application = _participant(root, use.by, "", use.host, requestor=False)
    application.set("AlternativeUserID", process)
    source = etree.SubElement(root, "AuditSourceIdentification", AuditSourceID="portolan-audit")
    etree.SubElement(source, "AuditSourceTypeCode", {"csd-code": "4"})
    if use.patient:
        _object(root, use.patient, "1", "1", _PATIENT)
    read = _object(root, trail, "2", "13", _URI)
    etree.SubElement(read, "ParticipantObjectName").text = "Security Audit Log"
    asked = _object(root, "audit trail", "2", "24", _QUERY)
    question = base64.b64encode(use.question.encode("utf-8")).decode("ascii")
    etree.SubElement(asked, "ParticipantObjectQuery").text = question
    header = f"<85>1 {at} {_word(use.host)} audit {process} IHE+RFC-3881 - "
    return header.encode("ascii") + etree.tostring(root, encoding="utf-8", xml_declaration=False)


def _coded(parent: etree._Element, name: str, code: Coded) -> None:
    given = {
        "csd-code": _clean(code.code),
        "codeSystemName": _clean(code.system or "unknown"),
        "originalText": _clean(code.display or code.code),
    }
    etree.SubElement(parent, name, given)


def _participant(
    root: etree._Element, user: str, name: str, network: str, *, requestor: bool, roles: tuple[Coded, ...] = ()
) -> etree._Element:
    made = etree.SubElement(root, "ActiveParticipant", UserID=_clean(user), UserIsRequestor=str(requestor).lower())
    if name:
        made.set("UserName", _clean(name))
    if network:
        made.set("NetworkAccessPointID", _clean(network))
        made.set("NetworkAccessPointTypeCode", "2" if network.replace(".", "").isdigit() or ":" in network else "1")
    for role in roles:
        _coded(made, "RoleIDCode", role)
    return made


def _object(root: etree._Element, identifier: str, kind: str, role: str, code: Coded) -> etree._Element:
    given = {
        "ParticipantObjectID": _clean(identifier),
        "ParticipantObjectTypeCode": kind,
        "ParticipantObjectTypeCodeRole": role,
    }
    made = etree.SubElement(root, "ParticipantObjectIdentification", given)
    _coded(made, "ParticipantObjectIDTypeCode", code)
    return made


def _clean(text: str) -> str:
    """Without what XML cannot hold."""
    return "".join(char if char.isprintable() else " " for char in text)


def _word(text: str) -> str:
    """A part of a header of syslog."""
    return "".join(char for char in text if "!" <= char <= "~")[:255] or "-"
