"""What a merge of patients reads and writes: set by set, whatever the number of documents (decision 10)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Text, Update, bindparam, func, insert, literal_column, null, or_, select, text, union_all, update
from sqlalchemy.schema import Table

from common.db import Statement, Work, bytes_replaced
from common.ebxml.fragments import patient_mark
from common.model import DocumentEntry, Folder, RegistryObject, SubmissionSet
from registry.store.statements import among, fetch
from registry.store.tables import association, entry, folder, identifier, patient, patient_merge, submission_set

_KINDS: Final[tuple[tuple[Table, type[RegistryObject] | None], ...]] = (
    (submission_set, SubmissionSet),
    (entry, DocumentEntry),
    (folder, Folder),
    (association, None),
)
MOVED: Final = tuple(table for table, _ in _KINDS)
"""The tables whose rows a merge moves, besides ``identifier``."""

_SEEN: Final = Statement(text("INSERT INTO patient (patient_id) VALUES (:patient_id) ON CONFLICT DO NOTHING"))


@lru_cache
def _alone(size: int) -> Statement:
    c = patient.c
    chosen = select(c.patient_id, c.fed_at, c.merged_into).where(among(c.patient_id, size))
    return Statement(chosen.order_by(c.patient_id).with_for_update())


def with_rows(work: Work, patient_ids: Iterable[str]) -> list[str]:
    """Patients in the one order in which all take them, each with a row from now on."""
    ordered = sorted(set(patient_ids))
    work.run_each(_SEEN, [{"patient_id": each} for each in ordered])
    return ordered


def lock(work: Work, patient_ids: Iterable[str]) -> dict[str, tuple[str | None, str | None]]:
    """Take patients alone until the unit of work ends: when each was fed, and whom they were merged into.

    Each gets a row if there is none, and all take them in one order, so that two who merge wait for one another.
    """
    return {row[0]: (row[1], row[2]) for row in fetch(work, _alone, with_rows(work, patient_ids))}


@dataclass(frozen=True, slots=True)
class Merge:
    """A merge as it is recorded; times are DTM, UTC."""

    merge_id: str
    subsumed: str
    survivor: str
    merged_at: str
    message_id: str
    undone_at: str | None


_MERGE: Final = tuple(patient_merge.c[name] for name in Merge.__dataclass_fields__)
_ALL: Final = Statement(select(*_MERGE).order_by(patient_merge.c.merged_at, patient_merge.c.merge_id))


@lru_cache
def _standing(size: int, column: str) -> Statement:
    c = patient_merge.c
    return Statement(select(*_MERGE).where(among(c[column], size), c.undone_at.is_(None)))


def merges(work: Work) -> list[Merge]:
    """Every merge there was, in order."""
    return [Merge(*row) for row in work.rows(_ALL)]


def standing_merge(work: Work, subsumed: str) -> Merge | None:
    """The merge that took a patient away and was not undone."""
    found = fetch(work, lambda size: _standing(size, "subsumed"), [subsumed])
    return Merge(*found[0]) if found else None


def all_subsumed(work: Work, survivor: str) -> set[str]:
    """Everybody whose documents came to a patient by merges that stand, however far down."""
    found: set[str] = set()
    layer = {survivor}
    while layer:
        layer = {row[1] for row in fetch(work, lambda size: _standing(size, "survivor"), layer)} - found
        found |= layer
    return found


def same_person(work: Work, patient_ids: Iterable[str]) -> dict[str, frozenset[str]]:
    """All ids that merges which stand have made one patient of, by each id that is asked for, itself included."""
    found = {}
    for name in set(patient_ids):
        top = name
        while above := standing_merge(work, top):
            top = above.survivor
        found[name] = frozenset({top} | all_subsumed(work, top))
    return found


def _values(table: Table, kind: type[RegistryObject] | None, filed_under: Any) -> dict[str, Any]:
    values: dict[str, Any] = {"patient_id": bindparam("to_id"), "filed_under": filed_under}
    if kind is not None:
        marks = [bindparam(f"{table.name}_{when}", type_=Text()) for when in ("old", "new")]
        values["ebrim"] = bytes_replaced(table.c.ebrim, *marks)
    return values


def _marks(from_id: str, to_id: str) -> dict[str, str]:
    """How the patientId stands in fragments of each kind before and after."""
    found = {}
    for table, kind in _KINDS:
        if kind is not None:
            found[f"{table.name}_old"] = patient_mark(kind, from_id)
            found[f"{table.name}_new"] = patient_mark(kind, to_id)
    return found


def _named(table: Table) -> list[Any]:
    """The columns that hold an object's names."""
    return [table.c.entry_uuid] + ([table.c.unique_id] if "unique_id" in table.c else [])


