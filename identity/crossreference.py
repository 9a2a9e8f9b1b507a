"""The cross-reference: what feeds tell is linked and merged, and looked up again (ITI TF-2 3.8, 3.44, 3.45)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from common.audit import account
from common.clock import utc_now
from common.db import Database, Work, decided
from common.demographics import UNKNOWN, Demographics
from common.faults import checkpoint
from common.feeds.problem import Problem, Side
from identity.rules.identifiers import Domain, Key, unusable
from identity.rules.linking import Known, Linking, cannot_merge, is_repeated, linking, merging, pair
from identity.store import conflicts, finding, forwarding, telling
from identity.store import linking as store

log = logging.getLogger("portolan.identity")


@dataclass(frozen=True, slots=True)
class Told:
    """What a message says: ids of one patient, who that is, and what the sender calls the message."""

    keys: tuple[Key, ...]
    message_id: str
    person: Demographics = UNKNOWN


class CrossReference:
    """Links, merges, and answers; with ``forwards`` the Registry is told what it must know."""

    def __init__(
        self,
        database: Database,
        domain: Domain,
        *,
        forwards: bool = False,
        now: Callable[[], str] = utc_now,
        new_name: Callable[[], str] = lambda: uuid4().hex,
    ) -> None:
        self.domain = domain
        self._database = database
        self._forwards = forwards
        self._now = now
        self._new_name = new_name

    def tell(self, told: Told) -> Problem | None:
        """Durable when this returns None; the same again changes nothing."""
        account.current().concerns(self._patient(told.keys))
        if problem := unusable(told.keys, Side.SURVIVOR, self.domain):
            return problem
        problem = decided(lambda: self._tell(told))
        return self._noted(problem, told.keys, told.message_id)

    def _patient(self, keys: Sequence[Key]) -> str:
        """By which of their ids the audit trail calls a patient: the one that others know them by, if there is one."""
        return next((key.cx() for key in keys if self.domain.is_national(key)), keys[0].cx() if keys else "")

    def concerns(self, found: Iterable[finding.Person]) -> None:
        """Tell the account whom an answer is about."""
        account.current().concerns(*self.named(found))

    def named(self, found: Iterable[finding.Person]) -> tuple[str, ...]:
        """Persons by the ids that others know them by."""
        return tuple(self._patient(person.keys) for person in found)

    def _tell(self, told: Told) -> Problem | None:
        with self._database.write() as work:
            found = store.known(work, told.keys)
            done = self._linked(work, told, found)
            if isinstance(done, Problem):
                return done
            checkpoint("identity.linked")
            work.commit()
        return None

    def _linked(self, work: Work, told: Told, found: Known) -> str | Problem:
        """The person whose identifiers all these are from now on."""
        decision = linking(told.keys, found, self.domain)
        if isinstance(decision, Problem):
            return decision
        owner = self._owner(work, decision)
        for leaving in decision.joining:
            store.move_all(work, leaving, owner)
        store.add(work, decision.new, owner, self.domain, self._now())
        if self._forwards:
            for number in decision.learnt(self.domain):
                forwarding.keep(work, "A04", number)
        current = [key for key in told.keys if key not in found.survivors]
        if current and told.person != UNKNOWN:
            telling.tell(work, self._teller(current), told.person, self._now())
        return owner

    def _owner(self, work: Work, decision: Linking) -> str:
        if decision.person is not None:
            return decision.person
        name = self._new_name()
        store.new_person(work, name)
        return name

    def _teller(self, keys: Sequence[Key]) -> Key:
        """Whose word it is: the sender's own identifier, where it is among them, else the NHS Number."""
        return next((key for key in keys if not self.domain.is_national(key)), keys[0])

    def merge(self, told: Told, prior: Sequence[Key]) -> Problem | None:
        """One identifier is subsumed by another of its authority; the same message again changes nothing."""
        account.current().merges(self._patient(prior), self._patient(told.keys))
        for keys, side in ((told.keys, Side.SURVIVOR), (tuple(prior), Side.SUBSUMED)):
            if problem := unusable(keys, side, self.domain):
                return problem
        pairing = pair(prior, told.keys)
        if isinstance(pairing, Problem):
            return pairing
        subsumed, survivor = pairing
        problem = decided(lambda: self._merge(told, subsumed, survivor))
        return self._noted(problem, (*told.keys, subsumed), told.message_id)

    def _merge(self, told: Told, subsumed: Key, survivor: Key) -> Problem | None:
        with self._database.write() as work:
            found = store.known(work, (*told.keys, subsumed))
            if is_repeated(subsumed, survivor, told.message_id, found):
                return None
            if problem := cannot_merge(subsumed, survivor, found, self.domain):
                return problem
            if subsumed not in found.persons:
                self._made_known(work, subsumed)
            done = self._linked(work, told, found)
            if isinstance(done, Problem):
                return done
            self._merged(work, told, subsumed, survivor)
            checkpoint("identity.merged")
            work.commit()
        log.info("merged two identifiers")
        return None

    def _made_known(self, work: Work, key: Key) -> None:
        """An NHS Number that is merged away before any feed told of it."""
        name = self._new_name()
        store.new_person(work, name)
        store.add(work, (key,), name, self.domain, self._now())

    def _merged(self, work: Work, told: Told, subsumed: Key, survivor: Key) -> None:
        found = store.known(work, (subsumed, survivor))
        leaving, joined = found.persons[subsumed], found.persons[survivor]
        decision = merging(subsumed, survivor, found, self.domain)
        store.subsume(work, subsumed, survivor, told.message_id, self._now())
        if leaving == joined:
            pass
        elif decision.whole_person:
            # The person with the NHS Number stays, whichever identifier survives.
            stays = leaving if leaving in found.numbers and not self.domain.is_national(subsumed) else joined
            store.move_all(work, joined if stays == leaving else leaving, stays)
        else:
            store.move_one(work, subsumed, leaving, joined)
            told_numbers = [found.numbers[leaving], found.numbers[joined]]
            reason = "two local ids were merged whose persons have different NHS Numbers; only the local id was moved"
            conflicts.keep(work, "merge", (subsumed, survivor, *told_numbers), reason, told.message_id, self._now())
        if self._forwards and self.domain.is_national(subsumed):
            forwarding.keep(work, "A40", survivor, subsumed)

    def _noted(self, problem: Problem | None, keys: Sequence[Key], message_id: str) -> Problem | None:
        if problem and problem.is_conflict:
            self.note("number", keys, problem.reason, message_id)
        return problem

    def note(self, kind: str, keys: Sequence[Key], reason: str, message_id: str) -> None:
        """Keep a conflict for an administrator."""
        with self._database.write(single=True) as work:
            conflicts.keep(work, kind, keys, reason, message_id, self._now())
            work.commit()

    def person_of(self, key: Key) -> finding.Person | None:
        """Who an identifier, current or subsumed, is of; None where it is not known."""
        with self._database.read(snapshot=True) as work:
            owner = finding.owner(work, key)
            found = finding.persons(work, [owner]) if owner else []
        return found[0] if found else None

    def knows_domain(self, root: str) -> bool:
        """Whether ids of an authority are taken here, or any was ever told."""
        if root == self.domain.national or root in self.domain.namespaces.values():
            return True
        with self._database.read() as work:
            return finding.has_root(work, root)
