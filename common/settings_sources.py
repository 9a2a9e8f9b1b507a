"""Where settings come from: the environment, a TOML file, and files that hold one secret.

Nothing here knows which settings there are; the table is handed in.
"""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from common.settings_types import KIB, MIB, Row

PREFIX: Final = "PORTOLAN_"
CONFIG: Final = "PORTOLAN_CONFIG"

# Read by the command line or by the fault points of the tests; never settings.
RESERVED: Final = frozenset({CONFIG, "PORTOLAN_FAULT", "PORTOLAN_FAULT_TRACE", "PORTOLAN_REQUIRE_SERVERS"})

_MOST_FILE: Final = 1 * MIB
_MOST_SECRET: Final = 64 * KIB
_MOST_SHOWN: Final = 60


@dataclass(frozen=True)
class Given:
    """One value as it was given, and the words that say where."""

    text: str
    where: str


Table = Mapping[str, Row]
Found = dict[str, Given]


def read(table: Table, environ: Mapping[str, str], file: Path | None) -> tuple[dict[str, Any], list[str]]:
    """The values given by file and environment, the environment winning, and every problem as one sentence."""
    problems: list[str] = []
    from_file = _with_secrets(table, _from_file(table, file, problems), problems) if file else {}
    from_environ = _with_secrets(table, _from_environ(table, environ, problems), problems)
    values: dict[str, Any] = {}
    # A value in the file is checked even where the environment overrides it: it is wrong all the same.
    for found in (from_file, from_environ):
        for name, given in found.items():
            _parse(name, table[name], given, values, problems)
    return values, problems


def _parse(name: str, row: Row, given: Given, values: dict[str, Any], problems: list[str]) -> None:
    try:
        # What is empty by default may be said to be empty.
        values[name] = "" if given.text == row.default == "" else row.kind.parse(given.text)
    except ValueError:
        shown = "is not valid" if row.secret else f"is {_short(given.text)}"
        problems.append(f"{given.where} {shown}; it must be {row.kind.accepts}.")


def _short(value: str) -> str:
    return repr(value if len(value) <= _MOST_SHOWN else value[:_MOST_SHOWN] + "…")


def _keys(table: Table) -> set[str]:
    return set(table) | {f"{name}_file" for name, row in table.items() if row.secret}


def _unknown(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name[:100], sorted(known), n=1)
    return f"; did you mean {close[0]}?" if close else "; docs/reference/settings.md lists those there are."


def _from_environ(table: Table, environ: Mapping[str, str], problems: list[str]) -> Found:
    """What the environment sets; an empty variable counts as not set, as compose files write them."""
    known = {PREFIX + key.upper(): key for key in _keys(table)}
    found: Found = {}
    for variable in sorted(name for name in environ if name.startswith(PREFIX) and name not in RESERVED):
        if variable not in known:
            hint = _unknown(variable, set(known))
            problems.append(f"{_printable(variable)} in the environment is not a setting{hint}")
        elif environ[variable].strip():
            found[known[variable]] = Given(environ[variable].strip(), f"{variable} in the environment")
    return found


def _from_file(table: Table, file: Path, problems: list[str]) -> Found:
    """What the TOML file sets, grouped tables flattened with `_`."""
    try:
        content = tomllib.loads(_text(file, _MOST_FILE))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        problems.append(f"{file} is not a TOML file: {_printable(str(error))}.")
        return {}
    except (OSError, ValueError) as error:
        problems.append(f"The settings file {file} cannot be read: {_reason(error)}.")
        return {}
    known, found = _keys(table), Found()
    for key, value in _flat("", content):
        where = f"{_printable(key)} in {file}"
        text = _as_text(value)
        if key not in known:
            problems.append(f"{where} is not a setting{_unknown(key, known)}")
        elif key in found:
            problems.append(f"{where} is set twice, once in a table of its own; keep one of them.")
        elif text is None:
            problems.append(f"{where} must be a text, a number, true or false, or a list of texts.")
        else:
            found[key] = Given(text, where)
    return found


def _flat(prefix: str, content: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}{key}_", value)
        else:
            yield f"{prefix}{key}", value


def _as_text(value: object) -> str | None:
    """A TOML value in the form the environment would have it, or None when it has none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int | float):
        return format(value, "d" if isinstance(value, int) else "f")
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    return None


def _with_secrets(table: Table, found: Found, problems: list[str]) -> Found:
    """The same with every `x_file` replaced by the text in that file."""
    resolved = {key: given for key, given in found.items() if key in table}
    for key, given in found.items():
        name = key.removesuffix("_file")
        if key in table:
            continue
        if name in resolved:
            problems.append(f"{given.where} and {resolved[name].where} are both given; keep one of them.")
            continue
        try:
            resolved[name] = Given(_text(Path(given.text), _MOST_SECRET).strip(), f"The file that {given.where} names")
        except (OSError, ValueError) as error:
            problems.append(f"{given.where} names a file that cannot be read: {_reason(error)}.")
    return resolved


def _text(file: Path, most: int) -> str:
    """The file's text; OSError when it cannot be opened, ValueError when it is too large or not UTF-8."""
    with file.open("rb") as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it is larger than {most} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None


def _reason(error: Exception) -> str:
    """Why a file could not be read, without its content."""
    return (error.strerror or "input or output error") if isinstance(error, OSError) else str(error)


def _printable(value: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in value[:200])
