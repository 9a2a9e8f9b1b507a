"""ITI-18 and ITI-51: answers stored queries (ITI TF-2 3.18, 3.51)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from common.audit import account
from common.db import Reader, Work, decided
from common.ebxml.fragments import with_status
from common.ebxml.query import AdhocQuery
from common.ebxml.responses import write_object_ref, write_query_response
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
from common.standard.queries import ASSOCIATION_STATUS, Match, Shape
from common.standard.question import Question
from registry.known import Domain
from registry.rules import answers
from registry.store.finding import Found, find, named, passing
from registry.store.holding import holds_on, owners
from registry.store.linking import Link, links, links_at, links_from, links_to, objects
from registry.store.registering import patients

HAS_MEMBER: Final = AssociationType.HAS_MEMBER.value
_APPROVED: Final = frozenset({AvailabilityStatus.APPROVED.value})
_SUCCESS: Final = RegistryResponse(Status.SUCCESS)
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

    def __init__(self, reader: Reader, limits: Limits, strict: Domain | None = None) -> None:
        """With ``strict``, a query for a patient whom the affinity domain does not know is an error."""
        self._reader = reader
        self._limits = limits
        self._strict = strict

    def answer(self, asked: AdhocQuery, *, multi_patient: bool, correlation: str) -> Answer:
        """A complete answer, or an error: never a part (ITI TF-2 3.18.4.1.3)."""
        question = read_question(
            Asked(asked.id, asked.return_type, asked.slots),
            multi_patient=multi_patient,
            max_values=self._limits.values,
        )
        if not isinstance(question, Question):
            return refusal(question, correlation)
        account.current().concerns(*question.values(Match.PATIENT))
        # A connection that broke since it was last used says nothing of the question.
        return decided(lambda: self._looked_up(question, correlation))

    def _looked_up(self, question: Question, correlation: str) -> Answer:
        if self._strict and (unknown := self._unknown_patients(question, self._strict)):
            return refusal(unknown, correlation, question.query.name)
        return self._answered(question, correlation)

    def _unknown_patients(self, question: Question, domain: Domain) -> list[Objection]:
        given = question.values(Match.PATIENT)
        fed, merged = self._reader.ask(lambda work: patients(work, given))
        return answers.of_known_patients(given, fed, merged, domain)

    def _answered(self, question: Question, correlation: str) -> Answer:
        limit = self._limits.leaf_class if question.leaf else self._limits.object_ref
        shape = question.query.shape
        found = self._reader.ask(
            lambda work: _FINDERS[shape](work, question, limit), snapshot=shape not in (Shape.FIND, Shape.GET)
        )
        objections = answers.within_bounds(question, len(found), limit)
        if shape is not Shape.FIND:
            patients = {item.patient_id for item in found if item.kind is not Association}
            objections += answers.of_one_patient(question, patients)
            account.current().concerns(*sorted(patients))
        if objections:
            return refusal(objections, correlation, question.query.name)
        with aside(Stage.SERIALISE):
            body = write_query_response(_SUCCESS, pieces(found, question.leaf))
        return Answer(body, _SUCCESS, len(found), question.query.name)


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


def _find(work: Work, question: Question, limit: int) -> list[Found]:
    return find(work, question, question.query.finds, limit + 1)


def _get_all(work: Work, question: Question, limit: int) -> list[Found]:
    patient_id = question.values(Match.PATIENT)[0]
    found = find(work, question, DocumentEntry, limit + 1)
    for kind in (SubmissionSet, Folder):
        found += find(work, question, kind, limit + 1, of_patient=patient_id)
    if len(found) > limit:
        return found
    names = {item.entry_uuid for item in found}
    return found + _found(links_at(work, names, _statuses(question), leaf=question.leaf))


def _get_associations(work: Work, question: Question, limit: int) -> list[Found]:
    return _found(links_at(work, question.given("$uuid"), _statuses(question), leaf=question.leaf))


def _with_associations(work: Work, question: Question, limit: int) -> list[Found]:
    found = find(work, question, DocumentEntry, limit + 1)
    names = [item.entry_uuid for item in found[:limit]]
    return found + _found(links_at(work, names, _statuses(question), leaf=question.leaf))


def _submission_sets(work: Work, question: Question, limit: int) -> list[Found]:
    joined = links_to(work, question.given("$uuid"), _statuses(question), leaf=question.leaf)
    members = [link for link in joined if link.type == HAS_MEMBER]
    sets = objects(work, SubmissionSet, {link.source for link in members}, leaf=question.leaf, level=2)
    names = {item.entry_uuid for item in sets}
    return _once(sets + [link.found for link in members if link.source in names])


def _submission_set_contents(work: Work, question: Question, limit: int) -> list[Found]:
    leaf, level = question.leaf, question.level
    sets = named(work, question, SubmissionSet, limit + 1)
    members = [
        link
        for link in links_from(work, [item.entry_uuid for item in sets], _APPROVED, leaf=leaf)
        if link.type == HAS_MEMBER
    ]
    targets = {link.target for link in members}
    found = passing(work, question, DocumentEntry, targets) + objects(work, Folder, targets, leaf=leaf, level=level)
    inside = {item.entry_uuid for item in sets + found}
    joined = [
        link for link in links(work, targets, _APPROVED, leaf=leaf) if link.source in inside and link.target in inside
    ]
    inside |= {link.found.entry_uuid for link in joined}
    return _once([*sets, *found, *_found(joined), *(link.found for link in members if link.target in inside)])


def _folder_contents(work: Work, question: Question, limit: int) -> list[Found]:
    folders = find(work, question, Folder, limit + 1)
    names = [item.entry_uuid for item in folders]
    members = links_from(work, names, _statuses(question), leaf=question.leaf)
    found = passing(work, question, DocumentEntry, {link.target for link in members})
    inside = {item.entry_uuid for item in found}
    return _once([*folders, *found, *(link.found for link in members if link.target in inside)])


def _folders_for_document(work: Work, question: Question, limit: int) -> list[Found]:
    entries = named(work, question, DocumentEntry, limit + 1)
    joined = links_to(work, [item.entry_uuid for item in entries], _statuses(question), leaf=False)
    holders = {link.source for link in joined if link.type == HAS_MEMBER}
    return objects(work, Folder, holders, leaf=question.leaf, level=question.level)


def _related_documents(work: Work, question: Question, limit: int) -> list[Found]:
    given = [item.entry_uuid for item in named(work, question, DocumentEntry, limit + 1)]
    wanted = frozenset(question.given("$AssociationTypes"))
    joined = [link for link in links_at(work, given, _statuses(question), leaf=question.leaf) if link.type in wanted]
    found = passing(work, question, DocumentEntry, {end for link in joined for end in (link.source, link.target)})
    inside = {item.entry_uuid for item in found}
    kept = [link.found for link in joined if link.source in inside and link.target in inside]
    return _once([*found, *kept]) if kept else []


def _held(work: Work, question: Question, limit: int) -> list[Found]:
    """Entries of these documents that are under a legal hold; of removed ones the ids alone."""
    names = question.given("$XDSDocumentEntryUniqueId")
    known = owners(work, names) + ([] if question.leaf else owners(work, names, removed=True))
    under = holds_on(work, known)
    under.update(holds_on(work, [(name, "", name) for name in names]) if not question.leaf else {})
    if question.leaf:
        return objects(work, DocumentEntry, under, leaf=True, level=2)
    return [Found(DocumentEntry, "", name, "") for name in under]


_FINDERS: Final[dict[Shape, Callable[[Work, Question, int], list[Found]]]] = {
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
