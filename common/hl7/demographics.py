"""PID of HL7 v2 as demographics (HL7 v2.3.1 section 3.3.2): names, birth, sex, addresses, telephones."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from common.demographics import MOST_TEXT, Address, Demographics, PersonName
from common.hl7.message import Message, Segment

_MOST: Final = 10
"""Repetitions that are looked at; a person has no more names than that."""
_DATE: Final = re.compile(r"[0-9]{4}(?:[0-9]{2}){0,2}")
_SEXES: Final[Mapping[str, str]] = {"M": "M", "F": "F", "O": "UN", "A": "UN"}
"""Table 0001 as HL7 v3 has it (AdministrativeGender); U and all else is unknown."""

Value = TypeVar("Value")


def read_demographics(message: Message, segment: Segment) -> Demographics:
    """What PID-5, 7, 8, 11, 13 and 14 say; what makes no sense there is left out, since ids alone may be enough."""
    birth = _DATE.match(message.component(segment.raw(7), 1))
    return Demographics(
        names=_each(message, segment, 5, _name),
        birth=birth[0] if birth else "",
        sex=_SEXES.get(segment.raw(8).strip()[:1].upper(), ""),
        addresses=_each(message, segment, 11, _address),
        phones=(*_each(message, segment, 13, _phone), *_each(message, segment, 14, _phone)),
    )


def _each(message: Message, segment: Segment, number: int, read: Callable[[Message, str], Value]) -> tuple[Value, ...]:
    found = [read(message, each) for each in message.repetitions(segment, number)[:_MOST]]
    return tuple(each for each in found if each and each != type(each)())


def _text(message: Message, value: str, number: int) -> str:
    text = message.component(value, number)[:MOST_TEXT]
    return "" if text == '""' else text  # HL7 v2's way to say that a value is to be removed


def _name(message: Message, value: str) -> PersonName:
    """XPN: family, given, further given names, suffix, prefix."""
    family, given, more, suffix, prefix = (_text(message, value, number) for number in range(1, 6))
    return PersonName(family, (*([given] if given else []), *more.split()), prefix, suffix)


def _address(message: Message, value: str) -> Address:
    """XAD: street, other designation, city, state, postcode, country."""
    street, other, city, state, postcode, country = (_text(message, value, number) for number in range(1, 7))
    return Address(tuple(line for line in (street, other) if line), city, state, postcode, country)


def _phone(message: Message, value: str) -> str:
    """XTN: the first component, or area code and number."""
    return _text(message, value, 1) or " ".join(filter(None, (_text(message, value, 6), _text(message, value, 7))))
