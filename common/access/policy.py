"""An access policy, read from TOML: which rules apply, and what they go by. Nothing is guessed."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

SHIPPED: Final = Path(__file__).with_name("nhs.toml")

OPTIONAL: Final = ("other-patient", "sealed", "restricted", "agreement", "objection", "relationship", "consent")
"""Rules that a policy may switch off."""
CAN_BE_LISTED: Final = ("restricted", "agreement", "objection", "consent")
"""Rules whose refusal may leave a document listed without its content."""
CAN_BE_OPENED: Final = ("sealed", "restricted", "agreement", "objection", "relationship", "consent")
"""Rules that an emergency may pass."""
CARE_SETTINGS: Final = ("gp", "health", "social", "other", "unknown")


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """What a domain has decided; ``implied`` are the care settings where a patient's consent is taken as given."""

    name: str = "without a name"
    applies: frozenset[str] = frozenset(OPTIONAL)
    implied: frozenset[str] = frozenset()
    restricted: tuple[str, ...] = ("R",)
    sealed: tuple[str, ...] = ("V",)
    unknown_owner_allowed: bool = False
    emergency_purposes: tuple[str, ...] = ()
    emergency_opens: frozenset[str] = frozenset()
    reason_attribute: str = ""
    reason_required: bool = False
    listed: frozenset[str] = frozenset()
    grace_days: int = 0


class AccessPolicyError(ValueError):
    """A policy that cannot be used; ``problems`` holds every reason, each one sentence."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class _Row:
    """A key of a policy: the field that it fills, what its value has to be, and how the field is made of it."""

    fills: str
    expects: str
    is_right: Callable[[Any], bool]
    made: Callable[[Any], Any] = field(default=lambda value: value)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) and each for each in value)


def _names(allowed: tuple[str, ...]) -> tuple[str, Callable[[Any], bool], Callable[[Any], Any]]:
    return f"a list of {', '.join(allowed)}", lambda value: _texts(value) and set(value) <= set(allowed), frozenset


_CODES: Final = ("a list of codes", _texts, tuple)
_BOOLEAN: Final = ("true or false", lambda value: isinstance(value, bool))
_ROWS: Final[Mapping[tuple[str, str], _Row]] = MappingProxyType({
    ("rules", "apply"): _Row("applies", *_names(OPTIONAL)),
    ("consent", "implied"): _Row("implied", *_names(CARE_SETTINGS)),
    ("confidentiality", "restricted"): _Row("restricted", *_CODES),
    ("confidentiality", "sealed"): _Row("sealed", *_CODES),
    ("agreement", "unknown_owner_allowed"): _Row("unknown_owner_allowed", *_BOOLEAN),
    ("break_glass", "purposes"): _Row("emergency_purposes", *_CODES),
    ("break_glass", "opens"): _Row("emergency_opens", *_names(CAN_BE_OPENED)),
    ("break_glass", "reason_attribute"): _Row("reason_attribute", "a text", lambda value: isinstance(value, str)),
    ("break_glass", "reason_required"): _Row("reason_required", *_BOOLEAN),
    ("listed", "rules"): _Row("listed", *_names(CAN_BE_LISTED)),
    ("relationship", "grace_days"): _Row(
        "grace_days",
        "a number of days from 0 to 3650",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 3650,
    ),
})  # fmt: skip


def read_access_policy(text: str) -> AccessPolicy:
    """The policy that a TOML text describes, every line of which has to be there; AccessPolicyError."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise AccessPolicyError([f"it is no TOML: {error}"]) from error
    problems: list[str] = []
    name = found.pop("name", None)
    if not isinstance(name, str) or not name:
        problems.append("name: the policy needs one")
    values: dict[str, Any] = {}
    for (table, key), row in _ROWS.items():
        part = found.get(table)
        if not isinstance(part, dict) or key not in part:
            problems.append(f"{table}.{key}: {row.expects} is expected, and there is none")
        elif not row.is_right(value := part.pop(key)):
            problems.append(f"{table}.{key}: {row.expects} is expected")
        else:
            values[row.fills] = row.made(value)
    tables = {table for table, _ in _ROWS}
    for table, part in found.items():
        left = part if isinstance(part, dict) and table in tables else {"": part}
        problems += [f"{table}.{key}: there is no such key".replace(".:", ":") for key in left]
    if problems:
        raise AccessPolicyError(problems)
    return AccessPolicy(name=str(name), **values)


def load_access_policy(path: str) -> AccessPolicy:
    """The policy in a file, or the one that is shipped where none is named; AccessPolicyError."""
    file = Path(path) if path else SHIPPED
    try:
        return read_access_policy(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise AccessPolicyError([f"{file}: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise AccessPolicyError([f"{file}: it is not UTF-8 text"]) from error
    except AccessPolicyError as error:
        raise AccessPolicyError([f"{file}: {problem}" for problem in error.problems]) from error
