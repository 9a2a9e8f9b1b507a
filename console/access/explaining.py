"""Why somebody may, or may not: each rule's outcome in sentences, as the decision itself goes through them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree

from common.access import AccessPolicy, Act, Decision, Standing, Step, What, Who, explain
from common.db import Database
from common.soap.xml import XmlLimits, XmlRefused, parse
from common.web.asking import of_caller
from common.xua.caller import TooMuch, read_caller
from common.xua.vocabulary import SAML
from console.failure import Failure
from registry.access import store
from registry.access.guard import Guard, marks_of


@dataclass(frozen=True, slots=True)
class Explained:
    """What was asked, what came of it, and every rule up to the one that decided."""

    about: str
    standing: Standing
    decision: Decision
    steps: tuple[Step, ...]


def from_assertion(file: Path, reason_attribute: str) -> Who:
    """Whoever an assertion tells of; its signature is not looked at. Failure."""
    try:
        root = parse(file.read_bytes(), XmlLimits())
        tag = f"{{{SAML}}}Assertion"
        assertion = root if root.tag == tag else root.find(f".//{tag}")
        if assertion is None:
            raise Failure(f"{file} has no SAML 2.0 assertion.")
        return of_caller(read_caller(assertion, 0.0), reason_attribute)
    except (XmlRefused, TooMuch, etree.XMLSyntaxError, OSError) as error:
        raise Failure(f"{file} cannot be read as an assertion: {error}.") from error


def explained(
    database: Database, policy: AccessPolicy, who: Who, act: Act, *, at: str, unique_id: str, patient_id: str
) -> list[Explained]:
    """The decision at a time, on each current entry of a document or on what else there is of a patient; Failure."""
    guard = Guard(database, policy, now=lambda: at)
    with database.read() as work:
        if not unique_id:
            here = guard.standing(work, who, [patient_id] if patient_id else [])
            decision, steps = explain(here, What(act), patient_id)
            return [Explained(patient_id or "no patient", here, decision, tuple(steps))]
        rows = [row for row in store.by_unique_id(work, [unique_id]) if row.is_latest]
        if not rows:
            raise Failure(f"No current document has the uniqueId {unique_id}.")
        found = []
        here = guard.standing(work, who, {row.patient_id for row in rows})
        for row in rows:
            marks = row.marks if row.marks is not None else marks_of(row.ebrim)
            document = guard.documents(work, [marks])[marks]
            decision, steps = explain(here, What(act, document, upon=True), row.patient_id)
            found.append(Explained(unique_id, here, decision, tuple(steps)))
        return found


def sentences(told: Explained) -> Iterator[str]:
    """For people."""
    here = told.standing
    rights = ", ".join(sorted(right.value for right in here.rights)) or "no right"
    yield f"Who asks has {rights}; their organisation is {_organisations(here)}, its care setting {here.care_setting}."
    if here.emergency:
        yield f"It is an emergency: {here.emergency}."
    for number, step in enumerate(told.steps, 1):
        yield f"{number:>2}. {step.rule.name}: {_outcome(step)}. {step.rule.sentence}"
    word = "allowed" if told.decision.allowed else "refused, and listed" if told.decision.listed else "refused"
    yield f"It is {word}, by the rule {told.decision.rule}."


def _organisations(here: Standing) -> str:
    return ", part of ".join(here.within) or "not told"


def _outcome(step: Step) -> str:
    if not step.applied:
        return "switched off by the policy"
    if not step.decided:
        return "does not decide"
    return "allows" if step.rule.allows else "refuses"


def as_plain(told: Explained) -> Mapping[str, Any]:
    """For programs."""
    return {
        "about": told.about,
        "allowed": told.decision.allowed,
        "listed": told.decision.listed,
        "rule": told.decision.rule,
        "emergency": told.decision.emergency,
        "rights": sorted(right.value for right in told.standing.rights),
        "organisations": list(told.standing.within),
        "care_setting": told.standing.care_setting,
        "steps": [{"rule": step.rule.name, "outcome": _outcome(step)} for step in told.steps],
    }
