"""From a question to one SQL statement: the compiler of stored queries.

A statement depends on the shape of a question only (which parameters, how many values), never on its
values, so it is made once per shape and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any, Final, cast

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FromClause,
    and_,
    bindparam,
    case,
    literal_column,
    not_,
    or_,
    select,
    union_all,
)
from sqlalchemy.schema import Table

from common.db import Row, Statement, Work, matches_any, value_contains
from common.db.statement import SEPARATOR
from common.model import (
    Association,
    DocumentAvailability,
    DocumentEntry,
    Folder,
    ObjectType,
    RegistryObject,
    SubmissionSet,
)
from common.standard.queries import STORED_QUERIES, Match, Parameter
from common.standard.question import Groups, Question
from registry.store.registering import APPROVED
from registry.store.statements import CHUNK, among, bound, rounded
from registry.store.tables import association, entry, folder, submission_set
from registry.store.versions import EARLIER

TABLES: Final[dict[type[RegistryObject], Table]] = {
    DocumentEntry: entry,
    SubmissionSet: submission_set,
    Folder: folder,
    Association: association,
}
_INDEXED_SPAN: Final = "creation_time"
"""The one time that an index has; an object without it passes a question about it."""
_SEPARATED: Final = frozenset({"confidentiality_codes", "event_codes", "codes"})


@dataclass(frozen=True, slots=True)
class Found:
    """One object of an answer; ``ebrim`` is empty where only ids were asked for.

    ``marks`` are what access to an entry depends on, where that is to be judged, in one text; None for an entry that is
    older than one of its columns, whose fragment is read then even where only ids were asked for.
    """

    kind: type[RegistryObject]
    patient_id: str
    entry_uuid: str
    status: str
    ebrim: bytes = b""
    marks: str | None = None


Size = tuple[int, ...]
Kind = type[Any]
Shape = tuple[Kind, str, bool, int, tuple[tuple[str, Size], ...], bool, int, bool]

Beside = Callable[[], Any]
"""Makes the other select; the same object each time, so that its statement is kept."""

MARK: Final = "\x1e"
"""Stands between the columns that access to an entry depends on; no value of metadata can hold it."""
MARKS: Final[ColumnElement[Any]] = reduce(
    lambda joined, column: joined + literal_column(f"'{MARK}'") + column,
    (entry.c.type_code, entry.c.confidentiality_codes, entry.c.author_organisations),
    cast("ColumnElement[Any]", entry.c.class_code),
)
"""All of them as one text, which is read and compared faster; NULL where one is."""

NAMES: Final = frozenset({Match.ENTRY_UUID, Match.UNIQUE_ID, Match.LOGICAL_ID})
"""Parameters that name objects; all others are filters."""


def find(
    work: Work, question: Question, kind: Kind, limit: int, *, of_patient: str = "", marked: bool = False
) -> list[Found]:
    """The objects of one kind that meet all the question's criteria on it; at most ``limit``."""
    return _asked(work, question, kind, question.about(kind), limit, of_patient=of_patient, marked=marked)


def named(work: Work, question: Question, kind: Kind, limit: int, *, marked: bool = False) -> list[Found]:
    """The objects of one kind that the question names, whatever its filters."""
    criteria = tuple((row, groups) for row, groups in question.about(kind) if row.match in NAMES)
    return _asked(work, question, kind, criteria, limit, filtered=False, marked=marked)


def passing(work: Work, question: Question, kind: Kind, uuids: Iterable[str], *, marked: bool = False) -> list[Found]:
    """Those of some objects that pass the question's filters, whatever it names."""
    criteria = tuple((row, groups) for row, groups in question.about(kind) if row.match not in NAMES)
    ordered, found = sorted(set(uuids)), []
    for start in range(0, len(ordered), CHUNK):
        part = ordered[start : start + CHUNK]
        found += _asked(work, question, kind, criteria, CHUNK, among_these=part, marked=marked)
    return found


def _asked(
    work: Work,
    question: Question,
    kind: Kind,
    criteria: tuple[tuple[Parameter, Groups], ...],
    limit: int,
    *,
    of_patient: str = "",
    among_these: Sequence[str] = (),
    filtered: bool = True,
    marked: bool = False,
) -> list[Found]:
    shape, values = _shaped(
        question,
        kind,
        criteria,
        limit,
        of_patient=of_patient,
        among_these=among_these,
        filtered=filtered,
        marked=marked,
    )
    return [Found(kind, *found) for found in work.rows(_statement(shape), values)]


def _shaped(
    question: Question,
    kind: Kind,
    criteria: tuple[tuple[Parameter, Groups], ...],
    limit: int,
    *,
    of_patient: str = "",
    among_these: Sequence[str] = (),
    filtered: bool = True,
    marked: bool = False,
) -> tuple[Shape, dict[str, Any]]:
    """Which statement asks this, and the values for it."""
    sizes = tuple((row.name, tuple(rounded(len(group)) for group in groups)) for row, groups in criteria)
    size = rounded(len(among_these)) if among_these else 0
    level = question.level if filtered else 2
    marked = marked and kind is DocumentEntry
    shape: Shape = (kind, question.query.id, question.leaf, level, sizes, bool(of_patient), size, marked)
    values: dict[str, Any] = {"limit": limit}
    if of_patient:
        values["of_patient"] = of_patient
    if among_these:
        values.update(bound(among_these, size))
    for number, (row, groups) in enumerate(criteria):
        values.update(_bound(number, row, groups))
    return shape, values


def find_beside(
    work: Work, question: Question, limit: int, other: Beside, given: dict[str, Any]
) -> tuple[list[Found], list[Row]]:
    """``find`` for marked entries, and in the same round trip the rows of another select, which has five columns too.

    Its rows are known by their empty availabilityStatus.
    """
    shape, values = _shaped(question, DocumentEntry, question.about(DocumentEntry), limit, marked=True)
    rows = work.rows(_beside(shape, other), {**values, **given})
    return [Found(DocumentEntry, *row) for row in rows if row[2]], [row for row in rows if not row[2]]