def _names(table: Table, *of_whom: Any) -> list[Any]:
    return [select(column).where(*of_whom) for column in _named(table)]


def _rename(selects: list[Any]) -> Update:
    """The names of the objects, which stand in ``identifier`` by themselves, follow them."""
    c = identifier.c
    return (
        update(identifier)
        .where(c.patient_id == bindparam("from_id"), c.value.in_(union_all(*selects)))
        .values(patient_id=bindparam("to_id"))
    )


_RENAME: Final = Statement(
    _rename([one for table in MOVED for one in _names(table, table.c.patient_id == bindparam("from_id"))])
)
_MOVES: Final = tuple(
    update(table)
    .where(table.c.patient_id == bindparam("from_id"))
    .values(_values(table, kind, func.coalesce(table.c.filed_under, bindparam("from_id"))))
    for table, kind in _KINDS
)
_MOVE: Final = tuple(map(Statement, _MOVES))


def _moving_all() -> Statement:
    """The objects and their names by one statement, which reads each row once."""
    moved = [
        each.returning(*_named(table)).cte(f"moved_{table.name}") for each, table in zip(_MOVES, MOVED, strict=True)
    ]
    names = union_all(*(select(column.label("name")) for cte in moved for column in cte.c)).subquery("names")
    c = identifier.c
    return Statement(
        update(identifier)
        .where(c.value == names.c.name, c.patient_id == bindparam("from_id"))
        .values(patient_id=bindparam("to_id"))
        .add_cte(*moved)
    )


_MOVE_ALL: Final = _moving_all()
_RETIRE: Final = Statement(
    update(patient).where(patient.c.patient_id == bindparam("p")).values(merged_into=bindparam("survivor"))
)
_RECORD: Final = Statement(
    insert(patient_merge).values({name: bindparam(name) for name in Merge.__dataclass_fields__ if name != "undone_at"})
)


_PATIENCE: Final = Statement(text("SET LOCAL statement_timeout = '10min'"))
"""A patient may have more documents than a request's time allows to move, and nobody can send a smaller merge."""


def merge(work: Work, made: Merge) -> None:
    """Everything of the subsumed patient is the survivor's. Both are locked already."""
    values = {"from_id": made.subsumed, "to_id": made.survivor, **_marks(made.subsumed, made.survivor)}
    if work.takes_many_inserts_at_once:
        work.run(_PATIENCE)
        work.run(_MOVE_ALL, values)
    else:
        for each in (_RENAME, *_MOVE):
            work.run(each, values)
    work.run(_RETIRE, {"p": made.subsumed, "survivor": made.survivor})
    record = {name: getattr(made, name) for name in Merge.__dataclass_fields__}
    work.run(_RECORD, record)


@lru_cache
def _rename_back(size: int) -> Statement:
    selects = []
    for table in MOVED:
        of_whom = (table.c.patient_id == bindparam("from_id"), among(table.c.filed_under, size))
        selects += _names(table, *of_whom)
    return Statement(_rename(selects))


@lru_cache
def _move_back(size: int) -> tuple[Statement, ...]:
    return tuple(
        Statement(
            update(table)
            .where(table.c.patient_id == bindparam("from_id"), among(table.c.filed_under, size))
            .values(_values(table, kind, func.nullif(table.c.filed_under, bindparam("to_id"))))
        )
        for table, kind in _KINDS
    )


