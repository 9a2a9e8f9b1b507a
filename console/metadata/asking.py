"""What may be asked of a patient's documents: each parameter of FindDocuments as an option of `portolan find`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from common.model import AvailabilityStatus, DocumentAvailability, ObjectType
from console.metadata.entry import Domain
from console.metadata.fields import FIELDS
from console.metadata.values import dtm, resolved_code


class Of(Enum):
    """How the option's values are read."""

    CODE = auto()  # any of several
    CODES = auto()  # any of those between commas; each option must match
    TEXT = auto()
    TIME = auto()
    WORD = auto()  # one of a few


@dataclass(frozen=True)
class Filter:
    """One option; `key` is the client's argument, and with dashes the option."""

    key: str
    of: Of
    help: str
    words: Mapping[str, Sequence[str]] | None = None
    default: str | None = None

    @property
    def option(self) -> str:
        """The option of the command line."""
        return f"--{self.key.replace('_', '-')}"

    @property
    def many(self) -> bool:
        """Whether it may be repeated."""
        return self.of in (Of.CODE, Of.CODES) or self.key in ("author_person", "reference_id")


_BOTH: Final = tuple(AvailabilityStatus)
_STATUSES: Final = {
    "approved": (AvailabilityStatus.APPROVED,),
    "deprecated": (AvailabilityStatus.DEPRECATED,),
    "any": _BOTH,
}
_TYPES: Final = {
    "stable": (ObjectType.STABLE,),
    "on-demand": (ObjectType.ON_DEMAND,),
    "any": tuple(ObjectType),
}
_AVAILABILITIES: Final = {
    "online": (DocumentAvailability.ONLINE,),
    "offline": (DocumentAvailability.OFFLINE,),
}
_OR: Final = "; repeat it for more, any of which will do"
_AND: Final = "; A,B is either, repeated it must match each time"

FILTERS: Final = {
    row.key: row
    for row in (
        Filter("status", Of.WORD, "Current documents, replaced ones, or any.", _STATUSES, "approved"),
        Filter("class_code", Of.CODE, f"Sort of document, broadly{_OR}."),
        Filter("type_code", Of.CODE, f"Sort of document, exactly{_OR}."),
        Filter("practice_setting_code", Of.CODE, f"Clinical specialty{_OR}."),
        Filter("healthcare_facility_type_code", Of.CODE, f"Sort of organisation{_OR}."),
        Filter("format_code", Of.CODE, f"What the content is built to{_OR}."),
        Filter("event_code", Of.CODES, f"What was done or found{_AND}."),
        Filter("confidentiality_code", Of.CODES, f"How confidential{_AND}."),
        Filter("author_person", Of.TEXT, "Author's name or id; % stands for any text, as in %Okafor%."),
        Filter("reference_id", Of.TEXT, "An id it belongs to, id^^^&OID&ISO^type; repeated it must match each time."),
        Filter("creation_time_from", Of.TIME, "Written then or later."),
        Filter("creation_time_to", Of.TIME, "Written before then."),
        Filter("service_start_time_from", Of.TIME, "Care begun then or later."),
        Filter("service_start_time_to", Of.TIME, "Care begun before then."),
        Filter("service_stop_time_from", Of.TIME, "Care ended then or later."),
        Filter("service_stop_time_to", Of.TIME, "Care ended before then."),
        Filter("object_type", Of.WORD, "Stable documents, on-demand ones, or any.", _TYPES, "stable"),
        Filter("document_availability", Of.WORD, "Whether its bytes can be had right now.", _AVAILABILITIES),
        Filter("metadata_level", Of.WORD, "2 shows all versions of the metadata.", {"1": ("1",), "2": ("2",)}),
    )
}


def asked(given: Mapping[str, Any], domain: Domain) -> dict[str, Any]:
    """The client's arguments; ValueError says which option is wrong."""
    found = {}
    for key, value in given.items():
        if not value:
            continue
        try:
            found[key] = _converted(FILTERS[key], value, domain)
        except ValueError as error:
            raise ValueError(f"{FILTERS[key].option}: {error}.") from error
    if "metadata_level" in found:
        found["metadata_level"] = int(found["metadata_level"][0])
    return found


def _converted(row: Filter, value: Any, domain: Domain) -> Any:
    if row.of is Of.WORD:
        return list((row.words or {})[value])
    if row.of is Of.TIME:
        return dtm(value)
    if row.of is Of.CODE:
        return [resolved_code(FIELDS[row.key], one, domain.codes) for one in value]
    if row.of is Of.CODES:
        return [[resolved_code(FIELDS[row.key], one, domain.codes) for one in group.split(",")] for group in value]
    return [[one] for one in value] if row.key == "reference_id" else list(value)
