"""Who may do what at this Registry: facts fetched, the decision asked for, and told to the request's account."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from common.access import AccessPolicy, Act, Decision, Document, Facts, Standing, What, Who, judge, standing
from common.access.asking import Verdict
from common.access.case import chain
from common.audit import current
from common.clock import utc_now
from common.db import Reader, Work, decided
from common.db.statement import SEPARATOR
from common.ebxml.stored import read_fragment
from common.model import DocumentEntry
from common.standard.question import Question
from registry.access import store
from registry.access.store import OfPatients, Shared
from registry.store.finding import MARK, Found
from registry.store.rows import marks

Marks = str
"""Of an entry its class, its type, its confidentiality codes, its authors' organisations, as the columns have them."""


class NotAllowed(Exception):  # noqa: N818
    """Whoever asks may not do this at all."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.rule)
        self.decision = decision


class Guard:
    """Asks for decisions; shared by all threads of a process."""

    def __init__(self, reader: Reader, policy: AccessPolicy, *, now: Callable[[], str] = utc_now) -> None:
        self._reader, self._policy, self._now = reader, policy, now
        self._shared = Shared()

    def standing(self, work: Work, who: Who, patients: Iterable[str]) -> Standing:
        """Somebody's standing towards some patients: one round trip, and more only where something has changed."""
        return self.standings(work, (who,), patients)[0]

    def standings(self, work: Work, asking: Sequence[Who], patients: Iterable[str]) -> list[Standing]:
        """As ``standing``, of several of whom one at most is a user."""
        user = next((who.user for who in asking if who.user), "")
        return self._standings(work, asking, store.of_patients(work, patients, user))

    def entries_and_standing(
        self, work: Work, who: Who, question: Question, limit: int, patients: Sequence[str]
    ) -> tuple[list[Found], Standing]:
        """The entries that a question finds for some patients, and somebody's standing towards them: one round trip."""
        entries, known = store.entries_and_patients(work, question, limit, patients, who.user)
        return entries, self._standings(work, (who,), known)[0]

    def _standings(self, work: Work, asking: Sequence[Who], found: OfPatients) -> list[Standing]:
        if found.version != self._shared.version:
            self._shared = store.shared(work)
        shared = self._shared
        listed = [shared.systems[name] for who in asking for name in who.system if name in shared.systems]
        listed += [found.user] if found.user is not None else []
        self.learn(work, shared, [who.organisation for who in asking] + [each.organisation for each in listed])
        facts = Facts(
            shared.rights,
            tuple(found.relationships),
            tuple(found.consents),
            shared.agreements,
            shared.organisations,
            found.user,
            shared.systems,
            found.persons,
        )
        now = self._now()
        return [
            standing(
                replace(who, organisation=shared.names.get(who.organisation, who.organisation)),
                facts,
                self._policy,
                now,
            )
            for who in asking
        ]

    def learn(self, work: Work, shared: Shared, names: Iterable[str]) -> None:
        """Have these organisations at hand; mostly they are."""
        if missing := {name for name in names if name and name not in shared.names}:
            store.add_organisations(work, shared, missing)

    def operators(self, work: Work, organisation: str, here: Standing) -> tuple[str, ...]:
        """An organisation, and those that operate it."""
        self.learn(work, self._shared, [organisation])
        return tuple(chain(self._shared.names.get(organisation, organisation), here.facts, here.at))

    def documents(self, work: Work, given: Iterable[Marks]) -> dict[Marks, Document]:
        """Documents as the decision sees them, their organisations by the codes of the directory."""
        parts = {each: each.split(MARK) for each in given}
        shared = self._shared
        self.learn(work, shared, [name for each in parts.values() for name in _several(each[3])])
        return {
            each: Document(
                class_code,
                type_code,
                _several(confidentiality),
                tuple(shared.names.get(name, name) for name in _several(owners)),
            )
            for each, (class_code, type_code, confidentiality, owners) in parts.items()
        }

    def may_ask(self, work: Work, asker: Who) -> bool:
        """Whether somebody may ask, and is believed, in the name of others."""
        return judge(self.standing(work, asker, ()), What(Act.JUDGE), "").allowed

    def require(self, work: Work, who: Who, act: Act) -> None:
        """NotAllowed, where somebody has no right for an act at all."""
        decision = judge(self.standing(work, who, ()), What(act), "")
        if not decision.allowed:
            raise NotAllowed(decision)

    def may(self, who: Who, act: Act, patients: Iterable[str] = ()) -> Decision:
        """Whether somebody may do something that is about some patients; it is told to the account."""
        names = sorted(set(patients)) or [""]
        decision, patient_id = decided(lambda: self._reader.ask(lambda work: self._may(work, who, act, names)))
        current().judged(decision, patient_id)
        return decision

    def _may(self, work: Work, who: Who, act: Act, patients: list[str]) -> tuple[Decision, str]:
        here = self.standing(work, who, [name for name in patients if name])
        found = [(judge(here, What(act), name), name) for name in patients]
        return next((each for each in found if not each[0].allowed), found[0])

    def verdicts(self, work: Work, asker: Who, who: Who, act: Act, unique_ids: list[str]) -> list[Verdict]:
        """On each registered document of these uniqueIds; of several entries that are current all have to allow it.

        NotAllowed, where the one who asks may not ask for others.
        """
        rows = store.by_unique_id(work, unique_ids)
        latest = {row.unique_id for row in rows if row.is_latest}
        rows = [row for row in rows if row.is_latest or row.unique_id not in latest]
        asking, here = self._both(work, asker, who, {row.patient_id for row in rows})
        may_ask = judge(asking, What(Act.JUDGE), "")
        if not may_ask.allowed:
            raise NotAllowed(may_ask)
        told = {row.entry_uuid: row.marks if row.marks is not None else marks_of(row.ebrim) for row in rows}
        documents = self.documents(work, told.values())
        found: dict[str, Verdict] = {}
        for row in rows:
            decision = judge(here, What(act, documents[told[row.entry_uuid]], upon=True), row.patient_id)
            if row.unique_id not in found or not decision.allowed:
                found[row.unique_id] = Verdict(
                    decision.allowed, decision.rule, row.unique_id, row.patient_id, decision.emergency
                )
        return list(found.values())

    def _both(self, work: Work, asker: Who, who: Who, patients: Iterable[str]) -> list[Standing]:
        """Mostly a system asks for a user: then it is one round trip."""
        if asker.user and who.user:
            return [self.standing(work, asker, ()), self.standing(work, who, patients)]
        return self.standings(work, (asker, who), patients)


def _several(joined: str) -> tuple[str, ...]:
    return tuple(joined.strip(SEPARATOR).split(SEPARATOR)) if joined else ()


def marks_of(fragment: bytes) -> Marks:
    """Out of the fragment of an entry that is older than the column of its authors' organisations."""
    return MARK.join(marks(read_fragment(DocumentEntry, "", bytes(fragment))))
