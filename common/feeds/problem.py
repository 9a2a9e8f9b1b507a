"""Why an event of a patient feed is not carried out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from common.hl7.refusals import Condition


class Side(Enum):
    """Which of the two patients of a message something is said of; one that is not of a merge has a survivor only."""

    SUBSUMED = "the subsumed patient id"
    SURVIVOR = "the patient id"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, in words that repeat no id; a conflict is kept for an administrator."""

    side: Side
    condition: Condition
    reason: str
    is_conflict: bool = False
