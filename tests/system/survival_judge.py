"""What is left after something went wrong: database and store against each other, and both against what was sent."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from click.testing import CliRunner
from sqlalchemy import create_engine, select

from common.model import AssociationType
from console.cli import portolan
from registry.store.tables import association, entry, submission_set
from tests.running import Pair
from tests.system.survival_kit import Book, Letter, retrieval
from tests.wire import Services, answer


def check(pair: Pair, *options: str, differences: bool = False) -> dict[str, Any]:
    """What `portolan check` says; unless told otherwise nothing may differ."""
    # What tells the tests how long to go on is no setting.
    environment: dict[str, str | None] = {name: None for name in os.environ if name.startswith("PORTOLAN_")}
    environment |= {name: value for name, value in pair.registry.environment.items() if name.startswith("PORTOLAN_")}
    done = CliRunner().invoke(portolan, ["check", "--json", *options], env=environment)
    assert done.exit_code == 0 or (differences and done.exit_code == 1), (done.output[-3000:], done.exception)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def judged(pair: Pair, book: Book, *, sample: int = 300) -> dict[str, int]:
    """Hold every promise of rows D1 to D6 against what was sent; some numbers of what was seen."""
    assert book.wrong == [], book.wrong[:10]
    rows = _rows(pair.settings["DATABASE"])
    known = {row.unique_id for row in rows.entries}
    acknowledged = {name for name, letter in book.letters.items() if letter.acknowledged}
    assert acknowledged <= known, f"{len(acknowledged - known)} acknowledged documents are not registered"
    assert known <= book.letters.keys(), "something is registered that was not submitted"
    _are_equal(rows.entries, book)
    _are_whole(rows, book)
    _are_replaced(rows.entries, book)
    doubtful = [letter for name, letter in book.letters.items() if not letter.acknowledged]
    _can_be_had(pair.services, book, random.Random(7).sample(sorted(acknowledged), min(sample, len(acknowledged))))
    for letter in doubtful[:sample]:
        _is_whole_or_nowhere(pair.services, letter, known)
    return {
        "acknowledged": len(acknowledged),
        "in doubt and there": sum(letter.unique_id in known for letter in doubtful),
        "in doubt and not": sum(letter.unique_id not in known for letter in doubtful),
    }


@dataclass
class _Rows:
    entries: Sequence[Any]
    sets: Sequence[Any]
    links: Sequence[Any]


def _rows(url: str) -> _Rows:
    engine = create_engine(url)
    fields = entry.c
    wanted = (
        fields.entry_uuid,
        fields.logical_id,
        fields.unique_id,
        fields.patient_id,
        fields.version,
        fields.availability_status,
        fields.hash,
    )
    with engine.connect() as connection:
        entries = connection.execute(select(*wanted)).all()
        sets = connection.execute(select(submission_set.c.entry_uuid)).all()
        links = connection.execute(select(association.c.type, association.c.source, association.c.target)).all()
    engine.dispose()
    return _Rows(entries, sets, links)


def _are_equal(entries: Iterable[Any], book: Book) -> None:
    """Entry and document agree on content and patient; `check --deep` holds the bytes against the entry's hash."""
    for row in entries:
        letter = book.letters[row.unique_id]
        assert (row.hash, row.patient_id) == (letter.entry.hash, letter.entry.patient_id)


def _are_whole(rows: _Rows, book: Book) -> None:
    """Each entry is filed in a SubmissionSet, once for each version; each successor has its RPLC."""
    sets = {row.entry_uuid for row in rows.sets}
    member = AssociationType.HAS_MEMBER.value
    filed = Counter(row.target for row in rows.links if row.type == member and row.source in sets)
    assert all(filed[row.entry_uuid] >= 1 for row in rows.entries), "an entry is in no SubmissionSet"
    assert len(sets) == len(rows.entries), "a SubmissionSet has no entry, or more than one"
    replaced = {row.target for row in rows.links if row.type == AssociationType.RPLC.value}
    present = {row.unique_id for row in rows.entries}
    wanted = {letter.replaces for letter in book.letters.values() if letter.replaces and letter.unique_id in present}
    assert replaced == wanted


def _are_replaced(entries: Sequence[Any], book: Book) -> None:
    """Deprecated is what was replaced or has a later version, and nothing else."""
    present = {row.unique_id for row in entries}
    replaced = {letter.replaces for letter in book.letters.values() if letter.replaces and letter.unique_id in present}
    latest = {row.logical_id: max(row.version, 0) for row in sorted(entries, key=lambda row: row.version)}
    for row in entries:
        is_current = row.availability_status.endswith("Approved")
        assert is_current == (row.entry_uuid not in replaced and row.version == latest[row.logical_id]), row
    for name, version in book.versions.items():
        assert latest.get(name, 1) >= version, "an acknowledged update is gone"


def _can_be_had(services: Services, book: Book, names: Sequence[str]) -> None:
    def had(name: str) -> None:
        own = services.apart()
        assert answer(retrieval(own, name)).documents() == {name: book.letters[name].content}

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(had, names))


def _is_whole_or_nowhere(services: Services, letter: Letter, known: set[str]) -> None:
    told = answer(retrieval(services, letter.unique_id))
    if letter.unique_id in known:
        assert told.documents() == {letter.unique_id: letter.content}, told.contexts
    else:
        assert told.codes == ["XDSDocumentUniqueIdError"], told.contexts
