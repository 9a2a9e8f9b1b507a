"""Takes the oldest stretch of the trail out of the database, into a file that can be verified on its own.

The order is what matters: verified, written, read back and verified, noted in the trail, and only then taken out. Where
that is cut short, nothing is lost, and the next run goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from auditing import using
from auditing.archive import Archived, BadArchive, Stretch, sha256_of, synced, verify, write
from auditing.chain import Checkpoint, Witness
from auditing.own import Deed
from auditing.store import archives
from auditing.store.walking import pages, stated
from auditing.verifying import Finding, Verdict
from auditing.verifying import verify as verify_trail
from common.db import Conflict, Database
from common.faults import checkpoint


class CannotArchive(Exception):  # noqa: N818
    """Why nothing was archived; ``findings`` are what is wrong with the stretch."""

    def __init__(self, told: str, findings: tuple[Finding, ...] = ()) -> None:
        super().__init__(told)
        self.findings = findings


@dataclass(frozen=True, slots=True)
class Plan:
    """What would go: the stretch, and the checkpoints in it, the last of which is at its end."""

    stretch: Stretch
    points: tuple[Checkpoint, ...]


def plan(database: Database, before: int, witness: Witness, elsewhere: tuple[Checkpoint, ...] = ()) -> Plan | None:
    """Up to the newest checkpoint before which all records came before a time; None where there is none.

    CannotArchive where the stretch does not verify, or a checkpoint that is kept elsewhere says otherwise.
    """
    with database.read(snapshot=True) as work:
        since, hashed = archives.end(archives.known(work))
        last = archives.before(work, before)
    found = [each for each in stated(database, since) if last is None or each.number <= last]
    points = tuple(each for each in found if witness.confirms(each))
    if not points:
        return None
    stretch = Stretch(since + 1, points[-1].number, hashed, points[-1].hash)
    verdict = verify_trail(database, witness=witness, elsewhere=elsewhere)
    wrong = _in(verdict, stretch)
    if wrong:
        raise CannotArchive(f"records up to {stretch.last} do not verify", wrong)
    return Plan(stretch, points)


def _in(verdict: Verdict, stretch: Stretch) -> tuple[Finding, ...]:
    """What is wrong with it; of more findings than are told some may be."""
    found = tuple(each for each in verdict.findings if each.first <= stretch.last)
    return tuple(verdict.findings) if verdict.count > len(verdict.findings) else found


def carry_out(
    database: Database,
    planned: Plan,
    folder: Path,
    witness: Witness,
    deed: Callable[[str], Deed],
    trail: str,
) -> tuple[Path, str, int]:
    """The file, its SHA-256, and how many records went; CannotArchive, OSError.

    ``deed`` says who does it, given what was done.
    """
    stretch = planned.stretch
    place = folder / stretch.file
    if not place.exists():  # else a run before was cut short behind here
        unfinished = place.with_name(f".{place.name}.part")
        unfinished.unlink(missing_ok=True)
        write(unfinished, stretch, _records(database, stretch), planned.points)
        checkpoint("trail.file")
        unfinished.rename(place)
    synced(folder)  # whichever run has named it
    try:
        if verify(place, witness) != stretch:
            raise BadArchive("it holds another stretch")
    except BadArchive as error:
        raise CannotArchive(f"{place} does not verify: {error}") from error
    sha256 = sha256_of(place)
    told = f"records {stretch.first} to {stretch.last} were put into {stretch.file} (SHA-256 {sha256}), and taken out"
    using.note_deed(database, deed(told), trail)
    try:
        archives.keep(database, stretch, time.time_ns() // 1000, sha256)
    except Conflict as error:
        raise CannotArchive("somebody else has archived these records meanwhile") from error
    return place, sha256, archives.take_out(database)


def _records(database: Database, stretch: Stretch) -> Iterator[Archived]:
    for rows in pages(database, stretch.first - 1):
        for number, received_at, raw, hashed in rows:
            if number > stretch.last:
                return
            yield Archived(number, received_at, bytes(raw), bytes(hashed))
