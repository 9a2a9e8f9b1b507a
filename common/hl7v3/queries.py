"""Queries for patients in HL7 v3 read: PIX (ITI TF-2 3.45), PDQ and its continuations (ITI TF-2 3.47)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from common.demographics import Address, PersonName
from common.hl7v3.demographics import read_address, read_name
from common.hl7v3.wrapper import Element, Id, Wrapper, children, every, first, read_id, read_ids, read_wrapper

QUERY: Final = ("controlActProcess", "queryByParameter")
_PARAMETERS: Final = (*QUERY, "parameterList")
_CONTINUATION: Final = ("controlActProcess", "queryContinuation")
_NUMBER: Final = re.compile(r"[0-9]{1,6}")
_READ: Final = frozenset(
    {
        "livingSubjectAdministrativeGender",
        "livingSubjectBirthTime",
        "livingSubjectId",
        "livingSubjectName",
        "otherIDsScopingOrganization",
        "patientAddress",
        "patientTelecom",
    }
)


@dataclass(frozen=True, slots=True)
class PixQuery:
    """PRPA_IN201309UV02; ``echo`` is queryByParameter, which the answer repeats."""

    wrapper: Wrapper
    query_id: Id
    echo: Element | None
    patients: tuple[Id, ...]
    data_sources: tuple[Id, ...]


@dataclass(frozen=True, slots=True)
class Birth:
    """A time of birth as it is asked for: to its precision, or between two (both included); empty means open."""

    value: str = ""
    low: str = ""
    high: str = ""


@dataclass(frozen=True, slots=True)
class PdqQuery:
    """PRPA_IN201305UV02; ``unread`` names the parameters that nobody here can search by."""

    wrapper: Wrapper
    query_id: Id
    echo: Element | None
    quantity: int | None
    names: tuple[PersonName, ...]
    births: tuple[Birth, ...]
    sexes: tuple[str, ...]
    ids: tuple[Id, ...]
    addresses: tuple[Address, ...]
    phones: tuple[str, ...]
    scopes: tuple[Id, ...]
    unread: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Continuation:
    """QUQI_IN000003UV01: more of a query's answer, or no more; ``start`` counts from 1, ``status`` is as it came."""

    wrapper: Wrapper
    query_id: Id
    quantity: int | None
    start: int | None
    status: str


def read_pix_query(root: Element) -> PixQuery:
    """By the message's root element; what is missing is empty."""
    return PixQuery(
        wrapper=read_wrapper(root),
        query_id=read_id(first(root, *QUERY, "queryId")),
        echo=first(root, *QUERY),
        patients=read_ids(root, (*_PARAMETERS, "patientIdentifier", "value")),
        data_sources=read_ids(root, (*_PARAMETERS, "dataSource", "value")),
    )


def read_pdq_query(root: Element) -> PdqQuery:
    """By the message's root element; what is missing is empty."""
    return PdqQuery(
        wrapper=read_wrapper(root),
        query_id=read_id(first(root, *QUERY, "queryId")),
        echo=first(root, *QUERY),
        quantity=_number(first(root, *QUERY, "initialQuantity")),
        names=tuple(read_name(each) for each in _values(root, "livingSubjectName")),
        births=tuple(_birth(each) for each in _values(root, "livingSubjectBirthTime")),
        sexes=tuple(each.get("code", "").strip() for each in _values(root, "livingSubjectAdministrativeGender")),
        ids=read_ids(root, (*_PARAMETERS, "livingSubjectId", "value")),
        addresses=tuple(read_address(each) for each in _values(root, "patientAddress")),
        phones=tuple(each.get("value", "").strip() for each in _values(root, "patientTelecom")),
        scopes=read_ids(root, (*_PARAMETERS, "otherIDsScopingOrganization", "value")),
        unread=_unread(root),
    )


def read_continuation(root: Element) -> Continuation:
    """By the message's root element; what is missing is empty."""
    status = first(root, *_CONTINUATION, "statusCode")
    return Continuation(
        wrapper=read_wrapper(root),
        query_id=read_id(first(root, *_CONTINUATION, "queryId")),
        quantity=_number(first(root, *_CONTINUATION, "continuationQuantity")),
        start=_number(first(root, *_CONTINUATION, "startResultNumber")),
        status="" if status is None else status.get("code", "").strip(),
    )


def _values(root: Element, parameter: str) -> list[Element]:
    return [each for each in every([root], (*_PARAMETERS, parameter, "value")) if not each.get("nullFlavor")]


def _unread(root: Element) -> tuple[str, ...]:
    lists = every([root], _PARAMETERS)
    names = {str(each.tag).rpartition("}")[2] for one in lists for each in one.iterchildren("{*}*")}
    return tuple(sorted(names - _READ))


def _number(element: Element | None) -> int | None:
    value = "" if element is None else element.get("value", "").strip()
    return int(value) if _NUMBER.fullmatch(value) else None


def _birth(element: Element) -> Birth:
    """An interval of time (data type IVL_TS): a value, or its ends."""
    ends = {name: next((each.get("value", "").strip() for each in children(element, name)), "")
            for name in ("low", "high")}  # fmt: skip
    return Birth(element.get("value", "").strip(), ends["low"], ends["high"])
