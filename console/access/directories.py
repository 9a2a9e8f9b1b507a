"""The registry of agreements and the directories, asked as people ask: who shares this, where does that live."""

from __future__ import annotations

from collections.abc import Iterable

from common.access.case import EVERYBODY, chain
from common.access.names import organisation
from common.access.records import KINDS
from common.access.values import Facts, Span, fits
from common.db import Work
from registry.access import store
from registry.access.store import Record


def _counting(work: Work, kind: str, at: str) -> list[Record]:
    return [each for each in store.records(work, KINDS[kind]) if Span(each["begins"], each["ends"]).holds(at)]


def operators(work: Work, code: str, at: str) -> tuple[str, ...]:
    """An organisation by its code in the directory, and those that operate it; nothing for no code."""
    name = organisation(code)
    known = store.Shared()
    store.add_organisations(work, known, [name])
    return tuple(chain(known.names.get(name, name), Facts(organisations=known.organisations), at))


def agreements(
    work: Work, *, provider: str = "", recipient: str = "", type_code: str = "", purpose: str = "", at: str
) -> list[Record]:
    """The data sharing agreements that count at a time and cover all that is asked for."""
    sides = {"providers": operators(work, provider, at), "recipients": operators(work, recipient, at)}
    limits = {"types": type_code, "purposes": purpose}

    def covers(each: Record) -> bool:
        return all(
            not codes or not {EVERYBODY, *codes}.isdisjoint(each[side].split()) for side, codes in sides.items()
        ) and all(
            not asked or not each[name] or any(fits(asked, given) or fits(given, asked) for given in each[name].split())
            for name, asked in limits.items()
        )

    return [each for each in _counting(work, "agreements", at) if covers(each)]


def endpoints(work: Work, *, organisation: str = "", service: str = "", transaction: str = "", at: str) -> list[Record]:
    """Where something lives at a time: an organisation's own endpoints first, then those of who operates it."""
    codes = operators(work, organisation, at)
    found = [
        each
        for each in _counting(work, "endpoints", at)
        if (not codes or each["organisation"] in codes)
        and service in ("", each["service"])
        and (not transaction or transaction in each["transactions"].split())
    ]
    return sorted(found, key=lambda each: codes.index(each["organisation"]) if codes else 0)


def services(work: Work, at: str) -> list[tuple[Record, list[Record]]]:
    """The business services at a time, by name, each with where it lives."""
    living = _counting(work, "endpoints", at)
    return [
        (each, [place for place in living if place["service"] == each["service"]])
        for each in sorted(_counting(work, "services", at), key=lambda each: (each["name"], each["service"]))
    ]


def names(work: Work, codes: Iterable[str]) -> dict[str, str]:
    """What organisations are called, of those that the directory has."""
    return {each["code"]: each["name"] for each in store.by_keys(work, KINDS["organisations"], codes)}
