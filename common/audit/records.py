"""The records of one transaction: its row of the table, and the account of what was done (ITI TF-2 3.20).

A record is about one patient and one outcome: what was given and what was not are told apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final, TypeVar

from common.audit import events
from common.audit.account import Account, Document, Judgement
from common.audit.events import Kind, Row
from common.audit.message import AuditMessage, Code, Detail, Participant, Source, Subject

_T = TypeVar("_T")

GOOD: Final = frozenset({"Success", "OK", "NF", "AA"})
PARTLY: Final = "PartialSuccess"
_AT_ONCE: Final = 1000
MOST_QUERY: Final = 256 * 1024
_MOST_QUERIES: Final = 4 * 1024 * 1024
_MOST_PROBLEMS: Final = 20


@dataclass(slots=True)
class Happened:
    """A transaction as one party saw it; ``outcome`` is the word that logs and metrics have for it."""

    row: Row
    outcome: str
    account: Account
    participants: tuple[Participant, ...]
    source: Source
    correlation: str
    purposes: tuple[Code, ...] = ()
    told: str = ""


def records(happened: Happened) -> Iterator[AuditMessage]:
    """At least one."""
    account = happened.account
    if Kind.DOCUMENT in happened.row.kinds and account.documents:
        yield from _of_documents(happened)
    else:
        for good in _outcomes(happened.outcome):
            for patient in account.patients or ("",):
                yield from _of_patient(happened, patient, good)
    for judgement in account.judgements:
        if judgement.emergency:
            yield _emergency(happened, judgement)


def _outcomes(word: str) -> tuple[bool, ...]:
    if word == PARTLY:
        return True, False
    return (word in GOOD,)


def _subjects(row: Row, account: Account, patient: str) -> list[Subject]:
    """The patient, the SubmissionSet, the query."""
    subjects = [_patient(row, account, patient)] if patient else []
    if account.submission_sets and Kind.SUBMISSION_SET in row.kinds:
        subjects += [Subject(name, "2", "20", events.SUBMISSION_SET) for name in account.submission_sets]
    if account.query is not None and Kind.QUERY in row.kinds:
        subjects.append(_query(row, account))
    return subjects


def _of_patient(happened: Happened, patient: str, good: bool) -> Iterator[AuditMessage]:
    row, account = happened.row, happened.account
    subjects = _subjects(row, account, patient)
    if Kind.OBJECT in row.kinds and account.objects:
        mine = [name for name in account.objects if account.owners.get(name, patient) == patient]
        for part in _parts(mine):
            refs = [Subject(name, "2", "3", events.OBJECT_REF, row.lasts) for name in part]
            yield _made(happened, [*subjects, *refs], patient, account.problems, good)
        return
    yield _made(happened, subjects, patient, account.problems, good)


def _of_documents(happened: Happened) -> Iterator[AuditMessage]:
    account, row = happened.account, happened.row
    failed = happened.outcome not in (*GOOD, PARTLY)

    def group(document: Document) -> tuple[bool, str]:
        return failed or bool(document.problem), document.patient_id

    for (bad, of_patient), found in groupby(sorted(account.documents, key=group), key=group):
        patients = [of_patient] if of_patient or len(account.patients) != 1 else account.patients
        for part in _parts(list(found)):
            problems = [each.problem for each in part if each.problem] if not failed else account.problems
            for patient in patients:
                subjects = [_patient(row, account, patient)] if patient else []
                subjects += [_document(row, each, account) for each in part]
                yield _made(happened, subjects, patient, problems, not bad)


def _parts(items: list[_T]) -> Iterable[list[_T]]:
    return [items[at : at + _AT_ONCE] for at in range(0, len(items), _AT_ONCE)] or [items]


def _patient(row: Row, account: Account, patient: str) -> Subject:
    name = account.message_id
    details: tuple[Detail, ...] = ((row.message, name),) if row.message and name else ()
    return Subject(patient, "1", "1", events.PATIENT_NUMBER, details=details)


def _query(row: Row, account: Account) -> Subject:
    query = account.query
    assert query is not None
    most = min(MOST_QUERY, _MOST_QUERIES // max(len(account.patients), 1))
    details: list[Detail] = [("QueryEncoding", "UTF-8")]
    if account.home_community_id:
        details.append(("urn:ihe:iti:xca:2010:homeCommunityId", account.home_community_id))
    if len(query) > most:
        details.append(("Query Length", str(len(query))))
        query = query[:most]
    return Subject(account.query_id, "2", "24", row.type, query=query, details=tuple(details))


def _document(row: Row, one: Document, account: Account) -> Subject:
    details: list[Detail] = []
    if one.repository_unique_id:
        details.append(("Repository Unique Id", one.repository_unique_id))
    if one.home_community_id:
        details.append(("ihe:homeCommunityID", one.home_community_id))
    for judgement in account.judgements:
        if one.unique_id in judgement.objects:
            details += _judged(judgement)
    return Subject(one.unique_id, "2", "3", events.REPORT_NUMBER, row.lasts, details=tuple(details))


def _judged(judgement: Judgement) -> list[Detail]:
    """Why access was given or denied: who asked does not hear of it, who reads the audit trail does."""
    found: list[Detail] = [("Access Decision", "allowed" if judgement.allowed else "denied")]
    found.append(("Access Rule", judgement.rule))
    if judgement.count != 1:
        found.append(("Access Count", str(judgement.count)))
    if judgement.emergency:
        found.append(("Emergency Reason", judgement.emergency))
    return found


def _made(
    happened: Happened, subjects: list[Subject], patient: str, problems: Iterable[str], good: bool
) -> AuditMessage:
    row, account = happened.row, happened.account
    action = "D" if patient and patient in account.subsumed else row.action
    outcome, told = 0, ""
    if not good:
        codes = tuple(dict.fromkeys(problems))[:_MOST_PROBLEMS]
        outcome = events.outcome_of(codes)
        told = ", ".join(codes) + (f": {happened.told}" if happened.told and codes else happened.told)
    details: tuple[Detail, ...] = ()
    if account.judgements:
        named = {each.unique_id for each in account.documents}
        details = tuple(
            detail
            for each in account.judgements
            # A query that names no patient is about whoever's objects it met.
            if (not patient or each.patient_id in ("", patient)) and named.isdisjoint(each.objects)
            for detail in _judged(each)
        )
    return AuditMessage(
        row.event,
        action,
        outcome,
        happened.participants,
        happened.source,
        (row.type,),
        told,
        happened.purposes,
        with_correlation(subjects, happened.correlation, details),
    )


def with_correlation(
    subjects: list[Subject], correlation: str, details: tuple[Detail, ...] = ()
) -> tuple[Subject, ...]:
    """By its correlation id a record and the lines of the log that belong to it are found."""
    if correlation:
        details = (*details, ("Correlation", correlation))
    if not details:
        return tuple(subjects)
    if not subjects:
        return (Subject(correlation, "4", "4", events.REQUEST, details=details),)
    last = subjects[-1]
    last.details = (*last.details, *details)
    return tuple(subjects)


def _emergency(happened: Happened, judgement: Judgement) -> AuditMessage:
    row = events.EMERGENCY
    subjects = [Subject(judgement.patient_id, "1", "1", events.PATIENT_NUMBER)] if judgement.patient_id else []
    assert row.type is not None
    return AuditMessage(
        row.event,
        row.action,
        row.outcome,
        happened.participants,
        happened.source,
        (row.type, happened.row.type),
        judgement.emergency,
        happened.purposes,
        with_correlation(subjects, happened.correlation, tuple(_judged(judgement))),
    )
