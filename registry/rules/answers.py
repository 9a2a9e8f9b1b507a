"""What keeps an answer from being given (ITI TF-2 3.18.4.1.3)."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from common.rules import Objection
from common.standard.errors import ErrorCode
from common.standard.question import Question
from registry.known import Domain


def of_one_patient(question: Question, patients: Iterable[str]) -> list[Objection]:
    """Whole objects that were asked for by id are of one patient; lists of ids need not be."""
    if question.leaf and not question.query.multi_patient and len(set(patients)) > 1:
        told = "the objects asked for are of several patients: ask for each patient's alone, or for ObjectRef"
        return [Objection(ErrorCode.XDSResultNotSinglePatient, question.query.name, told)]
    return []


def within_bounds(question: Question, count: int, limit: int) -> list[Objection]:
    """There is no paging, and an answer is never cut (ITI TF-2 3.18.4.1.2.3.3)."""
    if count <= limit:
        return []
    advice = "narrow the query" if not question.leaf else "narrow the query, or ask for ObjectRef and then in portions"
    return [Objection(ErrorCode.XDSTooManyResults, question.query.name, f"more than {limit} objects match: {advice}")]


def of_known_patients(
    given: Iterable[str], fed: Collection[str], merged: Collection[str], domain: Domain
) -> list[Objection]:
    """By policy, an unknown patient is told of instead of answered with nothing (ITI TF-2 3.18.4.1.3)."""
    objections = []
    for patient_id in given:
        problem = domain.patient_problem(patient_id)
        if not problem and patient_id not in fed and (patient_id in merged or domain.only_fed_patients):
            problem = "the patient id is not known here"
        if problem:
            objections.append(Objection(ErrorCode.XDSUnknownPatientId, patient_id, problem))
    return objections
