"""ITI-47: patients by what is known of them, in portions where that is asked for (ITI TF-2 3.47.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from lxml import etree

from common.audit import account
from common.clock import utc_now
from common.db import Database
from common.hl7.refusals import TEXTS, Condition
from common.hl7v3.answers import Asked, Candidate, Counts, Response, echo_of, write_pdq_answer
from common.hl7v3.identity import write_acknowledgement
from common.hl7v3.queries import Continuation, PdqQuery, read_continuation, read_pdq_query
from common.hl7v3.wrapper import NOBODY, Detail, Element, Id, Wrapper, own_id
from identity.crossreference import CrossReference
from identity.identifiers_query import Answered, tell_query
from identity.rules.searching import objection, wanted
from identity.store import continuing, finding

_QUERY: Final = "/PRPA_IN201305UV02/controlActProcess/queryByParameter"
_LIST: Final = f"{_QUERY}/parameterList"
_SCOPE: Final = f"{_LIST}/otherIDsScopingOrganization"
_CONTINUATION: Final = "/QUQI_IN000003UV01/controlActProcess/queryContinuation"
_PARSER: Final = etree.XMLParser(resolve_entities=False, no_network=True)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Most persons that a query may find, seconds that one is kept, and whether names may be longer than asked for."""

    most: int
    keep: float
    prefix: bool


