"""Walks through the Registry's tables in pages, each in a snapshot of its own, with constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from common.db import Database, Work
from registry.store import checking
from registry.store.checking import FIRST, KeptEntry, KeptLink, Key

PAGE: Final = 256

Kept = TypeVar("Kept", KeptEntry, KeptLink)
Made = TypeVar("Made")


def entry_pages(database: Database, make: Callable[[Work, list[KeptEntry]], Made]) -> Iterator[Made]:
    """What is made of each page of DocumentEntries, within its snapshot."""
    return _pages(database, checking.entries, make)


def link_pages(database: Database, make: Callable[[Work, list[KeptLink]], Made]) -> Iterator[Made]:
    """What is made of each page of Associations, within its snapshot."""
    return _pages(database, checking.links, make)


def _pages(
    database: Database, rows: Callable[[Work, Key, int], list[Kept]], make: Callable[[Work, list[Kept]], Made]
) -> Iterator[Made]:
    after = FIRST
    while True:
        # The snapshot ends before anything is handed out: whoever takes it may be slow, or ask again.
        with database.read(snapshot=True) as work:
            page = rows(work, after, PAGE)
            made = make(work, page) if page else None
        if made is None:
            return
        yield made
        after = page[-1].key
