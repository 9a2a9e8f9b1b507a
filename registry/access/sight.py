"""What of the registry somebody may see: entries one by one, SubmissionSets and Folders by what they hold.

Those that hold documents of which none is seen are not seen; those that hold none are with their patient. What is not
seen is as if it were not there: neither it nor an Association to or from it, and nothing is found by it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from common.access import Act, Decision, Standing, What, Who, judge, refused_at_all
from common.audit import current
from common.db import Work
from common.model import AssociationType, AvailabilityStatus, DocumentEntry
from common.standard.queries import Match
from common.standard.question import Question
from registry.access.guard import Guard, Marks, NotAllowed, marks_of
from registry.access.store import PATIENTS_AT_ONCE
from registry.store import linking, members
from registry.store.finding import Found, Kind
from registry.store.linking import Link
from registry.view import View

_MOST_NAMED: Final = 100
_HAS_MEMBER: Final = AssociationType.HAS_MEMBER.value
_ANY: Final = frozenset(status.value for status in AvailabilityStatus)
_RECORD: Final = What(Act.SEARCH)

Key = tuple[str, Marks | None]
"""A patient, and the marks of an entry of theirs; None for whatever else there is."""


class Sight(View):
    """A view of what one may see, while one question is answered."""

    marked = True

    def __init__(self, work: Work, guard: Guard, who: Who, *, naming: bool) -> None:
        """With ``naming`` the ids of what was asked for are told to the account."""
        super().__init__(work)
        self._guard, self._who, self._naming = guard, who, naming
        self._standings: dict[str, Standing] = {}
        self._decisions: dict[Key, Decision] = {}
        self._shown: dict[str, bool] = {}
        self._counts: Counter[Key] = Counter()
        self._names: dict[Key, set[str]] = {}
        self._others: set[str] = set()
        self._hiding: dict[str, Key] = {}
        self._may_search = False
        self.was_cut = False

    def begin(self, patients: Iterable[str]) -> None:
        """Know somebody's standing towards these patients; NotAllowed for who may not search at all."""
        new = [each for each in patients if each not in self._standings]
        if not new and self._may_search:
            return
        self._stands(self._guard.standing(self.work, self._who, new), new)

    def _stands(self, here: Standing, patients: Iterable[str]) -> None:
        if not self._may_search:
            if (refused := refused_at_all(here, Act.SEARCH)) is not None:
                raise NotAllowed(refused)
            self._may_search = True
        self._standings |= dict.fromkeys(patients, here)

    def find(self, question: Question, kind: Kind, limit: int, *, of_patient: str = "") -> list[Found]:
        """As in ``View``; where patients are named it is known in the same round trip who stands how towards them."""
        given = question.values(Match.PATIENT)
        beside = kind is DocumentEntry and not self._may_search and 0 < len(given) <= PATIENTS_AT_ONCE
        if not beside:
            return super().find(question, kind, limit, of_patient=of_patient)
        found, here = self._guard.entries_and_standing(self.work, self._who, question, limit, given)
        self._stands(here, given)
        return self.seen(found, limit)

    def again(self) -> None:
        """Count anew: the question is answered once more, with more room."""
        self._counts.clear()
        self._names.clear()
        self.was_cut = False

    def seen(self, found: list[Found], limit: int = 0) -> list[Found]:
        """Those that may be seen; that there may be more is noted, since some of what was found may not be."""
        self.was_cut |= 0 < limit <= len(found)
        if not found:
            return found
        self.begin({each.patient_id for each in found})
        if found[0].kind is not DocumentEntry:
            return self._seen_with_contents(found)
        keys = self._judged(found)
        if self._naming:
            for each, key in zip(found, keys, strict=True):
                self._names.setdefault(key, set()).add(each.entry_uuid)
        counts = Counter(keys)
        self._counts.update(counts)
        if all(self._decisions[key].shown for key in counts):
            return found
        return [each for each in found if self._shown[each.entry_uuid]]

    def _seen_with_contents(self, found: list[Found]) -> list[Found]:
        """SubmissionSets and Folders; one that is hidden is told of by what hides a document of its."""
        self._look_into({each.entry_uuid: each.patient_id for each in found})
        for each in found:
            self._note(self._hiding.get(each.entry_uuid, (each.patient_id, None)), each)
        return [each for each in found if self._shown[each.entry_uuid]]

    def _look_into(self, holders: Mapping[str, str]) -> None:
        """Judge SubmissionSets and Folders of patients that have not been met before, by the documents in them."""
        new = holders.keys() - self._shown.keys()
        with_record = {name for name in new if self._record(holders[name]).allowed}
        self._shown |= dict.fromkeys(new - with_record, False)
        if not with_record:
            return
        held = members.held(self.work, with_record)
        self.begin({each.patient_id for inside in held.values() for each in inside})
        keys = {
            name: [(each.patient_id, each.marks if each.marks is not None else marks_of(each.ebrim)) for each in inside]
            for name, inside in held.items()
        }
        self._judge({key for each in keys.values() for key in each})
        for name in with_record:
            self._shown[name] = name not in keys or any(self._decisions[key].shown for key in keys[name])
            if not self._shown[name]:
                self._hiding[name] = keys[name][0]

    def _judged(self, entries: list[Found]) -> list[Key]:
        """What decides on each entry; it is known from now on which of them are shown."""
        keys: list[Key] = [
            (each.patient_id, each.marks if each.marks is not None else marks_of(each.ebrim)) for each in entries
        ]
        self._judge(keys)
        shown = {key: decision.shown for key, decision in self._decisions.items()}
        self._shown.update(zip([each.entry_uuid for each in entries], [shown[key] for key in keys], strict=True))
        return keys

    def _judge(self, keys: Iterable[Key]) -> None:
        new = set(keys) - self._decisions.keys()
        if new:
            documents = self._guard.documents(self.work, {marks for _, marks in new if marks is not None})
            for patient_id, marks in new:
                what = What(Act.SEARCH, documents[marks]) if marks is not None else _RECORD
                self._decisions[patient_id, marks] = judge(self._standings[patient_id], what, patient_id)

    def _record(self, patient_id: str) -> Decision:
        """Whether there is anything of a patient's that may be seen."""
        decision = self._decisions.get((patient_id, None))
        if decision is None:
            decision = self._decisions[patient_id, None] = judge(self._standings[patient_id], _RECORD, patient_id)
        return decision

    def _note(self, key: Key, found: Found) -> None:
        self._counts[key] += 1
        if self._naming:
            self._names.setdefault(key, set()).add(found.entry_uuid)

    def tied(self, found: list[Link]) -> list[Link]:
        """Those between objects that may be seen; an Association that is a member is one if both its ends are."""
        if not found:
            return found
        self.begin({link.found.patient_id for link in found})
        self._look_at(found)
        joined = {link.target for link in found if link.type == _HAS_MEMBER} - self._shown.keys()
        inner = linking.links(self.work, joined, _ANY, leaf=False) if joined else []
        self.begin({link.found.patient_id for link in inner})
        self._look_at(inner)
        self._see_holders([*found, *inner])
        for link in inner:
            self._shown[link.found.entry_uuid] = self._joins(link)
        return [link for link in found if self._joins(link)]

    def _look_at(self, found: list[Link]) -> None:
        """Judge the entries that some Associations join, where they have not been met before."""
        ends = {end for link in found for end in (link.source, link.target)} - self._shown.keys() - self._others
        if ends:
            entries = linking.objects(self.work, DocumentEntry, ends, leaf=False, level=2, marked=True)
            self.begin({each.patient_id for each in entries})
            self._judged(entries)
            self._others |= ends - self._shown.keys()

    def _see_holders(self, found: list[Link]) -> None:
        """Know which SubmissionSets and Folders are seen: surely those whose member is, so that few are looked into."""
        for link in found:
            if link.type == _HAS_MEMBER and link.target not in self._others and self._shown.get(link.target):
                self._shown.setdefault(link.source, self._record(link.found.patient_id).allowed)
        ties = {link.found.entry_uuid for link in found}
        ends = {end: link.found.patient_id for link in found for end in (link.source, link.target)}
        self._look_into({end: patient_id for end, patient_id in ends.items() if end not in ties})

    def _joins(self, link: Link) -> bool:
        """Whether both ends are seen."""
        record = self._record(link.found.patient_id).allowed
        self._note((link.found.patient_id, None), link.found)
        return self._shown.get(link.source, record) and self._shown.get(link.target, record)

    def finish(self, patients: Iterable[str]) -> None:
        """Tell the account; of patients who were asked for and have nothing, that they were."""
        self.begin(())
        told: set[str] = set()
        for key, count in self._counts.items():
            names = tuple(sorted(self._names.get(key, ()))[:_MOST_NAMED])
            current().judged(self._decisions[key], key[0], names, len(self._names[key]) if self._naming else count)
            told.add(key[0])
        for patient_id in patients:
            if patient_id not in told and patient_id in self._standings:
                current().judged(judge(self._standings[patient_id], _RECORD, patient_id), patient_id, count=0)
