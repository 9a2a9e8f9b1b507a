"""What is kept for access decisions: written with a journal, and read as the facts of a decision."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    LargeBinary,
    bindparam,
    case,
    cast,
    insert,
    literal_column,
    null,
    select,
    union_all,
    update,
)
from sqlalchemy.schema import Table

from common.access.records import KINDS, Kind
from common.access.values import Agreement, Consent, Listed, Organisation, Relationship, RoleRight, Span, by_role
from common.access.values import Right as RoleMay
from common.db import Conflict, Statement, Work
from common.standard.question import Question
from registry.access.tables import TABLES, journal, version
from registry.store.finding import MARK, MARKS, Found, find_beside
from registry.store.statements import among, bound, fetch, rounded
from registry.store.tables import entry, patient_merge

Record = dict[str, str]
_CHANGING: Final = frozenset({"roles", "agreements", "organisations", "users"})
"""Kinds that processes keep in memory."""
PATIENTS_AT_ONCE: Final = 64
_ACCESS: Final[Any] = literal_column("'access'")


def _columns(kind: Kind) -> list[str]:
    return [column.name for column in TABLES[kind.name].columns]


@lru_cache
def _all(name: str) -> Statement:
    table = TABLES[name]
    return Statement(select(*table.columns).order_by(*table.primary_key.columns))


@lru_cache
def _by_key(name: str, column: str, size: int) -> Statement:
    table = TABLES[name]
    return Statement(select(*table.columns).where(among(table.c[column], size)).order_by(*table.primary_key.columns))


@lru_cache
def _insert(name: str) -> Statement:
    table = TABLES[name]
    return Statement(insert(table).values({column.name: bindparam(f"n_{column.name}") for column in table.columns}))


@lru_cache
def _update(name: str) -> Statement:
    table, kind = TABLES[name], KINDS[name]
    values: dict[str, Any] = {
        column.name: bindparam(f"n_{column.name}") for column in table.columns if column.name != kind.key
    }
    return Statement(update(table).where(table.c[kind.key] == bindparam(f"n_{kind.key}")).values(values))


_COUNT: Final = Statement(
    update(version).where(version.c.name == _ACCESS).values(version=version.c.version + bindparam("by"))
)
_TELL: Final = Statement(
    insert(journal)
    .inline()
    .values({column.name: bindparam(f"n_{column.name}") for column in journal.columns if column.name != "number"})
)
_JOURNAL: Final = Statement(select(*journal.columns).order_by(journal.c.number))


def records(work: Work, kind: Kind, *, key: str = "", patient: str = "") -> list[Record]:
    """All of a kind, one by its key, or those of a patient."""
    if key:
        found = fetch(work, lambda size: _by_key(kind.name, kind.key, size), [key])
    elif patient:
        found = fetch(work, lambda size: _by_key(kind.name, "patient_id", size), [patient])
    else:
        found = work.rows(_all(kind.name))
    names = _columns(kind)
    return [dict(zip(names, row, strict=True)) for row in found]


def by_keys(work: Work, kind: Kind, keys: Iterable[str]) -> list[Record]:
    """Those of a kind that have one of these keys."""
    names = _columns(kind)
    rows = fetch(work, lambda size: _by_key(kind.name, kind.key, size), keys)
    return [dict(zip(names, row, strict=True)) for row in rows]


def put(work: Work, kind: Kind, given: Iterable[Record], *, by: str, at: str) -> tuple[int, int]:
    """Keep records: new ones, and new contents of those that are there; how many were added and changed.

    Writers take turns at the row of the version. Whoever adds a record that somebody else has just added fails.
    """
    work.run(_COUNT, {"by": 1 if kind.name in _CHANGING else 0})
    rows = [with_key(kind, each) for each in given]
    present = {record[kind.key]: record for record in by_keys(work, kind, [row[kind.key] for row in rows])}
    new = [row for row in rows if row[kind.key] not in present]
    changed = [row for row in rows if row[kind.key] in present and present[row[kind.key]] != row]
    work.run_each(_insert(kind.name), [_named(row) for row in new])
    work.run_each(_update(kind.name), [_named(row) for row in changed])
    told = [_told("add", kind, row, by, at) for row in new] + [_told("change", kind, row, by, at) for row in changed]
    work.run_each(_TELL, told)
    return len(new), len(changed)


def end(work: Work, kind: Kind, key: str, *, ends: str, by: str, at: str) -> bool:
    """Let something count no longer from a time on; whether there was one that does."""
    found = [each for each in records(work, kind, key=key) if not each["ends"] or each["ends"] > ends]
    for each in found:
        work.run(_COUNT, {"by": 1 if kind.name in _CHANGING else 0})
        changed = {**each, "ends": ends}
        work.run(_update(kind.name), _named(changed))
        work.run(_TELL, _told("end", kind, changed, by, at))
    return bool(found)


def changes(work: Work) -> list[dict[str, Any]]:
    """The journal, the oldest change first."""
    names = [column.name for column in journal.columns]
    return [dict(zip(names, row, strict=True)) for row in work.rows(_JOURNAL)]


def with_key(kind: Kind, record: Record) -> Record:
    """A record as a whole row, with a key of its own where it has none."""
    key = record.get(kind.key) or f"{kind.name.rstrip('s')}-{uuid.uuid4().hex[:12]}"
    return {name: key if name == kind.key else record.get(name, "") for name in _columns(kind)}


def _named(record: Mapping[str, str]) -> dict[str, str]:
    return {f"n_{name}": value for name, value in record.items()}


def _told(change: str, kind: Kind, record: Record, by: str, at: str) -> dict[str, str]:
    content = json.dumps({name: value for name, value in record.items() if value}, sort_keys=True)
    told = {"at": at, "by": by, "change": change, "kind": kind.name, "record": record[kind.key], "content": content}
    return _named(told)


@dataclass(slots=True)
class Shared:
    """The part that is the same for all patients, as of one version; organisations come as they are needed."""

    version: int = -1
    rights: Mapping[str, tuple[RoleRight, ...]] = field(default_factory=dict)
    agreements: tuple[Agreement, ...] = ()
    systems: Mapping[str, Listed] = field(default_factory=dict)
    organisations: dict[str, Organisation] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """Each organisation that was asked for, by the code that it has in the directory."""


@dataclass(slots=True)
class OfPatients:
    """The part that is a patient's, or a user's, and the version of what is shared."""

    version: int = 0
    relationships: list[Relationship] = field(default_factory=list)
    consents: list[Consent] = field(default_factory=list)
    persons: dict[str, frozenset[str]] = field(default_factory=dict)
    user: Listed | None = None


def _texts(*values: Any) -> list[ColumnElement[Any]]:
    """Eight columns, whatever a select has to tell."""
    empty: list[Any] = [literal_column("''")] * (8 - len(values))
    made = [literal_column(f"'{value}'") if isinstance(value, str) else value for value in values]
    return [column.label(f"c{number}") for number, column in enumerate([*made, *empty])]


@lru_cache
def _facts(size: int) -> Statement:
    return Statement(_selected(size))


def _selected(size: int) -> CompoundSelect[Any]:
    """A patient's relationships and consents, the user, and the version of the rest."""
    merged = patient_merge.c
    standing = merged.undone_at.is_(None)
    same = select(merged.survivor.label("asked"), merged.subsumed.label("id")).where(
        among(merged.survivor, size), standing
    )
    before = same.cte("before", recursive=True)
    before = before.union(
        select(before.c.asked, merged.subsumed).join(before, merged.survivor == before.c.id).where(standing)
    )
    related, consents, users = (TABLES[name].c for name in ("relationships", "consents", "users"))
    of_relation = ("r", related.patient_id, related.organisation, related.team, related.user, "", related.begins)
    said = consents.decision.op("||")(literal_column("' '")).op("||")(consents.basis)
    of_consent = ("c", consents.patient_id, said, consents.type, consents.organisation, consents.purpose)
    relation = _texts(*of_relation, related.ends)
    consent = _texts(*of_consent, consents.begins, consents.ends)
    of_user = ("u", users.issuer, users.organisation, users.roles, users.teams, users.kind, users.begins, users.ends)
    return union_all(
        select(*_texts("v", literal_column("CAST(version AS TEXT)"))).where(version.c.name == _ACCESS),
        select(*relation).where(among(related.patient_id, size)),
        select(*relation).join(before, related.patient_id == before.c.id),
        select(*consent).where(among(consents.patient_id, size)),
        select(*consent).join(before, consents.patient_id == before.c.id),
        select(*_texts("p", before.c.asked, before.c.id)),
        select(*_texts(*of_user)).where(users.user == bindparam("user")),
    )


