"""ITI-18 and ITI-51: answers stored queries (ITI TF-2 3.18, 3.51)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from common.access import Act, Who
from common.access.asking import ACT, CONCERNS, UNIQUE_ID, Verdict, act_of, heard
from common.audit import account
from common.db import Reader, Work, decided
from common.ebxml.fragments import with_status
from common.ebxml.query import AdhocQuery
from common.ebxml.responses import write_object_ref, write_query_response
from common.ebxml.verdicts import write_verdict
from common.model import (
    Association,
    AssociationType,
    AvailabilityStatus,
    DocumentEntry,
    Folder,
    RegistryResponse,
    Status,
    SubmissionSet,
)
from common.observe.stages import Stage, aside
from common.rules import Objection, as_errors
from common.rules.stored_query import Asked, read_question
from common.standard.errors import ErrorCode
from common.standard.queries import ASSOCIATION_STATUS, Match, Shape
from common.standard.question import Question
from registry.access.guard import Guard, NotAllowed
from registry.access.sight import Sight
from registry.known import Domain
from registry.rules import answers
from registry.store.finding import Found
from registry.store.holding import holds_on, owners
from registry.store.linking import Link, objects
from registry.store.registering import patients
from registry.view import View

HAS_MEMBER: Final = AssociationType.HAS_MEMBER.value
_APPROVED: Final = frozenset({AvailabilityStatus.APPROVED.value})
_SUCCESS: Final = RegistryResponse(Status.SUCCESS)
NOBODY: Final = Who()
NOT_ALLOWED: Final = Objection(ErrorCode.XDSRegistryError, "", "this is not allowed to whoever asks")
_MOST_ROOM: Final = 16
"""How many times as much as an answer may hold is looked at, before it is said that too much matches."""
_HEADS: Final[dict[tuple[type[Any], str], bytes]] = {
    (kind, status.value): with_status(kind, status)
    for kind in (DocumentEntry, SubmissionSet, Folder, Association)
    for status in AvailabilityStatus
}


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be asked and answered: values of one parameter, whole objects, ids."""

    values: int
    leaf_class: int
    object_ref: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of the response, and what it came to."""

    body: bytes
    response: RegistryResponse
    count: int = 0
    query: str = ""


class Search:
    """Answers stored queries from one database, or its replica."""

    def __init__(
        self, reader: Reader, limits: Limits, strict: Domain | None = None, guard: Guard | None = None
    ) -> None:
        """With ``strict``, a query for a patient whom the affinity domain does not know is an error.

        With a ``guard`` everybody sees what they may see; without one, everybody sees everything.
        """
        self._reader = reader
        self._guard = guard
        self._limits = limits
        self._strict = strict

    def answer(self, asked: AdhocQuery, *, multi_patient: bool, correlation: str, who: Who = NOBODY) -> Answer:
        """A complete answer, or an error: never a part (ITI TF-2 3.18.4.1.3)."""
        question = read_question(
            Asked(asked.id, asked.return_type, asked.slots),
            multi_patient=multi_patient,
            max_values=self._limits.values,
        )
        if not isinstance(question, Question):
            return refusal(question, correlation)
        account.current().concerns(*question.values(Match.PATIENT))
        try:
            # A connection that broke since it was last used says nothing of the question.
            return decided(lambda: self._looked_up(question, correlation, who))
        except NotAllowed as refused:
            account.current().judged(refused.decision, "")
            return refusal([NOT_ALLOWED], correlation, question.query.name)

    def _looked_up(self, question: Question, correlation: str, who: Who) -> Answer:
        if question.query.shape is Shape.JUDGE:
            return self._judged(question, correlation, who)
        if self._strict and (unknown := self._unknown_patients(question, self._strict)):
            return refusal(unknown, correlation, question.query.name)
        return self._answered(question, correlation, who)

    def _unknown_patients(self, question: Question, domain: Domain) -> list[Objection]:
        given = question.values(Match.PATIENT)
        fed, merged = self._reader.ask(lambda work: patients(work, given))
        return answers.of_known_patients(given, fed, merged, domain)

    def _answered(self, question: Question, correlation: str, who: Who) -> Answer:
        limit = self._limits.leaf_class if question.leaf else self._limits.object_ref
        shape = question.query.shape
        found, more = self._reader.ask(
            lambda work: self._found(work, question, limit, who), snapshot=shape not in (Shape.FIND, Shape.GET)
        )
        objections = answers.within_bounds(question, limit + 1 if more else len(found), limit)
        if shape is not Shape.FIND:
            patients = {item.patient_id for item in found if item.kind is not Association}
            objections += answers.of_one_patient(question, patients)
            account.current().concerns(*sorted(patients))
        if objections:
            return refusal(objections, correlation, question.query.name)
        with aside(Stage.SERIALISE):
            body = write_query_response(_SUCCESS, pieces(found, question.leaf))
        return Answer(body, _SUCCESS, len(found), question.query.name)

    def _found(self, work: Work, question: Question, limit: int, who: Who) -> tuple[list[Found], bool]:
        """What is found, and whether there may be more of it than could be looked at."""
        shape = question.query.shape
        if self._guard is None:
            return _FINDERS[shape](View(work), question, limit), False
        if shape is Shape.HELD:
            self._guard.require(work, who, Act.JUDGE)
            return _FINDERS[shape](View(work), question, limit), False
        given = question.values(Match.PATIENT)
        sight = Sight(work, self._guard, who, naming=shape not in (Shape.FIND, Shape.GET_ALL))
        if given and question.query.finds is not DocumentEntry:
            sight.begin(given)
        room = limit
        found = _FINDERS[shape](sight, question, room)
        # What may not be seen takes no room in an answer: else its limit would tell of it.
        while sight.was_cut and len(found) <= limit and room < _MOST_ROOM * limit:
            room = 4 * room
            sight.again()
            found = _FINDERS[shape](sight, question, room)
        sight.finish(given)
        return found, sight.was_cut

    def _judged(self, question: Question, correlation: str, who: Who) -> Answer:
        """What somebody else may do: for systems that have the right to ask, as a Repository has."""
        guard, name = self._guard, question.query.name
        subject, act = heard(question.given), act_of(question.given)
        if guard is None or act is None:
            told = "access is not judged here" if guard is None else "there is no such act"
            return refusal([Objection(ErrorCode.XDSRegistryError, ACT, told)], correlation, name)
        unique_ids = list(question.given(UNIQUE_ID))
        if unique_ids:
            found = self._reader.ask(lambda work: guard.verdicts(work, who, subject, act, unique_ids))
            for each in found:
                account.current().judged(each, each.patient_id, (each.unique_id,))
        else:
            self._reader.ask(lambda work: guard.require(work, who, Act.JUDGE))
            decision = guard.may(subject, act, question.given(CONCERNS))
            found = [Verdict(decision.allowed, decision.rule, emergency=decision.emergency)]
        written = [write_verdict(each, f"urn:portolan:verdict:{number}") for number, each in enumerate(found, 1)]
        return Answer(write_query_response(_SUCCESS, written), _SUCCESS, len(found), name)


def refusal(objections: Iterable[Objection], correlation: str, query: str = "") -> Answer:
    """A failed query: its errors, and an empty list of objects."""
    response = RegistryResponse(Status.FAILURE, as_errors(list(objections), correlation))
    return Answer(write_query_response(response), response, 0, query)


def pieces(found: list[Found], leaf: bool) -> list[bytes]:
    """Objects as bytes: stored fragments behind their status, or ids alone."""
    if not leaf:
        return [write_object_ref(item.entry_uuid) for item in found]
    out: list[bytes] = []
    for item in found:
        out.append(_HEADS[item.kind, item.status])
        out.append(item.ebrim)
    return out


def _statuses(question: Question) -> frozenset[str]:
    """Which Associations to show; Approved ones unless told otherwise, and at level 1 never others."""
    given = frozenset(question.given(ASSOCIATION_STATUS.name)) or _APPROVED
    return given if question.level == 2 else given & _APPROVED


def _once(items: Iterable[Found]) -> list[Found]:
    return list({item.entry_uuid: item for item in items}.values())


def _found(joined: Iterable[Link]) -> list[Found]:
    return [link.found for link in joined]


def _find(see: View, question: Question, limit: int) -> list[Found]:
    return see.find(question, question.query.finds, limit + 1)


def _get_all(see: View, question: Question, limit: int) -> list[Found]:
    patient_id = question.values(Match.PATIENT)[0]
    found = see.find(question, DocumentEntry, limit + 1)
    for kind in (SubmissionSet, Folder):
        found += see.find(question, kind, limit + 1, of_patient=patient_id)
    if len(found) > limit:
        return found
    names = {item.entry_uuid for item in found}
    return found + _found(see.links_at(names, _statuses(question), leaf=question.leaf))


def _get_associations(see: View, question: Question, limit: int) -> list[Found]:
    return _found(see.links_at(question.given("$uuid"), _statuses(question), leaf=question.leaf))


def _with_associations(see: View, question: Question, limit: int) -> list[Found]:
    found = see.find(question, DocumentEntry, limit + 1)
    names = [item.entry_uuid for item in found[:limit]]
    return found + _found(see.links_at(names, _statuses(question), leaf=question.leaf))


def _submission_sets(see: View, question: Question, limit: int) -> list[Found]:
    joined = see.links_to(question.given("$uuid"), _statuses(question), leaf=question.leaf)
    members = [link for link in joined if link.type == HAS_MEMBER]
    sets = see.objects(SubmissionSet, {link.source for link in members}, leaf=question.leaf, level=2)
    names = {item.entry_uuid for item in sets}
    return _once(sets + [link.found for link in members if link.source in names])


def _submission_set_contents(see: View, question: Question, limit: int) -> list[Found]:
    leaf, level = question.leaf, question.level
    sets = see.named(question, SubmissionSet, limit + 1)
    members = [
        link
        for link in see.links_from([item.entry_uuid for item in sets], _APPROVED, leaf=leaf)
        if link.type == HAS_MEMBER
    ]
    targets = {link.target for link in members}
    found = see.passing(question, DocumentEntry, targets) + see.objects(Folder, targets, leaf=leaf, level=level)
    inside = {item.entry_uuid for item in sets + found}
    joined = [
        link for link in see.links(targets, _APPROVED, leaf=leaf) if link.source in inside and link.target in inside
    ]
    inside |= {link.found.entry_uuid for link in joined}
    return _once([*sets, *found, *_found(joined), *(link.found for link in members if link.target in inside)])


def _folder_contents(see: View, question: Question, limit: int) -> list[Found]:
    folders = see.find(question, Folder, limit + 1)
    names = [item.entry_uuid for item in folders]
    members = see.links_from(names, _statuses(question), leaf=question.leaf)
    found = see.passing(question, DocumentEntry, {link.target for link in members})
    inside = {item.entry_uuid for item in found}
    return _once([*folders, *found, *(link.found for link in members if link.target in inside)])


def _folders_for_document(see: View, question: Question, limit: int) -> list[Found]:
    entries = see.named(question, DocumentEntry, limit + 1)
    joined = see.links_to([item.entry_uuid for item in entries], _statuses(question), leaf=False)
    holders = {link.source for link in joined if link.type == HAS_MEMBER}
    return see.objects(Folder, holders, leaf=question.leaf, level=question.level)


def _related_documents(see: View, question: Question, limit: int) -> list[Found]:
    given = [item.entry_uuid for item in see.named(question, DocumentEntry, limit + 1)]
    wanted = frozenset(question.given("$AssociationTypes"))
    joined = [link for link in see.links_at(given, _statuses(question), leaf=question.leaf) if link.type in wanted]
    found = see.passing(question, DocumentEntry, {end for link in joined for end in (link.source, link.target)})
    inside = {item.entry_uuid for item in found}
    kept = [link.found for link in joined if link.source in inside and link.target in inside]
    return _once([*found, *kept]) if kept else []


def _held(see: View, question: Question, limit: int) -> list[Found]:
    """Entries of these documents that are under a legal hold; of removed ones the ids alone."""
    names = question.given("$XDSDocumentEntryUniqueId")
    work = see.work
    known = owners(work, names) + ([] if question.leaf else owners(work, names, removed=True))
    under = holds_on(work, known)
    under.update(holds_on(work, [(name, "", name) for name in names]) if not question.leaf else {})
    if question.leaf:
        return objects(work, DocumentEntry, under, leaf=True, level=2)
    return [Found(DocumentEntry, "", name, "") for name in under]


_FINDERS: Final[dict[Shape, Callable[[View, Question, int], list[Found]]]] = {
    Shape.FIND: _find,
    Shape.GET: _find,
    Shape.GET_ALL: _get_all,
    Shape.GET_ASSOCIATIONS: _get_associations,
    Shape.GET_WITH_ASSOCIATIONS: _with_associations,
    Shape.GET_SUBMISSION_SETS: _submission_sets,
    Shape.SUBMISSION_SET_CONTENTS: _submission_set_contents,
    Shape.FOLDER_CONTENTS: _folder_contents,
    Shape.FOLDERS_FOR_DOCUMENT: _folders_for_document,
    Shape.RELATED_DOCUMENTS: _related_documents,
    Shape.HELD: _held,
}
