"""Small immutable values that metadata is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LocalizedString:
    """Text with its language, kept as it was submitted."""

    value: str
    lang: str = ""
    charset: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """A coded value; two are the same when code and coding scheme are (ITI TF-3 4.2.3.1.2)."""

    code: str
    scheme: str
    display: tuple[LocalizedString, ...] = field(default=(), compare=False)

    @property
    def key(self) -> str:
        """The form in which stored queries name a code: ``code^^scheme``."""
        return f"{self.code}^^{self.scheme}"

    @property
    def label(self) -> str:
        """The display name, or the code itself where there is none."""
        return self.display[0].value if self.display else self.code


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote it: HL7 XCN, XON and XTN values as on the wire (ITI TF-3 4.2.3.2.1)."""

    person: str | None = None
    institutions: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    specialties: tuple[str, ...] = ()
    telecommunications: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Classification:
    """A classification of a scheme that the standard does not name: kept and given back."""

    scheme: str
    node: str
    representation: str
    slots: Mapping[str, tuple[str, ...]]
    names: tuple[LocalizedString, ...]