@lru_cache
def _packed(size: int) -> Callable[[], Any]:
    """The same as five columns like those of marked entries: the facts are in the last, as one text."""

    def made() -> Any:
        facts = _selected(size).subquery("facts")
        fact: Any = next(iter(facts.c))
        for column in list(facts.c)[1:]:
            fact = fact.op("||")(literal_column(f"'{MARK}'")).op("||")(column)
        nothing: list[Any] = [literal_column("''").label(name) for name in ("nobody", "no_name", "no_status")]
        return select(*nothing, cast(null(), LargeBinary).label("no_fragment"), fact.label("fact"))

    return made


def entries_and_patients(
    work: Work, question: Question, limit: int, patients: Sequence[str], user: str
) -> tuple[list[Found], OfPatients]:
    """The entries that a question finds, and what is known of its patients: one round trip."""
    size = rounded(len(patients))
    given = {**bound(patients, size), "user": user}
    entries, rows = find_beside(work, question, limit, _packed(size), given)
    found = OfPatients()
    for row in rows:
        _take(found, tuple(row[4].split(MARK)), user)
    return entries, found


def of_patients(work: Work, patients: Iterable[str], user: str) -> OfPatients:
    """What is known of some patients and a user, now; one round trip for each few patients."""
    found, ordered = OfPatients(), sorted(set(patients)) or [""]
    for start in range(0, len(ordered), PATIENTS_AT_ONCE):
        part = ordered[start : start + PATIENTS_AT_ONCE]
        size = rounded(len(part))
        for row in work.rows(_facts(size), {**bound(part, size), "user": user}):
            _take(found, row, user)
    return found


