"""Which organisation is meant by the places that ADT messages name: a table, read from TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from common.access import names

_TABLE: Final = "organisations"


class PlacesError(ValueError):
    """A table that cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Places:
    """ODS codes by what senders call a place."""

    codes: Mapping[str, str] = field(default_factory=dict)

    def organisation(self, given: Iterable[str]) -> str:
        """The organisation that one of some names of a place stands for; empty where none does."""
        return next((self.codes[name] for name in given if name in self.codes), "")


def read_places(text: str) -> Places:
    """The table in a TOML text; PlacesError."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PlacesError(f"it is no TOML: {error}") from error
    table = found.pop(_TABLE, None)
    if found:
        raise PlacesError(f"{sorted(found)[0]}: there is no such key, only a table [{_TABLE}]")
    if not isinstance(table, dict) or not table:
        raise PlacesError(f'a table [{_TABLE}] is needed, of PLACE = "ODS CODE"')
    codes = {}
    for place, told in table.items():
        code = names.organisation(told) if isinstance(told, str) else ""
        if not code:
            raise PlacesError(f"{place}: an ODS code, or another identifier of an organisation, is expected")
        codes[place.strip()] = code
    return Places(codes)


def load_places(path: str) -> Places:
    """The table in a file; PlacesError."""
    try:
        return read_places(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise PlacesError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PlacesError(f"{path}: it is not UTF-8 text") from error
    except PlacesError as error:
        raise PlacesError(f"{path}: {error}") from error
