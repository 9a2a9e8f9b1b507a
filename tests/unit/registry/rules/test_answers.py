"""What keeps an answer to a stored query from being given (ITI TF-2 3.18.4.1.3)."""

from __future__ import annotations

import pytest

from common.rules.stored_query import Question
from common.standard.errors import ErrorCode
from common.standard.queries import BY_NAME
from registry.rules import answers
from tests.factories import AnyDomain


def a_question(name: str = "GetDocuments", *, leaf: bool = True) -> Question:
    return Question(BY_NAME[name], leaf, ())


@pytest.mark.parametrize(
    ("question", "patients", "good"),
    [
        (a_question(), ["a", "a"], True),
        (a_question(), [], True),
        (a_question(), ["a", "b"], False),
        (a_question(leaf=False), ["a", "b"], True),
        (a_question("FindDocumentsForMultiplePatients"), ["a", "b"], True),
    ],
)
def test_whole_objects_are_of_one_patient(question: Question, patients: list[str], good: bool) -> None:
    found = answers.of_one_patient(question, patients)

    assert [each.code for each in found] == ([] if good else [ErrorCode.XDSResultNotSinglePatient])


@pytest.mark.parametrize(("count", "good"), [(0, True), (5, True), (6, False)])
@pytest.mark.parametrize("leaf", [True, False])
def test_an_answer_over_the_limit_is_refused_with_advice(count: int, good: bool, leaf: bool) -> None:
    found = answers.within_bounds(a_question(leaf=leaf), count, 5)

    assert [each.code for each in found] == ([] if good else [ErrorCode.XDSTooManyResults])
    assert good or ("ObjectRef" in found[0].what) is leaf


@pytest.mark.parametrize(
    ("domain", "fed", "merged", "good"),
    [
        (AnyDomain(), set(), set(), True),
        (AnyDomain(only_fed=True), set(), set(), False),
        (AnyDomain(only_fed=True), {"p"}, set(), True),
        (AnyDomain(), set(), {"p"}, False),
        (AnyDomain(refuse_patient="no"), {"p"}, set(), False),
    ],
)
def test_an_unknown_patient_is_told_of_by_policy(
    domain: AnyDomain, fed: set[str], merged: set[str], good: bool
) -> None:
    found = answers.of_known_patients(["p"], fed, merged, domain)

    assert [(each.code, each.where) for each in found] == ([] if good else [(ErrorCode.XDSUnknownPatientId, "p")])
