"""Queries for patients in HL7 v3 written, and their answers read, for whoever asks (ITI TF-2 3.45, 3.47)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from common.demographics import UNKNOWN, Demographics, PersonName
from common.hl7v3.demographics import read_person, write_name
from common.hl7v3.wrapper import Element, Id, Wrapper, children, every, first, ii, read_ids, written

_EVENTS = "2.16.840.1.113883.1.18"
_ACKNOWLEDGEMENT = ("acknowledgement",)


@dataclass(frozen=True, slots=True)
class Found:
    """A person in an answer."""

    ids: tuple[Id, ...]
    person: Demographics


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: queryResponseCode, whom it found, and what was wrong: code of table 0357, sentence, place."""

    response: str
    found: tuple[Found, ...]
    code: str
    reason: str
    location: str


def _message(name: str, query: str, wrapper: Wrapper, own_id: Id, now: str) -> bytes:
    event = name.replace("IN", "TE")
    control = (
        f'<controlActProcess classCode="CACT" moodCode="EVN"><code code="{event}" codeSystem="{_EVENTS}"/>'
        f"<queryByParameter>{ii(own_id, 'queryId')}{query}</queryByParameter></controlActProcess>"
    )
    return written(name, wrapper, control, own_id=own_id, now=now, accept="AL")


def write_pix_query(patient: Id, domains: Sequence[str], *, wrapper: Wrapper, own_id: Id, now: str) -> bytes:
    """PRPA_IN201309UV02: the ids of a patient in some domains, or in all."""
    sources = "".join(
        f"<dataSource><value root={quoteattr(domain)}/><semanticsText>DataSource.id</semanticsText></dataSource>"
        for domain in domains
    )
    asked = f"{ii(patient, 'value')}<semanticsText>Patient.id</semanticsText>"
    query = (
        '<statusCode code="new"/><responsePriorityCode code="I"/>'
        f"<parameterList>{sources}<patientIdentifier>{asked}</patientIdentifier></parameterList>"
    )
    return _message("PRPA_IN201309UV02", query, wrapper, own_id, now)


def write_pdq_query(
    *, name: PersonName, birth: str, sex: str, patient: Id | None, wrapper: Wrapper, own_id: Id, now: str
) -> bytes:
    """PRPA_IN201305UV02: the persons of whom all that is given was told; what is empty is not asked for."""
    parts = (
        ("AdministrativeGender", "administrativeGender", f"<value code={quoteattr(sex)}/>" if sex else ""),
        ("BirthTime", "birthTime", f"<value value={quoteattr(birth)}/>" if birth else ""),
        ("Id", "id", ii(patient, "value") if patient else ""),
        ("Name", "name", f"<value>{write_name(name)}</value>" if name != PersonName() else ""),
    )
    parameters = "".join(
        f"<livingSubject{element}>{value}<semanticsText>LivingSubject.{text}</semanticsText></livingSubject{element}>"
        for element, text, value in parts
        if value
    )
    query = (
        '<statusCode code="new"/><responseModalityCode code="R"/><responsePriorityCode code="I"/>'
        f"<parameterList>{parameters}</parameterList>"
    )
    return _message("PRPA_IN201305UV02", query, wrapper, own_id, now)


def read_answer(root: Element) -> Answer:
    """PRPA_IN201310UV02 or PRPA_IN201306UV02; what is missing is empty."""
    response = first(root, "controlActProcess", "queryAck", "queryResponseCode")
    detail = first(root, *_ACKNOWLEDGEMENT, "acknowledgementDetail")
    patients = every([root], ("controlActProcess", "subject", "registrationEvent", "subject1", "patient"))
    return Answer(
        "" if response is None else response.get("code", ""),
        tuple(_found(each) for each in patients),
        *(("", "", "") if detail is None else _told(detail)),
    )


def _found(patient: Element) -> Found:
    person = next(children(patient, "patientPerson"), None)
    return Found(read_ids(patient, ("id",)), UNKNOWN if person is None else read_person(person))


def _told(detail: Element) -> tuple[str, str, str]:
    code = first(detail, "code")
    return "" if code is None else code.get("code", ""), _text(detail, "text"), _text(detail, "location")


def _text(detail: Element, name: str) -> str:
    found = first(detail, name)
    return "" if found is None else "".join(str(part) for part in found.itertext()).strip()
