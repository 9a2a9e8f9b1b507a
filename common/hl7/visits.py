"""What an ADT message says of a visit: which one, where, and when (HL7 v2.5 chapter 3; PV1, EVN, MSH)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from common.hl7.events import LONGEST_ID
from common.hl7.message import Message, Segment
from common.hl7.refusals import Condition, wrong
from common.hl7.types import dtm, dtm_complete

_TIME: Final = re.compile(r"([0-9]{4,14})(?:\.[0-9]{1,4})?(?:([+-])([0-9]{2})([0-9]{2}))?\Z")
_NOTHING: Final = Segment("", ())
_HAPPENED: Final[Mapping[str, int]] = MappingProxyType({"A01": 44, "A04": 44, "A03": 45})
"""The field of PV1 with the time of what an event tells of: admission, discharge."""


@dataclass(frozen=True, slots=True)
class Told:
    """A visit as one message tells of it; what the message does not say is empty.

    ``visit`` names it with whoever gave that name; where the sender has told none, its visits of a patient are one.
    ``places`` are names of the organisation there, of which one has to be known, and ``field`` is where they stand.
    Times are DTM, in UTC where the message says how they differ.
    """

    event: str
    visit: str
    places: tuple[str, ...]
    field: str
    recorded_at: str
    happened_at: str


def has_number(visit: str) -> bool:
    """Whether it is one visit, and not all of a sender's."""
    return not visit.startswith("^")


def read_visit(message: Message) -> Told:
    """What a message of an ADT event says; Hl7Refused for a name that is too long to be one."""
    pv1 = message.first("PV1") or _NOTHING
    evn = message.first("EVN") or _NOTHING
    recorded = _time(message, evn, 2) or _time(message, message.header, 7)
    field_of = _HAPPENED.get(message.event)
    happened = (_time(message, pv1, field_of) if field_of else "") or _time(message, evn, 6)
    places, field = _places(message, pv1)
    return Told(message.event, _visit(message, pv1), places, field, recorded, happened or recorded)


def _visit(message: Message, pv1: Segment) -> str:
    """The visit number (PV1-19), or the account number (PID-18), with whoever gave it; else all visits are one."""
    pid = message.first("PID") or _NOTHING
    for segment, number in ((pv1, 19), (pid, 18)):
        value = segment.raw(number)
        name = message.component(value, 1)
        if not name or name == '""':
            continue
        authority = message.component(value, 4, 2) or message.component(value, 4, 1) or _sender(message)
        if len(name) > LONGEST_ID or len(authority) > LONGEST_ID:
            told = f"{segment.name}-{number} has more than {LONGEST_ID} characters"
            raise wrong(Condition.DATA_TYPE, f"{segment.name}^1^{number}", told)
        return f"{name}^{authority}"
    return f"^{_sender(message)[:LONGEST_ID]}"


def _sender(message: Message) -> str:
    return message.component(message.header.raw(4), 1)


def _places(message: Message, pv1: Segment) -> tuple[tuple[str, ...], str]:
    """The facility of the patient's location (PV1-3.4), else the sending facility (MSH-4): by name, and by OID."""
    location, sending = pv1.raw(3), message.header.raw(4)
    inside = tuple(message.component(location, 4, sub) for sub in (1, 2))
    whole = tuple(message.component(sending, number) for number in (1, 2))
    for names, field in ((inside, "PV1-3.4"), (whole, "MSH-4")):
        if given := tuple(name for name in names if name and name != '""'):
            return given, field
    return (), "MSH-4"


def _time(message: Message, segment: Segment, number: int) -> str:
    """A time stamp (TS) as a DTM to the second; empty for what is none."""
    found = _TIME.match(message.component(segment.raw(number), 1))
    if found is None or dtm(found[1]) is not None:
        return ""
    whole = dtm_complete(found[1])
    if found[2] is None:
        return whole
    away = timedelta(hours=int(found[3]), minutes=int(found[4]))
    try:
        moment = datetime.strptime(whole, "%Y%m%d%H%M%S")
        return (moment - away if found[2] == "+" else moment + away).strftime("%Y%m%d%H%M%S").zfill(14)
    except (OverflowError, ValueError):
        return ""
