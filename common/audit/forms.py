"""Records that differ from others in a few places only, as nearly all do, filled in like forms.

There is a record for every request, and it may cost next to nothing. So the first of a kind is written in the general
way with marks where the next ones will differ; it is kept as a form with a blank at each mark.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from common.audit.account import Account
from common.audit.events import Kind, Row
from common.audit.message import Participant, Source
from common.audit.parties import Asker
from common.audit.records import GOOD, MOST_QUERY, Happened, records
from common.audit.syslog import in_frame, syslog_of
from common.audit.writing import LONGEST, detail_value, query_value, value, written

_MOST_KNOWN: Final = 4096
_MOST_NAMES: Final = 8
_MARK: Final = secrets.token_hex(8)  # nothing from outside reads like a mark


def is_usual(row: Row, outcome: str, account: Account) -> bool:
    """Whether there is one record, of a success, about one patient at most, with nothing out of the ordinary to tell.

    One that is about nothing at all is out of the ordinary too.
    """
    if outcome not in GOOD or account.judgements or account.objects or account.subsumed or len(account.patients) > 1:
        return False
    if account.documents and Kind.DOCUMENT in row.kinds:
        patient = account.documents[0].patient_id
        return len(account.documents) <= _MOST_NAMES and all(
            not each.problem and each.patient_id == patient for each in account.documents
        )
    if account.query is not None and Kind.QUERY in row.kinds:
        return len(account.query) <= MOST_QUERY
    return bool(account.patients) and len(account.submission_sets) <= _MOST_NAMES


class Forms:
    """Those of one process."""

    def __init__(self, source: Source, fields: str, ours: Callable[[Row], Participant]) -> None:
        """``fields`` are those of its syslog headers; ``ours`` is its own part in what a row is about."""
        self._source, self._fields, self._ours = source, fields, ours
        self._known: dict[object, str] = {}

    def frame(self, row: Row, account: Account, asker: Asker, correlation: str, at: str) -> bytes:
        """The frame of a record that ``is_usual``, made at a time."""
        shape = _shape(row, account, asker, correlation)
        form = self._known.get(shape)
        if form is None:
            form = self._form(row, account, asker, correlation)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[shape] = form
        return in_frame((form % _filled(account, correlation, at)).encode())

    def _form(self, row: Row, account: Account, asker: Asker, correlation: str) -> str:
        marked, correlation, at = _marked(account), correlation and f"{_MARK} correlation", f"{_MARK} at"
        participants = (*asker.participants(row.asking), self._ours(row))
        happened = Happened(row, "Success", marked, participants, self._source, correlation, asker.purposes)
        text = written(next(records(happened)), at)
        text = syslog_of(text, at, self._fields, failed=False).decode().replace("%", "%%")
        for name, mark in _filled(marked, correlation, at).items():
            text = text.replace(mark, f"%({name})s")
        return text


def _shape(row: Row, account: Account, asker: Asker, correlation: str) -> object:
    """What a form depends on; whatever else is told in a record is a blank in it."""
    caller = asker.caller
    return (
        row.key,
        asker.address,
        asker.subject,
        asker.reply_to,
        # An issuer that uses an ID again, once the assertion that had it is over, is told by the time.
        caller and (caller.issuer, caller.assertion_id, caller.until),
        account.query is not None and not account.query_id,
        account.home_community_id[:LONGEST],
        len(account.patients),
        len(account.submission_sets),
        not account.message_id,
        not correlation,
        tuple(
            [
                (each.repository_unique_id[:LONGEST], each.home_community_id[:LONGEST], not each.patient_id)
                for each in account.documents
            ]
        ),
    )


def _marked(account: Account) -> Account:
    """An account of the same shape, with marks for what is filled in."""
    return replace(
        account,
        patients=[f"{_MARK} patient" for _ in account.patients],
        submission_sets=[f"{_MARK} set {number}" for number in range(len(account.submission_sets))],
        documents=[
            replace(each, unique_id=f"{_MARK} document {number}", patient_id=each.patient_id and f"{_MARK} patient")
            for number, each in enumerate(account.documents)
        ],
        message_id=account.message_id and f"{_MARK} message",
        query_id=account.query_id and f"{_MARK} name of query",
        query=None if account.query is None else f"{_MARK} query".encode(),
    )


def _filled(account: Account, correlation: str, at: str) -> dict[str, str]:
    """What stands in each blank, as it stands in the record."""
    filled = {"at": at}
    if correlation:
        filled["correlation"] = detail_value(correlation)
    if account.patients:
        filled["patient"] = value(account.patients[0])
    if account.query is not None:
        filled["query"] = query_value(account.query)
        if account.query_id:
            filled["name of query"] = value(account.query_id)
    if account.message_id:
        filled["message"] = detail_value(account.message_id)
    for number, name in enumerate(account.submission_sets):
        filled[f"set {number}"] = value(name)
    if account.documents:
        if account.documents[0].patient_id:
            filled["patient"] = value(account.documents[0].patient_id)
        for number, document in enumerate(account.documents):
            filled[f"document {number}"] = value(document.unique_id)
    return filled
