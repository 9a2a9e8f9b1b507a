"""Who a patient is, as the messages of any standard tell it: plain values, which know no message."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

MOST_TEXT: Final = 256
"""Characters that are kept of any one value; nothing that is searched for is longer."""

# Letters that no decomposition of Unicode takes apart.
_LETTERS: Final = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
_JOINED: Final = "'’‘`´"


@dataclass(frozen=True, slots=True)
class PersonName:
    """One name of a person."""

    family: str = ""
    given: tuple[str, ...] = ()
    prefix: str = ""
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """One address of a person."""

    lines: tuple[str, ...] = ()
    city: str = ""
    state: str = ""
    postcode: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class Demographics:
    """What a message says of a person; what it does not say is empty. ``sex`` is M, F, UN or unknown."""

    names: tuple[PersonName, ...] = ()
    birth: str = ""
    sex: str = ""
    addresses: tuple[Address, ...] = ()
    phones: tuple[str, ...] = ()


UNKNOWN: Final = Demographics()
"""Nothing was said."""


def folded(text: str) -> str:
    """Text as it is compared: without case, accents and punctuation, words between single spaces."""
    plain = unicodedata.normalize("NFKD", text[:MOST_TEXT]).casefold().translate(_LETTERS)
    # Once more: a small letter may come apart where its capital did not.
    taken = unicodedata.normalize("NFKD", plain)
    kept = "".join(
        letter if letter.isalnum() else "" if letter in _JOINED or unicodedata.combining(letter) else " "
        for letter in taken
    )
    return " ".join(kept.split())[:MOST_TEXT].strip()


def folded_postcode(text: str) -> str:
    """A postcode as it is compared: ZZ99 3VZ and zz993vz are one."""
    return folded(text).replace(" ", "")


def digits(text: str) -> str:
    """A telephone number as it is compared: its last ten digits, so that +44 and 0 are one."""
    return "".join(each for each in text if each in "0123456789")[-10:]