class DemographicsQuery:
    """Answers queries, and goes on with those that were answered in part."""

    def __init__(
        self, reference: CrossReference, database: Database, bounds: Bounds, *, now: Callable[[], str] = utc_now
    ) -> None:
        self._reference = reference
        self._database = database
        self._bounds = bounds
        self._now = now

    def answer(self, body: Element, correlation: str) -> Answered:
        """PRPA_IN201306UV02 for PRPA_IN201305UV02."""
        query = read_pdq_query(body)
        asked = Asked(query.wrapper, query.query_id, query.echo)
        tell_query(query.query_id, query.echo)
        if detail := self._wrong(query):
            return self._refused(asked, detail, correlation)
        scopes = tuple(dict.fromkeys(each.root for each in query.scopes))
        criteria = [
            finding.Criterion(each.group, each.how, each.one, each.two)
            for each in wanted(query, prefix=self._bounds.prefix)
        ]
        with self._database.read() as work:
            found = finding.search(work, criteria, scopes, self._bounds.most + 1)
        if len(found) > self._bounds.most:
            told = f"more than {self._bounds.most} persons match: ask for less"
            return self._refused(asked, _detail(Condition.INTERNAL, told, _QUERY), correlation)
        portion = len(found) if query.quantity is None else min(query.quantity, len(found))
        if portion < len(found) and query.echo is not None:
            echo = etree.tostring(echo_of(query.echo))
            kept = continuing.Kept(echo, tuple(found), scopes, portion)
            with self._database.write() as work:
                continuing.keep(work, _name(query.wrapper, query.query_id), kept, self._bounds.keep)
                work.commit()
        counts = Counts(len(found), portion, len(found) - portion)
        return self._told(asked, found[:portion], scopes, counts)

    def go_on(self, body: Element, correlation: str) -> Answered:
        """PRPA_IN201306UV02 with the next portion, for QUQI_IN000003UV01; the same once more with its startNumber."""
        message = read_continuation(body)
        tell_query(message.query_id, None)
        name = _name(message.wrapper, message.query_id)
        if message.status == "aborted":
            return self.cancel(body, correlation)
        with self._database.write() as work:
            kept = continuing.find(work, name)
            if kept is None:
                return self._refused(_asked(message), _no_such_query(), correlation)
            begin = kept.position if message.start is None else max(message.start - 1, 0)
            end = len(kept.persons) if message.quantity is None else begin + message.quantity
            taken = kept.persons[begin:end]
            continuing.advance(work, name, begin + len(taken), self._bounds.keep)
            work.commit()
        asked = Asked(message.wrapper, message.query_id, etree.fromstring(kept.echo, _PARSER))
        total = len(kept.persons)
        counts = Counts(total, len(taken), max(total - begin - len(taken), 0))
        return self._told(asked, taken, kept.scopes, counts)

    def cancel(self, body: Element, correlation: str) -> Answered:
        """MCCI_IN000002UV01: nothing more is wanted."""
        message = read_continuation(body)
        tell_query(message.query_id, None)
        with self._database.write() as work:
            ended = continuing.end(work, _name(message.wrapper, message.query_id))
            work.commit()
        detail = None if ended else _with(_no_such_query(), correlation)
        made = write_acknowledgement(message.wrapper, own_id=own_id(), now=self._now(), detail=detail)
        return Answered(made, Response.OK if ended else Response.ERROR)

    def failed(self, told: str) -> Answered:
        """The answer for a breakdown of ours."""
        return self._refused(Asked(NOBODY, Id(""), None), _detail(Condition.INTERNAL, told, _QUERY), "")

    def _told(self, asked: Asked, names: Sequence[str], scopes: Sequence[str], counts: Counts) -> Answered:
        with self._database.read(snapshot=True) as work:
            found = finding.persons(work, names)
        self._reference.concerns(found)
        candidates = [candidate for person in found if (candidate := _candidate(person, scopes))]
        made = write_pdq_answer(asked, candidates, own_id=own_id(), now=self._now(), counts=counts)
        return Answered(made, Response.OK if candidates else Response.NOTHING, self._reference.named(found))

    def not_allowed(self, body: Element, told: str, correlation: str) -> Answered:
        """The answer to whoever may not ask this."""
        query = read_pdq_query(body)
        asked = Asked(query.wrapper, query.query_id, query.echo)
        return self._refused(asked, _detail(Condition.INTERNAL, told, _QUERY), correlation)

    def not_continued(self, body: Element, told: str, correlation: str) -> Answered:
        """The answer to whoever may not go on with this."""
        return self._refused(_asked(read_continuation(body)), _detail(Condition.INTERNAL, told, _QUERY), correlation)

    def not_cancelled(self, body: Element, told: str, correlation: str) -> Answered:
        """The answer to whoever may not end this."""
        detail = _with(_detail(Condition.INTERNAL, told, _QUERY), correlation)
        wrapper = read_continuation(body).wrapper
        made = write_acknowledgement(wrapper, own_id=own_id(), now=self._now(), detail=detail)
        return Answered(made, Response.ERROR)

    def _refused(self, asked: Asked, detail: Detail, correlation: str) -> Answered:
        account.current().problems.append(detail.code)
        told = _with(detail, correlation)
        return Answered(write_pdq_answer(asked, (), own_id=own_id(), now=self._now(), detail=told), Response.ERROR)

    def _wrong(self, query: PdqQuery) -> Detail | None:
        """The first thing that keeps a query from being answered."""
        if query.echo is None:
            return _detail(Condition.MISSING, "queryByParameter is missing", _QUERY)
        if found := objection(query):
            place = f"{_LIST}/{found.parameter}" if found.parameter else _LIST
            return _detail(found.condition, found.reason, place)
        if query.quantity is not None and not query.query_id.root:
            return _detail(Condition.MISSING, "a queryId is needed to go on with a query", f"{_QUERY}/queryId")
        for number, scope in enumerate(query.scopes, 1):
            if not self._reference.knows_domain(scope.root):
                place = f"{_SCOPE}[{number}]/value" if len(query.scopes) > 1 else f"{_SCOPE}/value"
                return _detail(Condition.UNKNOWN_KEY, "this domain is not known here", place)
        return None


def _candidate(person: finding.Person, scopes: Sequence[str]) -> Candidate | None:
    """A person as an answer has them, with the ids of the domains that are wanted; None without any of these."""
    keys = [key for key in person.keys if not scopes or key.root in scopes]
    return Candidate(tuple(Id(*key) for key in keys), person.latest) if keys else None


def _name(wrapper: Wrapper, query_id: Id) -> str:
    return continuing.names_of((wrapper.sender.root, query_id.root, query_id.extension))


def _asked(message: Continuation) -> Asked:
    return Asked(message.wrapper, message.query_id, None)


def _no_such_query() -> Detail:
    told = "there is no such query, or not any more: ask it again"
    return _detail(Condition.UNKNOWN_KEY, told, f"{_CONTINUATION}/queryId")


def _detail(condition: Condition, told: str, place: str) -> Detail:
    return Detail(condition.value, TEXTS[condition], told, place)


def _with(detail: Detail, correlation: str) -> Detail:
    return Detail(detail.code, detail.display, f"{detail.text} [{correlation}]", detail.location)
