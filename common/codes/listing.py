"""What a file of codes says, line by line, before it is judged and turned into sets."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

# Attributes whose values are a code and a coding scheme, by the names that codes.xml gives them.
CODED: Final = (
    "classCode",
    "confidentialityCode",
    "eventCodeList",
    "formatCode",
    "healthcareFacilityTypeCode",
    "practiceSettingCode",
    "typeCode",
    "contentTypeCode",
    "folderCodeList",
    "associationDocumentation",
)

# Attributes whose values are a bare word.
PLAIN: Final = ("mimeType", "languageCode")

ATTRIBUTES: Final = frozenset(CODED + PLAIN)

# The metadata model calls a Folder's codes by IHE's attribute name.
ALIASES: Final = {"codeList": "folderCodeList"}

# Without these a submission cannot be judged at all; the others are optional in metadata.
EXPECTED: Final = (
    "classCode",
    "confidentialityCode",
    "formatCode",
    "healthcareFacilityTypeCode",
    "practiceSettingCode",
    "typeCode",
    "contentTypeCode",
    "mimeType",
)

EVERY: Final = "*"
"""Stands for every attribute, or for every coding scheme."""


class Severity(StrEnum):
    """An error keeps the file from being used; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a file of codes; `line` counts from 1, or is None for the file as a whole."""

    severity: Severity
    line: int | None
    text: str

    def __str__(self) -> str:
        where = "" if self.line is None else f"line {self.line}: "
        return f"{where}{self.severity}: {self.text}"


@dataclass(frozen=True)
class Entry:
    """One code as the file has it; scheme `*` means any."""

    attribute: str
    code: str
    scheme: str
    display: str
    line: int | None


@dataclass
class Listing:
    """Everything a file says, and what could not be understood."""

    form: Literal["toml", "xml"]
    entries: list[Entry] = field(default_factory=list)
    present: set[str] = field(default_factory=set)
    open_attributes: set[str] = field(default_factory=set)
    open_schemes: set[tuple[str, str]] = field(default_factory=set)
    authorities: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def error(self, line: int | None, text: str) -> None:
        """Note that something cannot be used."""
        self.problems.append(Problem(Severity.ERROR, line, text))

    def warn(self, line: int | None, text: str) -> None:
        """Note that something looks wrong."""
        self.problems.append(Problem(Severity.WARNING, line, text))
