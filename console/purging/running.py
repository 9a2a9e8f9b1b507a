"""Carries out a confirmed plan: ITI-62, then ITI-86, one patient's documents at a time.

Each item's state is durable before the step that follows from it, so that a run that was cut off is taken up where it
was: what was being removed is looked for in the evidence, and whatever is not there is removed again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from common.client.administrator import DocumentAdministrator, RemovalRefused
from common.client.errors import UnknownRepository
from common.clock import utc_now
from common.db import Database
from common.faults import checkpoint
from common.standard.errors import ErrorCode
from console.purging.planning import settle
from registry.store import purging, retaining
from registry.store.purging import Item, Plan, State
from registry.unwrapping import unwrap

_PAGE: Final = 1000
_GONE: Final = ErrorCode.XDSDocumentUniqueIdError


@dataclass
class Pace:
    """No more than so many documents a second; 0 is as fast as it goes."""

    per_second: float
    _begun: float = field(default_factory=time.monotonic)
    _done: int = 0

    def wait(self, count: int) -> None:
        """Wait until so many more may have been done."""
        self._done += count
        if self.per_second > 0:
            time.sleep(max(0.0, self._begun + self._done / self.per_second - time.monotonic()))


@dataclass(frozen=True)
class Run:
    """One plan being carried out; ``batch`` documents of one patient go in one message."""

    database: Database
    administrator: DocumentAdministrator
    plan: Plan
    batch: int
    pace: Pace
    told: Callable[[int], None]

    def all(self) -> dict[str, int]:
        """Everything that is left to do; how many items are in each state in the end."""
        self._take_up()
        self._each(State.CONFIRMED, self._metadata)
        self._each(State.METADATA_REMOVED, self._documents)
        with self.database.write() as work:
            counts = purging.counts(work, self.plan.plan_id)
            if not counts.keys() & {State.CONFIRMED.value, State.REMOVING.value, State.METADATA_REMOVED.value}:
                purging.finish(work, self.plan.plan_id, utc_now())
            work.commit()
        return counts

    def _each(self, state: State, act: Callable[[list[Item]], None]) -> None:
        """Patient by patient, in batches; each item once, whatever becomes of it."""
        after = ("", "")
        while True:
            with self.database.read() as work:
                found = purging.waiting(work, self.plan.plan_id, state, after, _PAGE)
            if not found:
                return
            for _, group in groupby(found, key=lambda each: each.patient_id):
                items = list(group)
                for start in range(0, len(items), self.batch):
                    act(items[start : start + self.batch])
            after = found[-1].patient_id, found[-1].entry_uuid

    def _take_up(self) -> None:
        """What was being removed when a run was cut off is removed, or is to be removed still."""
        while True:
            with self.database.write() as work:
                found = purging.waiting(work, self.plan.plan_id, State.REMOVING, ("", ""), _PAGE)
                gone = purging.evidence_of(work, [each.entry_uuid for each in found])
                for each in found:
                    state = State.METADATA_REMOVED if each.entry_uuid in gone else State.CONFIRMED
                    purging.move(work, [each], state, "", utc_now())
                work.commit()
            if not found:
                return

    def _metadata(self, items: list[Item]) -> None:
        """ITI-62 for one patient's documents, if they still may go."""
        with self.database.write() as work:
            going = settle(work, self.plan, items, State.REMOVING)
            entries = {each.entry_uuid for each in going}
            ids = sorted(unwrap(entries, lambda names: retaining.links_at(work, names))) if going else []
            work.commit()
        checkpoint("purge.begun")
        if not going:
            return
        reason = f"{self.plan.plan_id}: {going[0].rule}"
        try:
            self.administrator.remove_metadata(
                ids, by=self.plan.confirmed_by or "", reason=reason, message_id=_message(self.plan, going, "62")
            )
        except RemovalRefused as refused:
            self._move(going, State.FAILED, f"the Registry refused: {refused}"[:1000])
            return
        checkpoint("purge.unregistered")
        self._move(going, State.METADATA_REMOVED, "")
        self._documents(going)

    def _documents(self, items: list[Item]) -> None:
        """ITI-86 for documents that no entry points at any more."""
        with self.database.read() as work:
            others = purging.still_registered(work, [each.unique_id for each in items])
        shared = [each for each in items if each.unique_id in others]
        self._move(shared, State.REMOVED, "another entry points at the document, which stays")
        left = sorted((each for each in items if each.unique_id not in others), key=_repository)
        for repository, group in groupby(left, key=_repository):
            self._from(repository, list(group))
        self.pace.wait(len(items))
        self.told(len(items))

    def _from(self, repository: str, items: Sequence[Item]) -> None:
        names = list(dict.fromkeys(each.unique_id for each in items))
        try:
            done = self.administrator.remove_documents(repository, names, message_id=_message(self.plan, items, "86"))
        except (UnknownRepository, RemovalRefused) as error:
            self._move(items, State.METADATA_REMOVED, f"the document stays: {error}"[:1000])
            return
        checkpoint("purge.removed")
        for each in items:
            problem = done.error_of(each.unique_id)
            if problem is None:
                self._move([each], State.REMOVED, "")
            elif problem.code == _GONE:
                self._move([each], State.REMOVED, "the Repository has no such document (any more)")
            else:
                self._move([each], State.METADATA_REMOVED, f"the document stays: {problem.context}"[:1000])

    def _move(self, items: Sequence[Item], to: State, detail: str) -> None:
        if not items:
            return
        with self.database.write() as work:
            purging.move(work, items, to, detail, utc_now())
            work.commit()


def _repository(item: Item) -> str:
    return item.repository_unique_id


def _message(plan: Plan, items: Sequence[Item], kind: str) -> str:
    """The same MessageID for the same removal, so that it is known again after a crash."""
    told = " ".join([plan.plan_id, kind, *sorted(each.entry_uuid for each in items)])
    return f"urn:uuid:{uuid5(NAMESPACE_URL, told)}"
