"""Verifies the whole trail, and says exactly where it is not what it was.

Each record is judged against the hash that stands at the one before, so that one change is one finding. Where hashes
were made anew as well, the signed checkpoints say between which two of them it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from auditing.chain import Checkpoint, Witness, link
from auditing.indexing import indexed
from auditing.store import archives
from auditing.store.archives import Archive
from auditing.store.records import the_head
from auditing.store.walking import Walked, entries, entries_beyond, pages, stated
from common.db import Database

MOST_FINDINGS: Final = 100
_MOST_MOVED: Final = 64


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, where: at a record, or from one to another."""

    kind: str
    first: int
    last: int
    told: str


@dataclass(slots=True)
class Verdict:
    """What was found; ``count`` counts findings beyond those that are told, too."""

    records: int = 0
    checkpoints: int = 0
    indexed: int = 0
    last: int = 0
    archived: int = 0
    """Up to which record the trail is in files; the walk begins behind it."""
    count: int = 0
    findings: list[Finding] = field(default_factory=list)
    chain_seconds: float = 0.0
    index_seconds: float = 0.0

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return self.count == 0

    def add(self, kind: str, first: int, last: int, told: str) -> None:
        """One more finding."""
        self.count += 1
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(kind, first, last, told))


@dataclass(slots=True)
class _Suspect:
    """A record whose hash does not fit, and the hash that it would have to fit to."""

    number: int
    received_at: int
    raw: bytes
    hash: bytes
    previous: bytes
    earlier: bytes
    """The hash two records before, or none."""


