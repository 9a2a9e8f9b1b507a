"""The code sets of an affinity domain as values to ask."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from common.codes.listing import ALIASES, EVERY, Listing

Key = tuple[str, str]


@dataclass(frozen=True)
class CodeSet:
    """The codes of one attribute: display name by (code, coding scheme), scheme `*` meaning any."""

    displays: Mapping[Key, str]
    open: bool = False
    open_schemes: frozenset[str] = frozenset()

    def accepts(self, code: str, scheme: str) -> bool:
        """Whether the code of this scheme is one of the set."""
        return (
            self.open
            or (code, scheme) in self.displays
            or (code, EVERY) in self.displays
            or (scheme in self.open_schemes and code != "")
        )

    def display(self, code: str, scheme: str) -> str | None:
        """The display name, or None for a code without one."""
        return self.displays.get((code, scheme)) or self.displays.get((code, EVERY)) or None


@dataclass(frozen=True)
class CodeSets:
    """All sets of the affinity domain; an attribute without a set accepts everything."""

    sets: Mapping[str, CodeSet] = field(default_factory=dict)
    authorities: Mapping[str, str] = field(default_factory=dict)

    def of(self, attribute: str) -> CodeSet | None:
        """The set of an attribute by IHE's name (`codeList` is that of Folders), or None."""
        return self.sets.get(ALIASES.get(attribute, attribute))

    def accepts(self, attribute: str, code: str, scheme: str) -> bool:
        """Whether the attribute may have this code of this scheme; display names are not judged."""
        found = self.of(attribute)
        return found is None or found.accepts(code, scheme)

    def accepts_mime(self, mime_type: str) -> bool:
        """Whether documents may be of this MIME type, in whichever case it is written."""
        return self.accepts("mimeType", mime_type.lower(), EVERY)

    def accepts_language(self, language: str) -> bool:
        """Whether documents may be in this language (RFC 5646), in whichever case it is written."""
        return self.accepts("languageCode", language.lower(), EVERY)

    def display(self, attribute: str, code: str, scheme: str) -> str | None:
        """The domain's own name for a code, or None when it has none."""
        found = self.of(attribute)
        return None if found is None else found.display(code, scheme)


def sets_from(listing: Listing) -> CodeSets:
    """The sets that a listing without errors describes; where a code comes twice the first name stays."""
    displays: dict[str, dict[Key, str]] = {attribute: {} for attribute in listing.present}
    for entry in listing.entries:
        # What is listed for every attribute widens each set there is, but makes none.
        for attribute in listing.present if entry.attribute == EVERY else (entry.attribute,):
            displays[attribute].setdefault((entry.code, entry.scheme), entry.display)
    sets = {attribute: _set(listing, attribute, found) for attribute, found in displays.items()}
    return CodeSets(MappingProxyType(sets), MappingProxyType(dict(listing.authorities)))


def _set(listing: Listing, attribute: str, displays: dict[Key, str]) -> CodeSet:
    schemes = frozenset(scheme for owner, scheme in listing.open_schemes if owner == attribute)
    return CodeSet(MappingProxyType(displays), attribute in listing.open_attributes, schemes)