_REVIVE: Final = Statement(update(patient).where(patient.c.patient_id == bindparam("p")).values(merged_into=null()))
_UNDONE: Final = Statement(
    update(patient_merge).where(patient_merge.c.merge_id == bindparam("m")).values(undone_at=bindparam("now"))
)


def unmerge(work: Work, undone: Merge, filed_under: Iterable[str], now: str) -> int:
    """Give back what was filed under these ids; the number of objects moved. Both patients are locked already."""
    names = sorted(set(filed_under))
    if work.takes_many_inserts_at_once:
        work.run(_PATIENCE)
    values: dict[str, Any] = {"from_id": undone.survivor, "to_id": undone.subsumed}
    values |= _marks(undone.survivor, undone.subsumed)
    values |= {f"v{number}": name for number, name in enumerate(names)}
    work.run(_rename_back(len(names)), values)
    moved = sum(work.run(each, values) for each in _move_back(len(names)))
    work.run(_REVIVE, {"p": undone.subsumed})
    work.run(_UNDONE, {"m": undone.merge_id, "now": now})
    return moved


@dataclass(frozen=True, slots=True)
class Tie:
    """An Association as far as an undone merge looks at it; whether it goes from a SubmissionSet to a document."""

    entry_uuid: str
    source: str
    target: str
    is_inclusion: bool


def _going(size: int) -> Any:
    """The objects of a survivor that were filed under some ids."""
    return union_all(
        *(
            select(table.c.entry_uuid).where(
                table.c.patient_id == bindparam("survivor"), among(table.c.filed_under, size)
            )
            for table in MOVED
        )
    )


@lru_cache
def _moving(size: int) -> Statement:
    return Statement(_going(size))


def _given(survivor: str, filed_under: Iterable[str]) -> tuple[int, dict[str, str]]:
    names = sorted(set(filed_under))
    return len(names), {"survivor": survivor, **{f"v{number}": name for number, name in enumerate(names)}}


def moving(work: Work, survivor: str, filed_under: Iterable[str]) -> set[str]:
    """The objects of a survivor that were filed under these ids."""
    size, values = _given(survivor, filed_under)
    return {row[0] for row in work.rows(_moving(size), values)}


@lru_cache
def _ties(size: int, end: str) -> Statement:
    c = association.c
    going = _going(size).cte("going")
    included = select(literal_column("1")).where(submission_set.c.entry_uuid == c.source).exists()
    document = select(literal_column("1")).where(entry.c.entry_uuid == c.target).exists()
    chosen = select(c.entry_uuid, c.source, c.target, included & document)
    return Statement(chosen.join(going, going.c.entry_uuid == c[end]))


def ties(work: Work, survivor: str, filed_under: Iterable[str]) -> list[Tie]:
    """All Associations that are among those objects, or join one of them."""
    size, values = _given(survivor, filed_under)
    found = {row for end in ("entry_uuid", "source", "target") for row in work.rows(_ties(size, end), values)}
    return [Tie(name, source, target, bool(kind)) for name, source, target, kind in sorted(found)]


@lru_cache
def _split(size: int) -> Statement:
    """Objects with a version that would go and one that would stay."""
    selects = []
    for table in (entry, folder):
        other = table.alias("other")
        # Only what is not the latest version any more can have a later one.
        mine = (table.c.patient_id == bindparam("survivor"), among(table.c.filed_under, size))
        goes = (*mine, table.c.is_latest != 1)
        stays = or_(other.c.filed_under.is_(None), ~among(other.c.filed_under, size))
        selects.append(
            select(table.c.entry_uuid)
            .join(other, other.c.logical_id == table.c.logical_id)
            .where(*goes, other.c.patient_id == bindparam("survivor"), stays)
        )
    return Statement(union_all(*selects))


def split_versions(work: Work, survivor: str, filed_under: Iterable[str]) -> set[str]:
    """Objects of these ids that have got a new version under the survivor."""
    size, values = _given(survivor, filed_under)
    return {row[0] for row in work.rows(_split(size), values)}
