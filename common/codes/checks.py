"""Judges a listing of codes: what keeps it from being used, and what only looks wrong."""

import re
from collections.abc import Iterator
from typing import Final

from common.codes.listing import CODED, EVERY, EXPECTED, Entry, Listing, Problem, Severity
from common.hl7.types import is_oid

# SNOMED CT: the international identifier and the one of older NHS CDA documents.
_SNOMED: Final = frozenset({"2.16.840.1.113883.6.96", "2.16.840.1.113883.2.1.3.2.4.15"})
_OID_LIKE: Final = re.compile(r"[0-9.]+")
_MIME: Final = re.compile(r"[a-z0-9!#$&^_.+-]{1,64}/[a-z0-9!#$&^_.+-]{1,64}")
_LANGUAGE: Final = re.compile(r"[a-z]{1,8}(-[a-z0-9]{1,8})*")
_SCTID: Final = re.compile(r"[1-9][0-9]{5,17}")

# What Verhoeff's scheme does to a digit, once for each place it stands to the left of the check digit.
_PERMUTED: Final = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def examine(listing: Listing) -> list[Problem]:
    """All problems of a listing, those of the file as a whole first, then by line."""
    # A codes.xml is moved in as its domain already uses it: only what cannot be read is an error there.
    odd = Severity.ERROR if listing.form == "toml" else Severity.WARNING
    found = list(listing.problems)
    found += (Problem(odd, entry.line, text) for entry in listing.entries for text in _wrong(entry))
    found += (Problem(Severity.WARNING, line, text) for line, text in _doubtful(listing))
    found += (
        Problem(odd, None, f"the authority {oid} is not an OID") for oid in listing.authorities if not is_oid(oid)
    )
    if all(problem.severity is not Severity.ERROR or problem.line is not None for problem in listing.problems):
        found += (Problem(Severity.WARNING, None, text) for text in _missing(listing))
    return sorted(found, key=lambda problem: problem.line or 0)


def is_snomed(code: str) -> bool:
    """Whether it is 6 to 18 digits with a right check digit (SNOMED CT identifier, Verhoeff)."""
    if not _SCTID.fullmatch(code):
        return False
    check = 0
    for place, char in enumerate(reversed(code)):
        digit = int(char)
        for _ in range(place % 8):
            digit = _PERMUTED[digit]
        check = _combined(check, digit)
    return check == 0


def _combined(first: int, second: int) -> int:
    """The product of two symmetries of a pentagon: 0 to 4 are its turns, 5 to 9 its reflections."""
    turn = first % 5 - second % 5 if first >= 5 else first % 5 + second % 5
    return turn % 5 + (5 if (first >= 5) != (second >= 5) else 0)


def _wrong(entry: Entry) -> Iterator[str]:
    """What cannot be meant as it is written."""
    named = f"{entry.attribute} {entry.code}"
    if not entry.code.strip():
        yield f"{entry.attribute} has an empty code"
    elif entry.attribute == "mimeType" and not _MIME.fullmatch(entry.code):
        yield f"{named} is not a MIME type such as application/pdf"
    elif entry.attribute == "languageCode" and not _LANGUAGE.fullmatch(entry.code):
        yield f"{named} is not a language tag such as en-GB"
    elif entry.scheme in _SNOMED and not is_snomed(entry.code):
        yield f"{named} is not a SNOMED CT identifier: its digits and check digit do not agree"
    if _OID_LIKE.fullmatch(entry.scheme) and not is_oid(entry.scheme):
        yield f"{named} has the coding scheme {entry.scheme}, which is not an OID"


def _doubtful(listing: Listing) -> Iterator[tuple[int | None, str]]:
    """What is accepted, and is probably a slip."""
    seen: dict[tuple[str, str, str], int | None] = {}
    for entry in listing.entries:
        key = (entry.attribute, entry.code, entry.scheme)
        if key in seen:
            before = f" (line {seen[key]})" if seen[key] else ""
            yield entry.line, f"{entry.attribute} {entry.code} is listed twice with the same coding scheme{before}"
        seen.setdefault(key, entry.line)
        if not entry.display.strip():
            yield entry.line, f"{entry.attribute} {entry.code} has no display name"


def _missing(listing: Listing) -> Iterator[str]:
    """Attributes that nothing is said of, so that everything is accepted, or nothing is."""
    for attribute in EXPECTED:
        if attribute not in listing.present:
            yield f"there is no set for {attribute}, so any code is accepted"
    filled = {entry.attribute for entry in listing.entries} | listing.open_attributes
    filled |= {attribute for attribute, _ in listing.open_schemes}
    if EVERY in filled:
        filled |= set(CODED)
    for attribute in sorted(listing.present - filled):
        yield f"the set for {attribute} is empty, so no code is accepted"
