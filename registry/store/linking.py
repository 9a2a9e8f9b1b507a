"""Objects by their ids, and the Associations between them, for the Get queries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import and_, select

from common.db import Statement, Work
from common.model import Association, DocumentEntry
from registry.store.finding import TABLES, Found, Kind, columns, level_clauses
from registry.store.statements import among, fetch
from registry.store.tables import association


@dataclass(frozen=True, slots=True)
class Link:
    """An Association with what it joins."""

    found: Found
    type: str
    source: str
    target: str


@lru_cache(maxsize=256)
def _by_uuid(size: int, kind: Kind, leaf: bool, level: int, marked: bool) -> Statement:
    table = TABLES[kind]
    clauses = [among(table.c.entry_uuid, size), *level_clauses(kind, level)]
    return Statement(select(*columns(table, leaf, marked=marked)).where(and_(*clauses)))


def objects(
    work: Work, kind: Kind, uuids: Iterable[str], *, leaf: bool, level: int, marked: bool = False
) -> list[Found]:
    """Objects of one kind by entryUUID, of any status."""
    marked = marked and kind is DocumentEntry
    found = fetch(work, lambda size: _by_uuid(size, kind, leaf, level, marked), uuids)  # type: ignore[arg-type]
    return [Found(kind, *row) for row in found]


@lru_cache(maxsize=256)
def _by_end(size: int, end: str, leaf: bool) -> Statement:
    c = association.c
    selected = select(c.type, c.source, c.target, *columns(association, leaf))
    return Statement(selected.where(among(c[end], size)))


@lru_cache(maxsize=64)
def _links_by_uuid(size: int, leaf: bool) -> Statement:
    c = association.c
    selected = select(c.type, c.source, c.target, *columns(association, leaf))
    return Statement(selected.where(among(c.entry_uuid, size)))


def _links(rows: Iterable[tuple[str, ...]], statuses: frozenset[str]) -> list[Link]:
    found = []
    for type_, source, target, *rest in rows:
        item = Found(Association, *rest)  # type: ignore[arg-type]
        if item.status in statuses:
            found.append(Link(item, type_, source, target))
    return found


def links_from(work: Work, uuids: Iterable[str], statuses: frozenset[str], *, leaf: bool) -> list[Link]:
    """Associations whose source is among these."""
    return _links(fetch(work, lambda size: _by_end(size, "source", leaf), uuids), statuses)


def links_to(work: Work, uuids: Iterable[str], statuses: frozenset[str], *, leaf: bool) -> list[Link]:
    """Associations whose target is among these."""
    return _links(fetch(work, lambda size: _by_end(size, "target", leaf), uuids), statuses)


def links_at(work: Work, uuids: Iterable[str], statuses: frozenset[str], *, leaf: bool) -> list[Link]:
    """Associations with an end among these, each once."""
    names = set(uuids)
    both = links_from(work, names, statuses, leaf=leaf) + links_to(work, names, statuses, leaf=leaf)
    return list({link.found.entry_uuid: link for link in both}.values())


def links(work: Work, uuids: Iterable[str], statuses: frozenset[str], *, leaf: bool) -> list[Link]:
    """Associations by their own ids."""
    return _links(fetch(work, lambda size: _links_by_uuid(size, leaf), uuids), statuses)
