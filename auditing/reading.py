"""Reads the AuditMessage of a syslog message: the form of DICOM, and the older one of RFC 3881.

They differ in the names of a code's attributes (`csd-code`, `code`), and little else. What cannot be read says why; it
is kept all the same, as it came.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from lxml import etree

from auditing.event import Coded, Event, Object, Participant
from auditing.syslog import NotSyslog, read
from common.soap.xml import XmlLimits, XmlRefused, parse

_LIMITS: Final = XmlLimits(max_bytes=64 * 2**20, max_depth=32, max_elements=200_000, max_attributes=400_000)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,12}))?(Z|[+-]\d\d:\d\d)?", re.ASCII
)  # xs:dateTime
_MOST: Final = 10_000


class Unreadable(ValueError):  # noqa: N818
    """Why a record cannot be read; nothing of it is repeated."""


def read_event(raw: bytes) -> Event:
    """The event that a syslog message tells of; Unreadable."""
    try:
        content = read(raw).content
    except NotSyslog as error:
        raise Unreadable(str(error)) from error
    try:
        root = parse(content, _LIMITS)
    except XmlRefused as error:
        raise Unreadable(error.reason.partition(", which SOAP does not")[0]) from error
    if etree.QName(root).localname != "AuditMessage":
        raise Unreadable("the XML is no AuditMessage")
    return _event(root)


def _event(root: etree._Element) -> Event:
    parts: dict[str, list[etree._Element]] = {}
    for count, child in enumerate(root):
        if count > _MOST:
            raise Unreadable("it has too many parts")
        parts.setdefault(_name(child), []).append(child)
    what = next(iter(parts.get("EventIdentification", ())), None)
    if what is None:
        raise Unreadable("it has no EventIdentification")
    source = next(iter(parts.get("AuditSourceIdentification", ())), None)
    codes = _codes(what)
    described = next((child.text or "" for child in what if _name(child) == "EventOutcomeDescription"), "")
    return Event(
        id=next(iter(codes.get("EventID", ())), Coded("")),
        types=tuple(codes.get("EventTypeCode", ())),
        action=what.get("EventActionCode", ""),
        at=microseconds(what.get("EventDateTime", "")),
        outcome=what.get("EventOutcomeIndicator", "").strip(),
        description=described.strip(),
        purposes=tuple(codes.get("PurposeOfUse", ())),
        participants=tuple(_participant(each) for each in parts.get("ActiveParticipant", ())),
        source=source.get("AuditSourceID", "") if source is not None else "",
        site=source.get("AuditEnterpriseSiteID", "") if source is not None else "",
        source_types=_source_types(source),
        objects=tuple(_object(each) for each in parts.get("ParticipantObjectIdentification", ())),
    )


def _name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _codes(parent: etree._Element) -> dict[str, list[Coded]]:
    found: dict[str, list[Coded]] = {}
    for child in parent:
        found.setdefault(_name(child), []).append(_coded(child))
    return found


def _coded(element: etree._Element) -> Coded:
    """DICOM's attributes, or those of RFC 3881."""
    given = element.attrib
    system = given.get("codeSystemName") or given.get("codeSystem") or ""
    display = given.get("displayName") or given.get("originalText") or ""
    return Coded(str(given.get("csd-code") or given.get("code") or ""), str(system), str(display))


def _source_types(source: etree._Element | None) -> tuple[Coded, ...]:
    if source is None:
        return ()
    found = tuple(_coded(child) for child in source if _name(child) == "AuditSourceTypeCode")
    old = source.get("code")  # the first schema of DICOM had it at the source itself
    return found or ((Coded(old),) if old else ())


def _participant(element: etree._Element) -> Participant:
    given = element.attrib
    return Participant(
        user_id=str(given.get("UserID", "")),
        alternative=str(given.get("AlternativeUserID", "")),
        name=str(given.get("UserName", "")),
        requestor=str(given.get("UserIsRequestor", "true")).strip() in ("true", "1"),
        network=str(given.get("NetworkAccessPointID", "")),
        network_type=str(given.get("NetworkAccessPointTypeCode", "")),
        roles=tuple(_coded(child) for child in element if _name(child) == "RoleIDCode"),
    )


def _object(element: etree._Element) -> Object:
    given = element.attrib
    children: dict[str, list[etree._Element]] = {}
    for child in element:
        children.setdefault(_name(child), []).append(child)
    id_types = children.get("ParticipantObjectIDTypeCode", ())
    return Object(
        id=str(given.get("ParticipantObjectID", "")),
        type=str(given.get("ParticipantObjectTypeCode", "")),
        role=str(given.get("ParticipantObjectTypeCodeRole", "")),
        lifecycle=str(given.get("ParticipantObjectDataLifeCycle", "")),
        id_type=_coded(id_types[0]) if id_types else Coded(""),
        name=next((each.text or "" for each in children.get("ParticipantObjectName", ())), "").strip(),
        query=next((_bytes(each.text or "") for each in children.get("ParticipantObjectQuery", ())), b""),
        details=tuple(
            (each.get("type", ""), _bytes(each.get("value", "")))
            for each in children.get("ParticipantObjectDetail", ())
        ),
    )


def _bytes(text: str) -> bytes:
    """Base64; what is none is taken as it stands, as some senders write it."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return text.encode("utf-8")


def microseconds(text: str) -> int | None:
    """An xs:dateTime since 1970, in UTC where it names no zone; None for what is none."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    zone = "+00:00" if found[3] in (None, "Z") else found[3]
    fraction = (found[2] or "0")[:6].ljust(6, "0")
    try:
        return (datetime.fromisoformat(f"{found[1]}.{fraction}{zone}") - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        return None


def moment(at: int) -> datetime:
    """Microseconds since 1970 as a time in UTC."""
    return _EPOCH + timedelta(microseconds=at)


def terms(event: Event) -> Iterator[tuple[str, str]]:
    """What a record is found by, as pairs of kind and value; `indexing.py` bounds and sorts them."""
    for kind in event.types:
        yield "type", kind.code
    for who in event.participants:
        for name in (who.user_id, who.alternative, *_names(who.name)):
            yield "user", name
        yield "network", who.network
    for what in event.objects:
        if (what.type, what.role) == ("1", "1"):
            yield "patient", patient_term(what.id)
        else:
            yield "object", what.id
    for purpose in event.purposes:
        yield "purpose", purpose.code


def _names(name: str) -> Iterator[str]:
    """A UserName is `alias<user@issuer>` where a user was vouched for (ITI TF-2 3.40.4.2); all of it, and the user."""
    yield name
    alias, found, rest = name.partition("<")
    if found and rest.endswith(">"):
        yield alias
        yield rest.removesuffix(">")
        yield rest.removesuffix(">").partition("@")[0]


def patient_term(text: str) -> str:
    """A CX as `id|authority`, whatever else it says; an id without authority ends in the bar."""
    number, *rest = text.split("^")
    authority = rest[2] if len(rest) > 2 else ""
    parts = authority.split("&")
    return f"{number.strip()}|{(parts[1] if len(parts) > 1 and parts[1] else parts[0]).strip()}"
