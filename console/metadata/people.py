"""HL7 values as people read them."""

from __future__ import annotations

import re
from typing import Final

from common.model import DocumentEntry, LocalizedString

_ESCAPES: Final = {"E": "\\", "F": "|", "S": "^", "R": "~", "T": "&"}
_ESCAPED: Final = re.compile(r"\\([EFSRT])\\")


def plain(text: str) -> str:
    """Text without HL7's escapes."""
    return _ESCAPED.sub(lambda found: _ESCAPES[found[1]], text)


def shown_person(xcn: str | None) -> str:
    """`Dr Amara Okafor` of an XCN; its id where it has no name."""
    parts = [plain(part.split("&")[0]) for part in (xcn or "").split("^")] + [""] * 6
    name = " ".join(parts[place] for place in (5, 2, 3, 1, 4) if parts[place])
    return name or parts[0]


def shown_organisation(xon: str) -> str:
    """The name in an XON."""
    return plain(xon.split("^")[0])


def shown_text(strings: tuple[LocalizedString, ...]) -> str:
    """A title or comments, in the first language that there is."""
    return strings[0].value if strings else ""


def shown_author(entry: DocumentEntry) -> str:
    """Who wrote it, and for which organisation."""
    found = []
    for author in entry.authors[:1]:
        found += [shown_person(author.person), *map(shown_organisation, author.institutions[:1])]
    return ", ".join(part for part in found if part)


def patient_number(patient_id: str | None) -> str:
    """The identifier in a CX."""
    return plain((patient_id or "").split("^")[0])
