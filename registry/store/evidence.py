"""The evidence of removals, for people to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, or_, select

from common.db import Statement, Work
from registry.store.lifecycle_tables import removal


@dataclass(frozen=True, slots=True)
class Removed:
    """One object that was removed; the time in UTC, as a DTM."""

    patient_id: str
    entry_uuid: str
    kind: str
    unique_id: str | None
    logical_id: str | None
    version: int | None
    repository_unique_id: str | None
    hash: str | None
    size: str | None
    removed_at: str
    removed_by: str | None
    reason: str | None
    message_id: str | None
    correlation: str | None


_C: Final = removal.c
_COLUMNS: Final = tuple(removal.columns)
_LAST: Final = Statement(
    select(*_COLUMNS)
    .where(_C.kind != "Association", _C.patient_id == bindparam("patient"))
    .order_by(_C.removed_at.desc(), _C.entry_uuid)
    .limit(bindparam("most"))
)
_OF_ALL: Final = Statement(
    select(*_COLUMNS)
    .where(_C.kind != "Association", _C.removed_at >= bindparam("since"))
    .order_by(_C.removed_at.desc(), _C.entry_uuid)
    .limit(bindparam("most"))
)
_ONE: Final = Statement(
    select(*_COLUMNS)
    .where(or_(_C.unique_id == bindparam("id"), _C.entry_uuid == bindparam("id")))
    .order_by(_C.removed_at, _C.entry_uuid)
)


def last_removed(work: Work, *, patient_id: str = "", since: str = "", most: int) -> list[Removed]:
    """The latest removals, of one patient or of all; Associations are left out."""
    if patient_id:
        return [Removed(*row) for row in work.rows(_LAST, {"patient": patient_id, "most": most})]
    return [Removed(*row) for row in work.rows(_OF_ALL, {"since": since, "most": most})]


def removals_of(work: Work, identifier: str) -> list[Removed]:
    """The evidence of what had this uniqueId or entryUUID."""
    return [Removed(*row) for row in work.rows(_ONE, {"id": identifier})]
