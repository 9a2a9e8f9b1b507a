"""patientPerson of HL7 v3 as demographics, and demographics as patientPerson (ITI TF-2 3.44.4, 3.47.4)."""

from __future__ import annotations

import re
from typing import Final
from xml.sax.saxutils import quoteattr

from common.demographics import MOST_TEXT, Address, Demographics, PersonName
from common.hl7v3.wrapper import Element, children, first, text

_MOST: Final = 10
_DATE: Final = re.compile(r"[0-9]{4}(?:[0-9]{2}){0,2}")
_SEXES: Final = ("M", "F", "UN")


def read_person(person: Element) -> Demographics:
    """What a patientPerson says; what makes no sense is left out."""
    birth, sex = first(person, "birthTime"), first(person, "administrativeGenderCode")
    found = _DATE.match("" if birth is None else birth.get("value", "").strip())
    code = "" if sex is None else sex.get("code", "").strip().upper()
    phones = [each.get("value", "").strip()[:MOST_TEXT] for each in _some(person, "telecom")]
    return Demographics(
        names=tuple(name for each in _some(person, "name") if (name := read_name(each)) != PersonName()),
        birth=found[0] if found else "",
        sex=code if code in _SEXES else "",
        addresses=tuple(at for each in _some(person, "addr") if (at := read_address(each)) != Address()),
        phones=tuple(each.removeprefix("tel:") for each in phones if each and not each.startswith("mailto:")),
    )


def _some(person: Element, name: str) -> list[Element]:
    return [each for each, _ in zip(children(person, name), range(_MOST), strict=False)]


def _texts(element: Element, name: str) -> tuple[str, ...]:
    found = ("".join(str(part) for part in each.itertext()).strip()[:MOST_TEXT] for each in children(element, name))
    return tuple(each for each, _ in zip(found, range(_MOST), strict=False) if each)


def _text(element: Element, name: str) -> str:
    return " ".join(_texts(element, name))[:MOST_TEXT]


def read_name(element: Element) -> PersonName:
    """A name (data type PN)."""
    return PersonName(
        _text(element, "family"), _texts(element, "given"), _text(element, "prefix"), _text(element, "suffix")
    )


def read_address(element: Element) -> Address:
    """An address (data type AD)."""
    return Address(
        _texts(element, "streetAddressLine"),
        _text(element, "city"),
        _text(element, "state"),
        _text(element, "postalCode"),
        _text(element, "country"),
    )


def _parts(*parts: tuple[str, str]) -> str:
    return "".join(f"<{name}>{text(value)}</{name}>" for name, value in parts if value)


def write_name(name: PersonName) -> str:
    """A name as ``name`` or the like has it within."""
    given = tuple(("given", each) for each in name.given)
    return _parts(("prefix", name.prefix), *given, ("family", name.family), ("suffix", name.suffix))


def write_address(address: Address) -> str:
    """An address as ``addr`` has it within."""
    lines = tuple(("streetAddressLine", each) for each in address.lines)
    rest = (("city", address.city), ("state", address.state), ("postalCode", address.postcode))
    return _parts(*lines, *rest, ("country", address.country))


def write_person(person: Demographics) -> str:
    """A patientPerson; a name is always there, if only to say that none is known."""
    names = "".join(f"<name>{write_name(each)}</name>" for each in person.names) or '<name nullFlavor="NI"/>'
    phones = "".join(f"<telecom value={quoteattr(_tel(each))}/>" for each in person.phones)
    sex = f'<administrativeGenderCode code="{person.sex}"/>' if person.sex else ""
    birth = f'<birthTime value="{person.birth}"/>' if person.birth else ""
    addresses = "".join(f"<addr>{write_address(each)}</addr>" for each in person.addresses)
    return (
        f'<patientPerson classCode="PSN" determinerCode="INSTANCE">{names}{phones}{sex}{birth}{addresses}'
        "</patientPerson>"
    )


def _tel(number: str) -> str:
    """A telephone number as the URL that data type TEL is."""
    return f"tel:{''.join(each for each in number if each in '+0123456789')}"
