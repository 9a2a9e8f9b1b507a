"""Answers to queries for patients in HL7 v3 written (ITI TF-2 3.45.4.2, 3.47.4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lxml import etree

from common.demographics import Demographics
from common.hl7v3.demographics import write_person
from common.hl7v3.wrapper import Detail, Element, Id, Wrapper, acknowledged, answer_to, children, ii, written

PIX_ANSWER: Final = "PRPA_IN201310UV02"
PDQ_ANSWER: Final = "PRPA_IN201306UV02"
_EVENTS: Final = "2.16.840.1.113883.1.18"
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_NO_PERSON: Final = '<patientPerson classCode="PSN" determinerCode="INSTANCE"><name nullFlavor="NA"/></patientPerson>'


class Response(StrEnum):
    """queryResponseCode."""

    OK = "OK"
    NOTHING = "NF"
    ERROR = "AE"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are, come now, and are left."""

    total: int
    current: int
    remaining: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person who matches; ``degree`` is how well, of 100."""

    ids: tuple[Id, ...]
    person: Demographics
    degree: int = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """What an answer repeats of its query."""

    wrapper: Wrapper
    query_id: Id
    echo: Element | None


def write_pix_answer(asked: Asked, ids: Sequence[Id], *, own_id: Id, now: str, detail: Detail | None = None) -> bytes:
    """PRPA_IN201310UV02 with one person's ids, with none, or with what was wrong."""
    patient = "".join(map(ii, ids)) + f'<statusCode code="active"/>{_NO_PERSON}'
    subjects = [patient] if ids and not detail else []
    return _answer(PIX_ANSWER, asked, subjects, own_id=own_id, now=now, detail=detail)


def write_pdq_answer(
    asked: Asked,
    candidates: Sequence[Candidate],
    *,
    own_id: Id,
    now: str,
    detail: Detail | None = None,
    counts: Counts | None = None,
) -> bytes:
    """PRPA_IN201306UV02 with the persons found, each in a registration event of its own."""
    subjects = [
        f'{"".join(map(ii, each.ids))}<statusCode code="active"/>{write_person(each.person)}'
        '<subjectOf1><queryMatchObservation classCode="COND" moodCode="EVN"><code code="IHE_PDQ"/>'
        f'<value xmlns:xsi="{_XSI}" xsi:type="INT" value="{each.degree}"/></queryMatchObservation></subjectOf1>'
        for each in candidates
    ]
    return _answer(PDQ_ANSWER, asked, subjects, own_id=own_id, now=now, detail=detail, counts=counts)


def _answer(
    name: str,
    asked: Asked,
    subjects: Sequence[str],
    *,
    own_id: Id,
    now: str,
    detail: Detail | None,
    counts: Counts | None = None,
) -> bytes:
    response = Response.ERROR if detail else Response.OK if subjects else Response.NOTHING
    event = name.replace("IN", "TE")
    keeper = f'<assignedEntity classCode="ASSIGNED">{ii(asked.wrapper.receiver)}</assignedEntity>'
    custodian = f'<custodian typeCode="CST">{keeper}</custodian>'
    found = "".join(_subject(each, custodian) for each in subjects)
    content = (
        f"{acknowledged(asked.wrapper, 'AE' if detail else 'AA', detail)}"
        f'<controlActProcess classCode="CACT" moodCode="EVN"><code code="{event}" codeSystem="{_EVENTS}"/>{found}'
        f'<queryAck>{ii(asked.query_id, "queryId")}<statusCode code="deliveredResponse"/>'
        f'<queryResponseCode code="{response}"/>{_counted(counts)}</queryAck>{_echoed(asked.echo)}'
        "</controlActProcess>"
    )
    return written(name, answer_to(asked.wrapper), content, own_id=own_id, now=now)


def _subject(patient: str, custodian: str) -> str:
    return (
        '<subject typeCode="SUBJ" contextConductionInd="false"><registrationEvent classCode="REG" moodCode="EVN">'
        '<id nullFlavor="NA"/><statusCode code="active"/><subject1 typeCode="SBJ">'
        f'<patient classCode="PAT">{patient}</patient></subject1>{custodian}</registrationEvent></subject>'
    )


def _counted(counts: Counts | None) -> str:
    if counts is None:
        return ""
    named = (("Total", counts.total), ("Current", counts.current), ("Remaining", counts.remaining))
    return "".join(f'<result{name}Quantity value="{value}"/>' for name, value in named)


def echo_of(element: Element) -> Element:
    """queryByParameter as an answer repeats it: by itself, its status that of what has been answered."""
    echo = deepcopy(element)
    echo.tail = None
    for status in children(echo, "statusCode"):
        status.set("code", "deliveredResponse")
    return echo


def _echoed(element: Element | None) -> str:
    return "" if element is None else etree.tostring(echo_of(element), encoding="unicode")