def _take(found: OfPatients, row: Sequence[str], user: str) -> None:
    kind, one, two, three, four, five, begins, ends = row
    if kind == "v":
        found.version = int(one)
    elif kind == "r":
        found.relationships.append(Relationship(one, two, three, four, Span(begins, ends)))
    elif kind == "c":
        decision, _, basis = two.partition(" ")
        span, implied = Span(begins, ends), basis == "implied"
        found.consents.append(Consent(one, decision == "permit", three, four, five, span, implied))
    elif kind == "p":
        found.persons[one] = found.persons.get(one, frozenset({one})) | {two}
    elif five == "person":
        roles, teams = frozenset(three.split()), frozenset(four.split())
        found.user = Listed(user, one, two, roles, teams, Span(begins, ends))


@lru_cache
def _picked(name: str, *columns: str) -> Statement:
    table = TABLES[name]
    # By its key, since plans that read a table from end to end are made expensive (common.db.database).
    return Statement(select(*(table.c[each] for each in columns)).where(table.c[KINDS[name].key] >= ""))


_SYSTEMS: Final = Statement(
    select(*(TABLES["users"].c[each] for each in ("user", "organisation", "roles", "begins", "ends"))).where(
        TABLES["users"].c.kind == "system"
    )
)
_VERSION: Final = Statement(select(version.c.version).where(version.c.name == _ACCESS))


def shared(work: Work) -> Shared:
    """All that does not depend on a patient."""
    [(number,)] = work.rows(_VERSION)
    rights = work.rows(_picked("roles", "role", "right", "organisation", "begins", "ends"))
    columns = ("title", "providers", "recipients", "types", "purposes", "begins", "ends")
    return Shared(
        number,
        by_role(RoleRight(role, RoleMay(right), where, Span(*span)) for role, right, where, *span in rights),
        tuple(
            Agreement(row[0], _set(row[1]), _set(row[2]), _set(row[3]), _set(row[4]), Span(row[5], row[6]))
            for row in work.rows(_picked("agreements", *columns))
        ),
        {
            name: Listed(name, "", where, frozenset(roles.split()), span=Span(*span))
            for name, where, roles, *span in work.rows(_SYSTEMS)
        },
    )


@lru_cache
def _organisations(size: int, column: str) -> Statement:
    c = TABLES["organisations"].c
    return Statement(select(c.code, c.also, c.care_setting, c.part_of, c.begins, c.ends).where(among(c[column], size)))


def _set(texts: str) -> frozenset[str]:
    return frozenset(texts.split())


_DEEPEST: Final = 8
_MOST_KEPT: Final = 50_000


def add_organisations(work: Work, known: Shared, wanted: Iterable[str]) -> None:
    """Have these organisations, and those that operate them, among what is known."""
    if len(known.names) > _MOST_KEPT:
        known.names.clear()
        known.organisations.clear()
    left = {name for name in wanted if name and name not in known.names}
    for _ in range(_DEEPEST):
        if not left:
            return
        rows = fetch(work, lambda size: _organisations(size, "code"), left)
        others = left - {row[0] for row in rows}
        rows += fetch(work, lambda size: _organisations(size, "also"), others) if others else []
        known.names |= {name: name for name in left}
        for code, also, setting, part_of, begins, ends in rows:
            known.organisations[code] = Organisation(code, setting, part_of, Span(begins, ends))
            known.names |= {code: code} | ({also: code} if also in others else {})
        left = {row[3] for row in rows if row[3]} - known.names.keys()


@dataclass(frozen=True, slots=True)
class Asked:
    """A registered document by its uniqueId, as far as access depends on it."""

    unique_id: str
    entry_uuid: str
    patient_id: str
    is_latest: bool
    marks: str | None
    ebrim: bytes


@lru_cache
def _by_unique_id(size: int) -> Statement:
    c = entry.c
    older = case((c.author_organisations.is_(None), c.ebrim)).label("older_fragment")
    columns = (c.unique_id, c.entry_uuid, c.patient_id, c.is_latest, MARKS.label("marks"), older)
    return Statement(select(*columns).where(among(c.unique_id, size)))


def by_unique_id(work: Work, unique_ids: Sequence[str]) -> list[Asked]:
    """The entries with these uniqueIds."""
    rows = fetch(work, _by_unique_id, unique_ids)
    return [Asked(row[0], row[1], row[2], row[3] == 1, row[4], row[5]) for row in rows]


def tables() -> Sequence[Table]:
    """All tables of access."""
    return (version, journal, *TABLES.values())


__all__ = [
    "Asked",
    "Conflict",
    "OfPatients",
    "Record",
    "Shared",
    "add_organisations",
    "by_keys",
    "by_unique_id",
    "changes",
    "end",
    "of_patients",
    "put",
    "records",
    "shared",
    "tables",
    "with_key",
]
