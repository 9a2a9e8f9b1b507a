"""Turns the times of CDA into DTM: UTC, no zone, no fraction (ITI TF-3 Table 4.2.3.1.7-2)."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

_FORM: Final = re.compile(
    r"([0-9]{4}|[0-9]{6}|[0-9]{8}|[0-9]{10}|[0-9]{12}|[0-9]{14})(?:\.[0-9]{1,9})?([+-][0-9]{2}(?:[0-9]{2})?)?"
)
_FORMATS: Final = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_DATE: Final = 8


def to_dtm(value: str) -> str:
    """The moment in UTC, as precise as it was given; ValueError when it is not a time.

    A date has no zone to convert from. A time of day without a zone is taken as time in the United Kingdom.
    """
    found = _FORM.fullmatch(value)
    if found is None:
        raise ValueError(value)
    digits, zone = found[1], found[2]
    moment = datetime.strptime(digits, _FORMATS[len(digits)])
    if len(digits) <= _DATE:
        return digits
    offset = _offset(zone) if zone else _uk_offset(moment)
    try:
        shifted = moment.replace(tzinfo=timezone(offset)).astimezone(UTC)
    except OverflowError:
        raise ValueError(value) from None
    # An hour in a zone that is off by half an hour is no whole hour in UTC.
    precision = max(len(digits), 12) if offset % timedelta(hours=1) else len(digits)
    return f"{shifted.year:04}{shifted:%m%d%H%M%S}"[:precision]


def to_date(value: str) -> str:
    """The date of a time, as it stands: a birthday has no zone; ValueError when it is not a time."""
    to_dtm(value)
    return re.sub(r"[.+-].*", "", value)[:_DATE]


def _offset(zone: str) -> timedelta:
    hours, minutes = int(zone[1:3]), int(zone[3:] or 0)
    if hours > 14 or minutes > 59:
        raise ValueError(zone)
    return (1 if zone[0] == "+" else -1) * timedelta(hours=hours, minutes=minutes)


def _uk_offset(local: datetime) -> timedelta:
    """An hour from the last Sunday of March to that of October, as it has been since 1996 (Summer Time Order 2002)."""
    summer = _last_sunday(local.year, 3, 1) <= local < _last_sunday(local.year, 10, 2)
    return timedelta(hours=1 if summer else 0)


def _last_sunday(year: int, month: int, hour: int) -> datetime:
    """When clocks change: both months have 31 days."""
    last = datetime(year, month, 31, hour)
    return last - timedelta(days=(last.weekday() + 1) % 7)
