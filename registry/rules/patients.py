"""Whose ids a feed may name, and when patients can be merged (ITI TF-2 3.8.4, 3.44.4, 3.64.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from common.feeds.problem import Problem, Side
from common.hl7.refusals import Condition
from registry.known import Domain


@dataclass(frozen=True, slots=True)
class PatientState:
    """A patient's row: whether a feed told of them, and whom they were merged into."""

    fed: bool
    merged_into: str | None


def unknown(patient_id: str, state: PatientState, domain: Domain) -> str | None:
    """Why the affinity domain does not know a patient, or no longer."""
    if problem := domain.patient_problem(patient_id):
        return problem
    if state.merged_into:
        return "it was merged into another"
    if domain.only_fed_patients and not state.fed:
        return "it has not come through a patient identity feed"
    return None


def merge_problem(subsumed: str, survivor: str, states: Mapping[str, PatientState], domain: Domain) -> Problem | None:
    """Both are known and current, and two (ITI TF-2 3.8.4.2.4)."""
    if subsumed == survivor:
        return Problem(Side.SUBSUMED, Condition.DUPLICATE_KEY, "a patient cannot be merged into itself")
    for side, patient_id in ((Side.SUBSUMED, subsumed), (Side.SURVIVOR, survivor)):
        if problem := unknown(patient_id, states[patient_id], domain):
            return Problem(side, Condition.UNKNOWN_KEY, f"{side.value} cannot be used: {problem}")
    return None
