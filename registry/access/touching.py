"""What of the registry somebody may touch: objects that an act names, judged for that act.

What may not be touched is as if it were not there. Entries are judged one by one, SubmissionSets and Folders with their
patient and with the documents that they hold, and an Association is touched by whoever may touch both of its ends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

from common.access import Act, Decision, What, Who, judge
from common.audit import current
from common.db import Work
from common.model import AvailabilityStatus, DocumentEntry, Folder, SubmissionSet
from registry.access.guard import Guard, Marks, marks_of
from registry.store import linking, members
from registry.store.finding import Found
from registry.store.linking import Link

Hidden = Callable[[Work, Collection[str]], Collection[str]]
"""Those of some objects that may not be touched, as the database has them now."""
_ANY: Final = frozenset(status.value for status in AvailabilityStatus)
_DEEPEST: Final = 3
"""A membership may file an Association, which joins two documents."""


def nothing_hidden(_work: Work, _names: Collection[str]) -> Collection[str]:
    """Where access is not decided."""
    return ()


@dataclass(frozen=True, slots=True)
class Touching:
    """Judges what one message names."""

    guard: Guard
    who: Who
    act: Act

    def hidden(self, work: Work, names: Collection[str]) -> set[str]:
        """Those of some registered objects that may not be touched; each is told to the account."""
        links, ends = _links(work, names)
        objects = [
            found
            for kind in (DocumentEntry, SubmissionSet, Folder)
            for found in linking.objects(work, kind, ends, leaf=False, level=2, marked=True)
        ]
        items = [*objects, *(link.found for link in links.values())]
        if not items:
            return set()
        held = members.held(work, {each.entry_uuid for each in objects if each.kind is not DocumentEntry})
        within = {
            name: [(each.patient_id, _of(each.marks, each.ebrim)) for each in inside] for name, inside in held.items()
        }
        patients = {each.patient_id for each in items} | {name for all_ in within.values() for name, _ in all_}
        here = self.guard.standing(work, self.who, patients)
        marks = {each.entry_uuid: _marks(each) for each in items}
        named = {mark for all_ in within.values() for _, mark in all_}
        documents = self.guard.documents(work, named | {each for each in marks.values() if each is not None})

        def judged(mark: Marks | None, patient_id: str) -> Decision:
            what = What(self.act, documents[mark] if mark is not None else None, upon=True)
            return judge(here, what, patient_id)

        refused: set[str] = set()
        for each in items:
            decision = judged(marks[each.entry_uuid], each.patient_id)
            if decision.allowed and each.entry_uuid in within:
                inside = [judged(mark, patient_id) for patient_id, mark in within[each.entry_uuid]]
                decision = next((one for one in inside if one.allowed), inside[0])
            if each.entry_uuid in names:
                current().judged(decision, each.patient_id, (each.entry_uuid,))
            if not decision.allowed:
                refused.add(each.entry_uuid)
        for _ in range(_DEEPEST):
            refused |= {name for name, link in links.items() if not refused.isdisjoint((link.source, link.target))}
        return refused.intersection(names)


def _links(work: Work, names: Iterable[str]) -> tuple[dict[str, Link], set[str]]:
    """The Associations among some objects, and among their ends; and all that they lead to."""
    found: dict[str, Link] = {}
    reached = new = set(names)
    for _ in range(_DEEPEST):
        if not new:
            break
        links = linking.links(work, new, _ANY, leaf=False)
        found |= {link.found.entry_uuid: link for link in links}
        new = {end for link in links for end in (link.source, link.target)} - reached
        reached = reached | new
    return found, reached - found.keys()


def _marks(item: Found) -> Marks | None:
    if item.kind is not DocumentEntry:
        return None
    return _of(item.marks, item.ebrim)


def _of(marks: Marks | None, fragment: bytes) -> Marks:
    return marks if marks is not None else marks_of(fragment)
