"""Reads the project's own form of a code file, which is TOML: see docs/guide/codes.md.

[systems]                       short names for coding schemes
snomed = "2.16.840.1.113883.6.96"

[typeCode.snomed]               attribute and coding scheme
373942005 = "Discharge summary"
"""

import re
import tomllib
from typing import Final

from common.codes.listing import ATTRIBUTES, EVERY, PLAIN, Entry, Listing

_HEADER: Final = re.compile(r"\s*\[([^\[\]]+)\]\s*(?:#.*)?")
_KEY: Final = re.compile(r"""\s*("[^"]*"|'[^']*'|[A-Za-z0-9_-]+)\s*=""")
_TABLES: Final = ("systems", "authorities")


class _Lines:
    """Where each table and key stands, since TOML's reader does not say."""

    def __init__(self, text: str) -> None:
        self._found: dict[tuple[str, ...], int] = {}
        table: tuple[str, ...] = ()
        for number, line in enumerate(text.splitlines(), start=1):
            if header := _HEADER.fullmatch(line):
                table = tuple(_unquoted(part) for part in re.findall(r"\"[^\"]*\"|'[^']*'|[^.\s]+", header[1]))
                for depth in range(1, len(table) + 1):
                    self._found.setdefault(table[:depth], number)
            elif key := _KEY.match(line):
                self._found.setdefault((*table, _unquoted(key[1])), number)

    def of(self, *path: str) -> int | None:
        """The line of a table or key, or of the table around it, or None."""
        while path and path not in self._found:
            path = path[:-1]
        return self._found.get(path)


def _unquoted(key: str) -> str:
    return key[1:-1] if key[:1] in "\"'" else key


def read(text: str) -> Listing:
    """All that the file says; problems of form are noted in the listing."""
    listing = Listing("toml")
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        listing.error(None, f"this is not a TOML file: {error}")
        return listing
    lines = _Lines(text)
    systems = _words(listing, lines, content, "systems")
    listing.authorities.update(_words(listing, lines, content, "authorities"))
    for name, table in content.items():
        if name not in _TABLES:
            _attribute(listing, lines, systems, name, table)
    return listing


def _words(listing: Listing, lines: _Lines, content: dict[str, object], name: str) -> dict[str, str]:
    """A table of texts; whatever else is in it is a problem."""
    table = content.get(name, {})
    if not isinstance(table, dict):
        listing.error(lines.of(name), f"{name} must be a table of texts")
        return {}
    for key, value in table.items():
        if not isinstance(value, str):
            listing.error(lines.of(name, key), f"{name}.{key} must be a text")
    return {key: value for key, value in table.items() if isinstance(value, str)}


def _attribute(listing: Listing, lines: _Lines, systems: dict[str, str], name: str, table: object) -> None:
    if name not in ATTRIBUTES:
        listing.error(lines.of(name), f"{name} is not an attribute that has codes")
    elif not isinstance(table, dict):
        listing.error(lines.of(name), f"{name} must be a table")
    else:
        listing.present.add(name)
        rest = dict(table)
        if _take_any(listing, lines, rest, name):
            listing.open_attributes.add(name)
        for key, value in rest.items():
            if name in PLAIN:
                _code(listing, lines.of(name, key), name, EVERY, key.lower(), value)
            else:
                _scheme(listing, lines, systems, name, key, value)


def _take_any(listing: Listing, lines: _Lines, table: dict[str, object], *path: str) -> bool:
    """Whether the table says `any = true`, which is taken out of it."""
    value = table.pop("any", False)
    if not isinstance(value, bool):
        listing.error(lines.of(*path, "any"), f"any in {'.'.join(path)} must be true or false")
    return value is True


def _scheme(listing: Listing, lines: _Lines, systems: dict[str, str], name: str, key: str, table: object) -> None:
    if not isinstance(table, dict):
        listing.error(lines.of(name, key), f"{name}.{key} must be a table of codes, as in [{name}.snomed]")
        return
    scheme, rest = systems.get(key, key), dict(table)
    if not scheme:
        listing.error(lines.of(name, key), f"{name} has codes of a scheme without a name")
    if _take_any(listing, lines, rest, name, key):
        listing.open_schemes.add((name, scheme))
    for code, display in rest.items():
        _code(listing, lines.of(name, key, code), name, scheme, code, display)


def _code(listing: Listing, line: int | None, name: str, scheme: str, code: str, display: object) -> None:
    if isinstance(display, str):
        listing.entries.append(Entry(name, code, scheme, display, line))
    else:
        listing.error(line, f'{name} {code} must have its display name as a text, as in {code} = "…"')
