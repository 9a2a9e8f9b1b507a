"""What a query for demographics searches by, and what is wrong with one (ITI TF-2 3.47.4.1.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from common.demographics import digits, folded, folded_postcode
from common.hl7.refusals import Condition
from common.hl7v3.queries import PdqQuery

MOST_VALUES: Final = 10
_TIME: Final = re.compile(r"[0-9]{4}(?:[0-9]{2}){0,2}(?:[0-9]{2}){0,3}(?:\.[0-9]{1,6})?(?:[+-][0-9]{2,4})?")
_WILDCARDS: Final = frozenset("*?%")
_SEXES: Final = ("M", "F", "UN")
_END: Final = "9999"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One value of one parameter; ``how`` is by which of the store's searches."""

    group: str
    how: str
    one: str
    two: str = ""


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a query is not answered; ``parameter`` is the element's name within parameterList."""

    condition: Condition
    reason: str
    parameter: str


Rule = Callable[[PdqQuery], Iterator[Objection]]


def every_parameter_can_be_searched_by(query: PdqQuery) -> Iterator[Objection]:
    """One that is passed over would give people who were not asked for."""
    for name in query.unread:
        yield Objection(Condition.NOT_IN_TABLE, "nobody can be searched for by this parameter here", name[:64])


def something_is_searched_for(query: PdqQuery) -> Iterator[Objection]:
    """All the people there are is no answer."""
    if not (query.unread or any((query.names, query.births, query.sexes, query.ids, query.addresses, query.phones))):
        yield Objection(Condition.MISSING, "at least one parameter is needed besides the scope", "")


def a_parameter_has_few_values(query: PdqQuery) -> Iterator[Objection]:
    """Values of one parameter are alternatives."""
    counted = {
        "livingSubjectName": query.names,
        "livingSubjectBirthTime": query.births,
        "livingSubjectAdministrativeGender": query.sexes,
        "livingSubjectId": query.ids,
        "patientAddress": query.addresses,
        "patientTelecom": query.phones,
        "otherIDsScopingOrganization": query.scopes,
    }
    for name, values in counted.items():
        if len(values) > MOST_VALUES:
            yield Objection(Condition.DATA_TYPE, f"a parameter has at most {MOST_VALUES} values", name)


def a_name_has_letters_and_no_wildcards(query: PdqQuery) -> Iterator[Objection]:
    """What is compared is letters and digits."""
    for name in query.names:
        written = "".join((name.family, *name.given))
        if set(written) & _WILDCARDS:
            yield Objection(Condition.DATA_TYPE, "names are compared whole, without wildcards", "livingSubjectName")
        elif not folded(written):
            yield Objection(Condition.MISSING, "a name needs a family or a given name", "livingSubjectName")


def a_time_of_birth_is_a_time(query: PdqQuery) -> Iterator[Objection]:
    """A value, or an interval with an end."""
    for birth in query.births:
        values = [each for each in (birth.value, birth.low, birth.high) if each]
        if not values or not all(_TIME.fullmatch(each) for each in values):
            yield Objection(Condition.DATA_TYPE, "a time of birth is a DTM, as 19420317", "livingSubjectBirthTime")


def a_gender_is_of_the_table(query: PdqQuery) -> Iterator[Objection]:
    """HL7 AdministrativeGender."""
    if any(each not in _SEXES for each in query.sexes):
        told = "a gender is M, F or UN (AdministrativeGender)"
        yield Objection(Condition.NOT_IN_TABLE, told, "livingSubjectAdministrativeGender")


def an_id_is_whole(query: PdqQuery) -> Iterator[Objection]:
    """A root alone is a domain, and nobody's id."""
    if any(not (each.root and each.extension) for each in query.ids):
        yield Objection(Condition.DATA_TYPE, "an id has a root and an extension", "livingSubjectId")


def an_address_or_telephone_says_something(query: PdqQuery) -> Iterator[Objection]:
    """Postcode, city or street are compared; country and state alone are not."""
    if any(not (each.postcode or each.city or each.lines) for each in query.addresses):
        yield Objection(Condition.MISSING, "an address needs a postcode, city or street", "patientAddress")
    if any(not digits(each) for each in query.phones):
        yield Objection(Condition.DATA_TYPE, "a telephone number has digits", "patientTelecom")


RULES: Final[tuple[Rule, ...]] = (
    every_parameter_can_be_searched_by,
    something_is_searched_for,
    a_parameter_has_few_values,
    a_name_has_letters_and_no_wildcards,
    a_time_of_birth_is_a_time,
    a_gender_is_of_the_table,
    an_id_is_whole,
    an_address_or_telephone_says_something,
)


def objection(query: PdqQuery) -> Objection | None:
    """The first thing that is wrong with a query."""
    return next((found for rule in RULES for found in rule(query)), None)


def wanted(query: PdqQuery, *, prefix: bool) -> list[Wanted]:
    """What a right query searches by; with ``prefix`` names need only begin as they are asked for."""
    return [*_names(query, prefix), *_births(query), *_others(query)]


def _names(query: PdqQuery, prefix: bool) -> Iterator[Wanted]:
    for name in query.names:
        family, given = folded(name.family), folded(" ".join(name.given))
        how = "name-prefix" if prefix else "name" if family and given else "family" if family else "given"
        yield Wanted("name", how, family, given)


def _births(query: PdqQuery) -> Iterator[Wanted]:
    for birth in query.births:
        if birth.value:
            yield Wanted("birth", "birth", birth.value[:8])
        else:
            yield Wanted("birth", "birth-between", birth.low[:8] or "0", f"{birth.high[:8] or _END}~")


def _others(query: PdqQuery) -> Iterator[Wanted]:
    yield from (Wanted("sex", "sex", each) for each in query.sexes)
    yield from (Wanted("id", "id", each.root, each.extension) for each in query.ids)
    yield from (Wanted("phone", "phone", digits(each)) for each in query.phones)
    for address in query.addresses:
        parts = [("postcode", folded_postcode(address.postcode)), ("city", folded(address.city))]
        parts += [("line", folded(line)) for line in address.lines[:2]]
        yield from (Wanted(f"address-{how}", how, value) for how, value in parts if value)
