"""Which documents SubmissionSets and Folders hold, as far as access to them depends on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import case, literal_column, select, union

from common.db import Statement, Work
from common.model import AssociationType
from registry.store.finding import MARKS
from registry.store.statements import among, fetch
from registry.store.tables import association, entry, folder

_HAS_MEMBER: Final = AssociationType.HAS_MEMBER.value


@dataclass(frozen=True, slots=True)
class Held:
    """A document of a SubmissionSet or Folder; ``marks`` as in ``Found``, with the fragment where they are None.

    One that ``is_member`` is in it by itself; others are by way of an Association or a Folder that is in it.
    """

    holder: str
    is_member: bool
    patient_id: str
    marks: str | None
    ebrim: bytes


@lru_cache
def _held(size: int) -> Statement:
    """By one statement, each document that differs from the others in what access depends on."""
    tie, inner = association.alias("tie"), association.alias("inner_tie")
    older = case((entry.c.author_organisations.is_(None), entry.c.ebrim)).label("older_fragment")

    def found(depth: int) -> Any:
        how: Any = literal_column(str(depth))
        told = select(tie.c.source, how.label("depth"), entry.c.patient_id, MARKS.label("marks"), older)
        return told.where(among(tie.c.source, size), tie.c.type == _HAS_MEMBER)

    return Statement(
        union(
            found(0).join(entry, entry.c.entry_uuid == tie.c.target),
            *(
                found(1).join(inner, inner.c.entry_uuid == tie.c.target).join(entry, entry.c.entry_uuid == inner.c[end])
                for end in ("source", "target")
            ),
            found(1)
            .join(folder, folder.c.entry_uuid == tie.c.target)
            .join(inner, inner.c.source == folder.c.entry_uuid)
            .join(entry, entry.c.entry_uuid == inner.c.target),
        )
    )


def held(work: Work, holders: Iterable[str]) -> dict[str, list[Held]]:
    """The documents of each that holds any, now or before: its members, or where it has none those that it leads to."""
    found: dict[str, list[Held]] = {}
    for holder, depth, patient_id, marks, ebrim in fetch(work, _held, holders):
        found.setdefault(holder, []).append(Held(holder, depth == 0, patient_id, marks, ebrim))
    return {name: [each for each in inside if each.is_member] or inside for name, inside in found.items()}
