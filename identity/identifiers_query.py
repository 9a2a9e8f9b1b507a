"""ITI-45: the other identifiers of a patient (ITI TF-2 3.45.4.1.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from lxml import etree

from common.audit import account
from common.clock import utc_now
from common.hl7.refusals import TEXTS, Condition
from common.hl7v3.answers import Asked, Response, write_pix_answer
from common.hl7v3.queries import read_pix_query
from common.hl7v3.wrapper import NOBODY, Detail, Element, Id, own_id
from identity.crossreference import CrossReference
from identity.rules.identifiers import Key

_LIST: Final = "/PRPA_IN201309UV02/controlActProcess/queryByParameter/parameterList"
_PATIENT: Final = f"{_LIST}/patientIdentifier/value"
_SOURCE: Final = f"{_LIST}/dataSource/value"
_QUERY: Final = "/PRPA_IN201309UV02/controlActProcess/queryByParameter"


@dataclass(frozen=True, slots=True)
class Answered:
    """The body of an answer, its queryResponseCode, and whom it tells of, or was asked of."""

    body: bytes
    response: Response
    patients: tuple[str, ...] = ()


class IdentifiersQuery:
    """Answers from the cross-reference as it is now."""

    def __init__(self, reference: CrossReference, *, most: int, now: Callable[[], str] = utc_now) -> None:
        """``most`` is how many domains one query may ask for."""
        self._reference = reference
        self._most = most
        self._now = now

    def answer(self, body: Element, correlation: str) -> Answered:
        """PRPA_IN201310UV02 for PRPA_IN201309UV02."""
        query = read_pix_query(body)
        asked = Asked(query.wrapper, query.query_id, query.echo)
        tell_query(query.query_id, query.echo)
        if detail := self._wrong(query.echo, query.patients, query.data_sources):
            return self._refused(asked, detail, correlation)
        key = Key(*_parts(query.patients[0]))
        found = self._reference.person_of(key)
        account.current().concerns(key.cx())
        if found is None:
            told = "no feed has told of this patient identifier"
            refused = self._refused(asked, _detail(Condition.UNKNOWN_KEY, told, _PATIENT), correlation)
            return replace(refused, patients=(key.cx(),))
        roots = {each.root for each in query.data_sources}
        ids = [Id(*each) for each in found.keys if (each.root in roots if roots else each != key)]
        made = write_pix_answer(asked, ids, own_id=own_id(), now=self._now())
        return Answered(made, Response.OK if ids else Response.NOTHING, self._reference.named((found,)))

    def not_allowed(self, body: Element, told: str, correlation: str) -> Answered:
        """The answer to whoever may not ask this."""
        query = read_pix_query(body)
        asked = Asked(query.wrapper, query.query_id, query.echo)
        return self._refused(asked, _detail(Condition.INTERNAL, told, _QUERY), correlation)

    def failed(self, told: str) -> Answered:
        """The answer for a breakdown of ours."""
        return self._refused(Asked(NOBODY, Id(""), None), _detail(Condition.INTERNAL, told, _QUERY), "")

    def _refused(self, asked: Asked, detail: Detail, correlation: str) -> Answered:
        account.current().problems.append(detail.code)
        if correlation:
            detail = Detail(detail.code, detail.display, f"{detail.text} [{correlation}]", detail.location)
        made = write_pix_answer(asked, (), own_id=own_id(), now=self._now(), detail=detail)
        return Answered(made, Response.ERROR)

    def _wrong(self, echo: Element | None, patients: tuple[Id, ...], sources: tuple[Id, ...]) -> Detail | None:
        """The first thing that keeps a query from being answered."""
        if echo is None:
            return _detail(Condition.MISSING, "queryByParameter is missing", _QUERY)
        if not patients:
            return _detail(Condition.MISSING, "patientIdentifier is missing", _PATIENT)
        if len(patients) > 1:
            return _detail(Condition.DUPLICATE_KEY, "one query asks for one patientIdentifier", _PATIENT)
        if len(sources) > self._most:
            return _detail(Condition.DATA_TYPE, f"one query asks for at most {self._most} domains", _SOURCE)
        if not self._reference.knows_domain(patients[0].root):
            return _detail(Condition.UNKNOWN_KEY, "the patient identifier's domain is not known here", _PATIENT)
        for number, source in enumerate(sources, 1):
            if not self._reference.knows_domain(source.root):
                place = f"{_LIST}/dataSource[{number}]/value" if len(sources) > 1 else _SOURCE
                return _detail(Condition.UNKNOWN_KEY, "the data source's domain is not known here", place)
        return None


def tell_query(query_id: Id, echo: Element | None) -> None:
    """Tell the account what was asked: the audit trail keeps queryByParameter (ITI TF-2 3.45.5.1)."""
    told = account.bound()
    if told is not None:
        query = etree.tostring(echo, encoding="UTF-8", with_tail=False) if echo is not None else b""
        told.asks(query_id.extension or query_id.root, query)


def _parts(item: Id) -> tuple[str, str]:
    return item.root, item.extension


def _detail(condition: Condition, told: str, place: str) -> Detail:
    return Detail(condition.value, TEXTS[condition], told, place)
