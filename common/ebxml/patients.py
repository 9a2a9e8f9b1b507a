"""The patients that a message names, found without reading all of it."""

from __future__ import annotations

from typing import Final

from common.ebxml import names as n
from common.ebxml.objects import Element
from common.standard.attributes import ATTRIBUTES

_SCHEMES: Final = frozenset(row.key for rows in ATTRIBUTES.values() for row in rows if row.field == "patient_id")


def patients_in(body: Element) -> set[str]:
    """The patientIds of the entries, SubmissionSets and Folders in a message."""
    found = (each for each in body.iter(n.EXTERNAL_IDENTIFIER) if each.get("identificationScheme") in _SCHEMES)
    return set(filter(None, (each.get("value", "").strip() for each in found)))