class _Chain:
    """The walk along the hashes."""

    def __init__(self, verdict: Verdict, number: int, hashed: bytes) -> None:
        """The last record that is archived, and its hash; or what is before the first of all."""
        self._verdict = verdict
        self._previous: bytes | None = hashed
        self._alternative: bytes | None = None
        self._earlier = b""
        self._expected = number + 1
        self._suspects: list[_Suspect] = []
        self._bad: list[int] = []

    def take(self, rows: Sequence[Walked]) -> None:
        """One page."""
        verdict = self._verdict
        for number, received_at, raw, hashed in rows:
            if number != self._expected:
                self._gap(number)
            previous = self._previous
            made = None if previous is None else link(previous, number, received_at, raw)
            if made is not None and made != hashed:
                self._mismatch(number, received_at, raw, hashed, made)
            else:
                self._alternative = None
            self._earlier, self._previous = self._previous or b"", hashed
            self._expected = number + 1
            verdict.last = number
        verdict.records += len(rows)

    def _gap(self, number: int) -> None:
        if number < self._expected:
            self._verdict.add("inserted", number, number, f"record {number} stands where none can be: it was put in")
            return
        first, last = self._expected, number - 1
        told = f"record {first} is missing" if first == last else f"records {first} to {last} are missing"
        self._verdict.add("missing", first, last, told)
        self._previous = self._alternative = None

    def _mismatch(self, number: int, received_at: int, raw: bytes, hashed: bytes, made: bytes) -> None:
        if self._alternative is not None and link(self._alternative, number, received_at, raw) == hashed:
            # It fits to the hash that the record before should have: that hash alone was changed.
            before = number - 1
            if self._bad and self._bad[-1] == before:
                self._bad.pop()
                self._suspects = [each for each in self._suspects if each.number != before]
            self._verdict.add("hash", before, before, f"the hash at record {before} was changed, and not its content")
            self._alternative = None
            return
        self._bad.append(number)
        if len(self._suspects) < _MOST_MOVED:
            assert self._previous is not None
            self._suspects.append(_Suspect(number, received_at, raw, hashed, self._previous, self._earlier))
        self._alternative = made

    def end(self) -> None:
        """Tell of the records that do not fit: those that were moved as such, and runs of others as one."""
        put_in = self._put_in()
        moved = self._moved() if not put_in else {}
        for number, origin in sorted(moved.items()):
            self._verdict.add("moved", number, number, f"record {number} holds what was record {origin}: moved")
        for first, last in _runs([each for each in self._bad if each not in moved]):
            at = next((number for number in put_in if first <= number + 1 <= first + 1), None)
            if at is not None:
                told = f"record {at} was put in: records {at + 1} to {last} are those that were one before"
                self._verdict.add("inserted", at, at, told)
            elif first == last:
                told = f"record {first} was changed (its hash does not fit its content and the record before)"
                self._verdict.add("changed", first, last, told)
            else:
                told = f"records {first} to {last} were changed: no hash fits"
                self._verdict.add("changed", first, last, told)

    def _put_in(self) -> list[int]:
        """Where a record stands that was not there: the one after it fits to its place."""
        return [
            each.number - 1
            for each in self._suspects
            if link(each.earlier, each.number - 1, each.received_at, each.raw) == each.hash
        ]

    def _moved(self) -> dict[int, int]:
        """Of the records that do not fit, those that would at another's place."""
        found = {}
        for one in self._suspects:
            for other in self._suspects:
                if one is other:
                    continue
                times = {one.received_at, other.received_at}
                if any(link(other.previous, other.number, at, one.raw) == other.hash for at in times):
                    found[one.number] = other.number
        return found


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Numbers that follow on each other, as pairs of first and last."""
    first = last = None
    for number in numbers:
        if last is not None and number == last + 1:
            last = number
            continue
        if first is not None and last is not None:
            yield first, last
        first = last = number
    if first is not None and last is not None:
        yield first, last


class _Points:
    """Checkpoints against the chain, as that passes by."""

    def __init__(self, verdict: Verdict, witness: Witness | None) -> None:
        self._verdict, self._witness = verdict, witness
        self._waiting: list[tuple[Checkpoint, str]] = []
        self._good = 0

    def take(self, points: Iterable[Checkpoint], where: str) -> None:
        """Those of one place."""
        for point in points:
            self._verdict.checkpoints += 1
            if self._witness is not None and not self._witness.confirms(point):
                foreign = not self._witness.knows(point)
                told = f"is signed by another key, {point.key[:16]!r}" if foreign else "is not signed by the key"
                told = f"the checkpoint at record {point.number} {where} {told}"
                self._verdict.add("signature", point.number, point.number, told)
                continue
            self._waiting.append((point, where))

    def begin(self) -> None:
        """All are there."""
        self._waiting.sort(key=lambda each: each[0].number, reverse=True)

    def state(self, number: int, hashed: bytes) -> bool:
        """Whether one of them states this of a record."""
        return any((point.number, point.hash) == (number, hashed) for point, _ in self._waiting)

    def pass_by(self, rows: Sequence[Walked]) -> None:
        """Judge those at these records."""
        if not self._waiting or self._waiting[-1][0].number > rows[-1][0]:
            return
        hashes = {row[0]: bytes(row[3]) for row in rows}
        while self._waiting and self._waiting[-1][0].number <= rows[-1][0]:
            point, where = self._waiting.pop()
            found = hashes.get(point.number)
            if found == point.hash:
                self._good = max(self._good, point.number)
            elif found is not None:
                told = (
                    f"the checkpoint at record {point.number} {where} has another hash: something from record "
                    f"{self._good + 1} to {point.number} was changed, and the hashes made anew"
                )
                self._verdict.add("rewritten", self._good + 1, point.number, told)

    def end(self) -> None:
        """Those that are left are of records that are not there any more."""
        last = self._verdict.last
        for point, where in sorted(self._waiting, key=lambda each: -each[0].number)[:1]:
            told = (
                f"the checkpoint at record {point.number} {where} lies beyond the end of the trail: records {last + 1} "
                f"to {point.number} were cut off"
            )
            self._verdict.add("cut", last + 1, point.number, told)


def verify(
    database: Database,
    *,
    witness: Witness | None = None,
    elsewhere: Sequence[Checkpoint] = (),
    with_index: bool = True,
    progress: Callable[[int], None] = lambda _number: None,
) -> Verdict:
    """The whole trail, streamed; without a ``witness`` no signature is judged.

    Where a part of it is archived meanwhile, what was walked through is gone, and it is begun again.
    """
    while True:
        verdict = _walked(database, witness, elsewhere, with_index, progress)
        with database.read() as work:
            archived, _ = archives.end(archives.known(work))
        if archived == verdict.archived:
            return verdict


def _walked(
    database: Database,
    witness: Witness | None,
    elsewhere: Sequence[Checkpoint],
    with_index: bool,
    progress: Callable[[int], None],
) -> Verdict:
    verdict = Verdict()
    points = _Points(verdict, witness)
    points.take(stated(database), "in the database")
    points.take(elsewhere, "kept elsewhere")
    points.begin()
    with database.read() as work:
        number, hashed = the_head(work)
        archived = archives.known(work)
        oldest = archives.oldest(work)
    verdict.archived, base = archives.end(archived)
    verdict.last = verdict.archived
    chain = _Chain(verdict, verdict.archived, base)
    if archived:
        _check_archives(archived, oldest, points, verdict)
    held: bytes | None = None
    after = verdict.archived if archived else -(2**62)
    began = time.perf_counter()
    for rows in pages(database, verdict.archived if archived else None):
        chain.take(rows)
        points.pass_by(rows)
        ended = time.perf_counter()
        if rows[0][0] <= number <= rows[-1][0]:
            held = next((bytes(row[3]) for row in rows if row[0] == number), None)
        if with_index:
            _check_index(database, rows, after, verdict)
            verdict.index_seconds += time.perf_counter() - ended
        after = rows[-1][0]
        progress(verdict.records)
    verdict.chain_seconds = time.perf_counter() - began - verdict.index_seconds
    chain.end()
    points.end()
    _check_head(number, hashed, held, verdict)
    if with_index and (beyond := entries_beyond(database)):
        verdict.add("index", beyond, beyond, f"the index has an entry of record {beyond}, which is not there")
    return verdict


def _check_archives(archived: list[Archive], oldest: int | None, points: _Points, verdict: Verdict) -> None:
    """Files follow on each other, a signed checkpoint states where they end, and what is in them is gone from here."""
    expected = 1
    for each in archived:
        if each.first != expected or each.last < each.first:
            told = f"the archive of records {each.first} to {each.last} does not follow on the one before"
            verdict.add("archive", each.first, each.last, told)
        if not points.state(each.last, each.hash):
            told = f"no checkpoint states the hash at record {each.last}, with which {each.file} ends"
            verdict.add("archive", each.last, each.last, told)
        expected = each.last + 1
    last = archived[-1]
    points.pass_by([(last.last, 0, b"", last.hash)])
    if oldest is not None and oldest <= last.last:
        told = f"records from {oldest} on are archived, and still here: `portolan audit archive` takes them out"
        verdict.add("archive", oldest, last.last, told)


def _check_head(number: int, hashed: bytes, held: bytes | None, verdict: Verdict) -> None:
    """The head, as it was before the walk, is a record of the walk."""
    if number > verdict.last:
        told = f"records {verdict.last + 1} to {number} were cut off: the head of the chain still names them"
        verdict.add("cut", verdict.last + 1, number, told)
    elif number and held != hashed:
        verdict.add("head", number, number, f"the head of the chain does not agree with record {number}")
    elif not number and verdict.records and not hashed:
        verdict.add("head", 0, 0, "the head of the chain is missing")


def _check_index(database: Database, rows: Sequence[Walked], after: int, verdict: Verdict) -> None:
    """The index says of each record what its bytes say, and of no other record after the page before."""
    there = entries(database, after, rows[-1][0])
    for number, received_at, raw, _ in rows:
        wanted = indexed(raw, received_at)
        found, times = there.pop(number, (None, frozenset()))
        verdict.indexed += 1
        if found is None:
            verdict.add("index", number, number, f"record {number} is not in the index, and is found by no search")
        elif found != wanted:
            verdict.add("index", number, number, f"the index of record {number} does not say what the record says")
        elif times - {wanted.at}:
            verdict.add("index", number, number, f"the index has record {number} at another time")
    for number in sorted(there):
        verdict.add("index", number, number, f"the index has an entry of record {number}, which is not there")
