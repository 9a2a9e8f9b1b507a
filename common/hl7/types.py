"""HL7 v2 and neighbouring data types in metadata (ITI TF-3 Table 4.2.3.1.7-2).

Each function is given a value and says, in words that never repeat more than its form, what is
wrong with it; ``None`` means it is right. Results are remembered, since the same institutions,
codes and people come again in message after message.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from functools import lru_cache

Problem = str | None
Check = Callable[[str], Problem]

remembered = lru_cache(maxsize=8192)

_OID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*))+\Z")
_UUID = re.compile(r"urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*\Z")
_SHA1 = re.compile(r"[0-9a-fA-F]{40}\Z")
_MIME = re.compile(r"[A-Za-z0-9][\w.+!#$&^-]{0,126}/[A-Za-z0-9][\w.+!#$&^-]{0,126}(?:\s*;.*)?\Z", re.DOTALL)
_PID_FIELD = re.compile(r"PID-([1-9][0-9]?)\|")
_DTM = re.compile(r"[0-9]{4}(?:[0-9]{2}){0,5}\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def is_oid(value: str) -> bool:
    """Digits and dots, no leading zeros, at most 64 characters (ISO/IEC 8824)."""
    return len(value) <= 64 and _OID.match(value) is not None


def is_uuid(value: str) -> bool:
    """``urn:uuid:`` and lower-case hexadecimal (RFC 4122 section 3)."""
    return _UUID.match(value) is not None


def components(value: str, separator: str = "^") -> list[str]:
    """The parts of a value; trailing empty ones are dropped, since HL7 lets them be left out."""
    parts = value.split(separator)
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return parts


def authority_oid(part: str) -> str | None:
    """The OID of an assigning authority written ``&OID&ISO``, else ``None``."""
    pieces = part.split("&")
    if len(pieces) == 3 and not pieces[0] and pieces[2] == "ISO" and is_oid(pieces[1]):
        return pieces[1]
    return None


def _only(parts: list[str], allowed: frozenset[int], kind: str) -> Problem:
    for number, part in enumerate(parts, 1):
        if part and number not in allowed:
            return f"component {number} of an {kind} must be empty"
    return None


@remembered
def cx(value: str) -> Problem:
    """``id^^^&OID&ISO`` exactly."""
    parts = components(value)
    if len(parts) != 4 or not parts[0] or parts[1] or parts[2] or authority_oid(parts[3]) is None:
        return "must have the form id^^^&OID&ISO"
    return None


@remembered
def cxi(value: str) -> Problem:
    """``id^^^&OID&ISO^type``; the authority may be missing or a local name (ITI TF-3 4.2.3.2.28)."""
    parts = components(value)
    if not parts[0] or len(parts) < 5 or not parts[4] or parts[1] or parts[2]:
        return "must have the form id^^^&OID&ISO^type"
    return None


@remembered
def xcn(value: str) -> Problem:
    """A person: ``id^family^given^…^^^&OID&ISO``; an id or a family name is needed."""
    parts = components(value)
    identifier, family = parts[0], parts[1] if len(parts) > 1 else ""
    if not identifier and not family:
        return "must name a person by an id (component 1) or a family name (component 2)"
    authority = parts[8] if len(parts) > 8 else ""
    if authority and not identifier:
        return "has an assigning authority (component 9) without an id (component 1)"
    if authority and authority_oid(authority) is None:
        return "must have its assigning authority (component 9) in the form &OID&ISO"
    return None


@remembered
def xon(value: str) -> Problem:
    """An organisation: ``name^^^^^&OID&ISO^^^^id``; a name is needed."""
    parts = components(value) + [""] * 10
    if not parts[0]:
        return "must name the organisation in component 1"
    identifier, authority = parts[9], parts[5]
    if authority and authority_oid(authority) is None:
        return "must have its assigning authority (component 6) in the form &OID&ISO"
    if identifier and not is_oid(identifier) and not authority:
        return "must have an assigning authority (component 6), since its id (component 10) is not an OID"
    return _only(parts, frozenset({1, 6, 10}), "XON")


@remembered
def xtn(value: str) -> Problem:
    """A telephone number or an e-mail address."""
    parts = components(value) + [""] * 12
    if parts[2] == "Internet":
        return None if parts[3] else "must hold the e-mail address in component 4"
    if any(parts[number] for number in (0, 3, 5, 6, 11)):
        return None
    return "must hold a telephone number, or an e-mail address as ^^Internet^address"


@remembered
def intended_recipient(value: str) -> Problem:
    """``XON|XCN|XTN`` with at least one of the three (ITI TF-3 4.2.3.3.7)."""
    parts = value.split("|")
    if len(parts) > 3 or not any(parts):
        return "must have the form XON|XCN|XTN with at least one of the three"
    for part, check in zip(parts, (xon, xcn, xtn), strict=False):
        if part and (problem := check(part)):
            return problem
    return None


def source_patient_info(value: str) -> Problem:
    """``PID-n|value``; the ids in PID-3 are CX (ITI TF-3 4.2.3.2.23)."""
    found = _PID_FIELD.match(value)
    if found is None:
        return "must begin with PID-n|, where n is a field number"
    if found[1] == "3":
        for identifier in value[found.end() :].split("~"):
            if identifier and (problem := cx(identifier)):
                return f"PID-3 {problem}"
    return None


@remembered
def dtm(value: str) -> Problem:
    """``YYYY[MM[DD[hh[mm[ss]]]]]``, a real date and time, UTC (ITI TF-3 Table 4.2.3.1.7-2)."""
    if _DTM.match(value) is None or not value.isascii():
        return "must be a time YYYY[MM[DD[hh[mm[ss]]]]], digits only, in UTC"
    year, month, day, hour, minute, second = dtm_parts(value)
    if year < 1 or not 1 <= month <= 12 or not 1 <= day <= monthrange(year, month)[1]:
        return "is no date of the calendar"
    if hour > 23 or minute > 59 or second > 59:
        return "is no time of the day"
    return None


def dtm_parts(value: str) -> tuple[int, int, int, int, int, int]:
    """Year to second of a DTM, what is missing filled with the smallest value."""
    full = dtm_complete(value)
    return int(full[:4]), int(full[4:6]), int(full[6:8]), int(full[8:10]), int(full[10:12]), int(full[12:14])


def dtm_complete(value: str) -> str:
    """A DTM to the second: ``2026`` becomes ``20260101000000``, so that times compare as text."""
    return value + "00000101000000"[len(value) :]


@remembered
def oid(value: str) -> Problem:
    """An object identifier."""
    return None if is_oid(value) else "must be an OID (digits and dots, at most 64 characters)"


@remembered
def oid_urn(value: str) -> Problem:
    """``urn:oid:`` and an object identifier (RFC 3061)."""
    good = value.startswith("urn:oid:") and is_oid(value[8:])
    return None if good else "must be an OID in the form urn:oid:1.2.3"


def sha1(value: str) -> Problem:
    """A SHA-1 in hexadecimal."""
    return None if _SHA1.match(value) else "must be a SHA-1 of 40 hexadecimal digits"


@remembered
def size(value: str) -> Problem:
    """A number of bytes."""
    good = value.isascii() and value.isdigit() and len(value) <= 19
    return None if good else "must be a number of bytes"


@remembered
def language(value: str) -> Problem:
    """A language tag (RFC 5646)."""
    return None if len(value) <= 64 and _LANGUAGE.match(value) else "must be a language tag such as en-GB"


@remembered
def mime_type(value: str) -> Problem:
    """A media type (RFC 6838 section 4.2)."""
    return None if len(value) <= 255 and _MIME.match(value) else "must be a MIME type such as application/pdf"


def text(value: str) -> Problem:
    """Any text without control characters."""
    return "must not hold control characters" if _CONTROL.search(value) else None


def identifier(value: str) -> Problem:
    """A uniqueId: opaque, compared byte by byte, at most 256 characters."""
    if not value.strip():
        return "must not be empty"
    if len(value) > 256:
        return "must be at most 256 characters"
    return text(value)