@lru_cache(maxsize=256)
def _beside(shape: Shape, other: Beside) -> Statement:
    found: Any = _statement(shape).clause
    return Statement(union_all(select(found.subquery("found")), other()))


def _bound(number: int, row: Parameter, groups: Groups) -> Iterable[tuple[str, str]]:
    for part, group in enumerate(groups):
        for at in range(rounded(len(group))):
            value = group[min(at, len(group) - 1)]
            yield f"p{number}_{part}_{at}", _as_stored(row, value)


def _as_stored(row: Parameter, value: str) -> str:
    return f"{SEPARATOR}{value}{SEPARATOR}" if row.match is Match.CODE and row.field in _SEPARATED else value


def columns(table: Table, leaf: bool, *, marked: bool = False) -> list[ColumnElement[Any]]:
    """What is selected: with the fragment only where whole objects are asked for."""
    names = ("patient_id", "entry_uuid", "availability_status", "ebrim")
    chosen: list[ColumnElement[Any]] = [table.c[name] for name in (names if leaf else names[:3])]
    if not marked:
        return chosen
    if not leaf:
        chosen.append(case((table.c.author_organisations.is_(None), table.c.ebrim)).label("older_fragment"))
    return [*chosen, MARKS.label("marks")]


@lru_cache(maxsize=1024)
def _statement(shape: Shape) -> Statement:
    kind, query_id, leaf, level, sizes, of_patient, size, marked = shape
    table, query = TABLES[kind], STORED_QUERIES[query_id]
    clauses: list[ColumnElement[bool]] = []
    if of_patient:
        clauses.append(table.c.patient_id == bindparam("of_patient"))
    if size:
        clauses.append(among(table.c.entry_uuid, size))
    given = set()
    spans: dict[str, list[ColumnElement[bool]]] = {}
    for number, (name, parts) in enumerate(sizes):
        row = query.parameter(name)
        assert row is not None
        given.add(row.match)
        kept = spans.setdefault(row.field, []) if row.missing_passes else clauses
        kept += [_clause(row, table, f"p{number}_{part}_", each) for part, each in enumerate(parts)]
    by_name_only = bool(given) and given <= NAMES
    if kind is DocumentEntry and Match.OBJECT_TYPE not in given and not by_name_only and _has_type(query_id):
        clauses.append(entry.c.object_type == ObjectType.STABLE.value)
    clauses += level_clauses(kind, level)
    if kind is DocumentEntry and level == 1 and Match.UNIQUE_ID in given:
        # What a link change left behind is another patient's, and whoever asks by uniqueId has to get one patient's.
        clauses.append(entry.c.is_latest == 1)
    indexed = spans.pop(_INDEXED_SPAN, [])
    clauses += [or_(and_(*within), table.c[field].is_(None)) for field, within in spans.items()]
    found = select(*columns(table, leaf, marked=marked)).where(and_(*clauses))
    if not indexed:
        return Statement(found.limit(bindparam("limit")))
    # Asked apart, so that an index always leads to what lies between: with OR it is up to what the planner expects.
    without = found.where(table.c[_INDEXED_SPAN].is_(None))
    return Statement(union_all(found.where(*indexed), without).limit(bindparam("limit")))


def _has_type(query_id: str) -> bool:
    """Whether a query leaves on-demand entries out unless asked for them."""
    return any(row.match is Match.OBJECT_TYPE for row in STORED_QUERIES[query_id].parameters)


def level_clauses(kind: Kind, level: int) -> list[ColumnElement[bool]]:
    """What $MetadataLevel 1 leaves out: older versions, what is offline, deprecated Folders and Associations."""
    if level != 1:
        return []
    if kind is DocumentEntry:
        available = entry.c.document_availability
        online = or_(available.is_(None), available != DocumentAvailability.OFFLINE.value)
        return [entry.c.is_latest != EARLIER, online]
    if kind is Folder:
        return [folder.c.is_latest == 1, folder.c.availability_status == APPROVED]
    if kind is Association:
        return [association.c.availability_status == APPROVED]
    return []


def _one_of(column: ColumnElement[Any], values: Sequence[BindParameter[str]]) -> ColumnElement[bool]:
    return column == values[0] if len(values) == 1 else column.in_(values)


def of_logical_ids(table: FromClause, values: Sequence[BindParameter[str]]) -> ColumnElement[bool]:
    """All versions of some logical objects: the first has the logicalID for its own id; an index knows the others."""
    return or_(_one_of(table.c.entry_uuid, values), and_(_one_of(table.c.logical_id, values), table.c.version > 1))


def _clause(row: Parameter, table: Table, prefix: str, size: int) -> ColumnElement[bool]:
    column = table.c[row.field]
    values: list[BindParameter[str]] = [bindparam(f"{prefix}{at}") for at in range(size)]
    if row.match is Match.FROM:
        clause: ColumnElement[bool] = column >= values[0]
    elif row.match is Match.TO:
        clause = column <= values[0] if row.inclusive else column < values[0]
    elif row.match in (Match.LIKE, Match.PATTERN):
        clause = or_(*[matches_any(column, value) for value in values])
    elif row.match is Match.CODE and row.field in _SEPARATED:
        clause = or_(*[value_contains(column, value) for value in values])
    elif row.match is Match.LOGICAL_ID:
        clause = of_logical_ids(table, values)
    else:
        clause = _one_of(column, values)
    if row.excludes:
        return or_(column.is_(None), not_(clause)) if column.nullable else not_(clause)
    return clause
