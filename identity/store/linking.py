"""Identifiers and the persons that they are of: read under lock, and written.

Whoever changes what a person's identifiers are holds that person's row, and has looked again at the identifiers since:
when they were of another person a moment ago, everything is decided again (Conflict).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import and_, bindparam, delete, insert, or_, select, text, update

from common.db import Conflict, Row, Statement, Work
from identity.rules.identifiers import Domain, Key
from identity.rules.linking import Known
from identity.store.statements import is_one_of, is_one_of_keys, made, rows_of, rows_of_keys
from identity.store.tables import demographics, identifier, person, searched

_c = identifier.c
_states = made(
    lambda size: Statement(
        select(_c.root, _c.extension, _c.person, _c.merged_into_root, _c.merged_into_extension, _c.merged_by).where(
            is_one_of_keys(size)
        )
    )
)
_numbers = made(
    lambda size: Statement(
        select(_c.person, _c.root, _c.extension).where(
            is_one_of(_c.person, size), _c.national == 1, _c.merged_into_root.is_(None)
        )
    )
)
_locked = made(
    lambda size: Statement(
        select(person.c.person).where(is_one_of(person.c.person, size)).order_by(person.c.person).with_for_update()
    )
)
_NEW_PERSON: Final = Statement(insert(person).values(person=bindparam("person")))
_NEW: Final = Statement(
    text(
        "INSERT INTO pix_identifier (root, extension, person, national, told_at) "
        "VALUES (:root, :extension, :person, :national, :told_at) ON CONFLICT (root, extension) DO NOTHING"
    )
)
_this = and_(_c.root == bindparam("b_root"), _c.extension == bindparam("b_extension"))
_merged_into_this = and_(
    _c.merged_into_root == bindparam("b_root"), _c.merged_into_extension == bindparam("b_extension")
)
_SUBSUME: Final = Statement(
    update(identifier)
    .where(_this)
    .values(
        merged_into_root=bindparam("into_root"),
        merged_into_extension=bindparam("into_extension"),
        merged_by=bindparam("merged_by"),
        merged_at=bindparam("merged_at"),
    )
)
_FOLLOW: Final = Statement(
    update(identifier)
    .where(_merged_into_this)
    .values(merged_into_root=bindparam("into_root"), merged_into_extension=bindparam("into_extension"))
)
_MOVE_ONE: Final = Statement(
    update(identifier).where(or_(_this, _merged_into_this)).values(person=bindparam("new_person"))
)
_MOVE_ALL: Final = Statement(
    update(identifier).where(_c.person == bindparam("b_person")).values(person=bindparam("new_person"))
)
_HAS_ANY: Final = Statement(select(_c.root).where(_c.person == bindparam("b_person")).limit(1))
_GONE: Final = Statement(delete(person).where(person.c.person == bindparam("b_person")))
_FORGET: Final = tuple(
    Statement(delete(table).where(table.c.root == bindparam("b_root"), table.c.extension == bindparam("b_extension")))
    for table in (demographics, searched)
)


def known(work: Work, keys: Sequence[Key]) -> Known:
    """What is known of identifiers, and stays so until the unit of work ends: their persons are locked."""
    before = _state(work, keys)
    persons = {row[2] for row in before}
    if len(rows_of(work, _locked, sorted(persons))) < len(persons) or _state(work, keys) != before:
        raise Conflict("somebody else was about to change the same person")
    found = rows_of(work, _numbers, sorted(persons))
    subsumed = [row for row in before if row[3] is not None]
    return Known(
        persons={Key(row[0], row[1]): row[2] for row in before},
        survivors={Key(row[0], row[1]): Key(row[3], row[4]) for row in subsumed},
        merged_by={Key(row[0], row[1]): row[5] for row in subsumed},
        numbers={row[0]: Key(row[1], row[2]) for row in found},
    )


def _state(work: Work, keys: Iterable[Key]) -> list[Row]:
    return sorted({tuple(row) for row in rows_of_keys(work, _states, sorted(set(keys)))}, key=lambda row: row[:2])


def new_person(work: Work, name: str) -> None:
    """A person without identifiers."""
    work.run(_NEW_PERSON, {"person": name})


def add(work: Work, keys: Iterable[Key], owner: str, domain: Domain, now: str) -> None:
    """Identifiers that nobody knew, in the same order for everybody; Conflict when one is known by now."""
    for key in sorted(keys):
        national = 1 if domain.is_national(key) else 0
        values = {"root": key.root, "extension": key.extension, "person": owner, "national": national, "told_at": now}
        if not work.run(_NEW, values):
            raise Conflict("somebody else told of the same identifier")


def move_all(work: Work, leaving: str, joined: str) -> None:
    """Every identifier of a person becomes another's."""
    work.run(_MOVE_ALL, {"b_person": leaving, "new_person": joined})
    work.run(_GONE, {"b_person": leaving})


def move_one(work: Work, key: Key, leaving: str, joined: str) -> None:
    """An identifier, with what was merged into it, becomes another person's."""
    work.run(_MOVE_ONE, {"b_root": key.root, "b_extension": key.extension, "new_person": joined})
    if not work.rows(_HAS_ANY, {"b_person": leaving}):
        work.run(_GONE, {"b_person": leaving})


def subsume(work: Work, key: Key, survivor: Key, message_id: str, now: str) -> None:
    """An identifier counts no more, and with it goes what its authority told of it; what was merged into it follows."""
    into = {"into_root": survivor.root, "into_extension": survivor.extension}
    this = {"b_root": key.root, "b_extension": key.extension}
    work.run(_FOLLOW, {**this, **into})
    work.run(_SUBSUME, {**this, **into, "merged_by": message_id, "merged_at": now})
    for statement in _FORGET:
        work.run(statement, this)
