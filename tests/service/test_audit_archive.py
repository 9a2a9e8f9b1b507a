"""The oldest part of the trail in files: verified on their own, and the trail from there on as before."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from auditing import archiving, verifying
from auditing.archive import BadArchive, Stretch, follow, verify
from auditing.archiving import CannotArchive, carry_out, plan
from auditing.chain import Checkpoint, Signer, Witness, link, new_key
from auditing.checkpointing import Checkpointer, Pace
from auditing.own import Deed
from auditing.reading import read_event
from auditing.search import Wanted
from auditing.store import archives, schema, searching
from auditing.store.records import append
from auditing.store.tables import KEPT
from auditing.verifying import verify as verify_trail
from common.db import Conflict, Database, open_database
from console.cli import portolan
from tests.unit.auditing.kit import a_patient, a_trail, an_event, received, syslog

EACH = 20
URL = "https://audit.northbeck.example/audit"


@dataclass
class Trail:
    """Sixty records that came a second after each other, and a checkpoint after each twenty."""

    database: Database
    folder: Path
    signer: Signer = field(default_factory=lambda: Signer.of_pem(new_key()[0]))

    def __post_init__(self) -> None:
        for begin in range(0, 3 * EACH, EACH):
            self.add(*range(begin + 1, begin + EACH + 1))
            self.point()

    def add(self, *numbers: int) -> None:
        for number in numbers:
            message = syslog(an_event(patient=a_patient(), user=f"user{number}"), number)
            append(self.database, received(message, at=number * 1_000_000))

    def point(self) -> None:
        assert Checkpointer(self.database, lambda: self.signer, Pace(1, 1.0)).look() is not None

    @property
    def witness(self) -> Witness:
        return self.signer.witness

    def archive(self, before: int) -> tuple[Path, str, int] | None:
        """Whatever came before a record."""
        planned = plan(self.database, before * 1_000_000, self.witness)
        if planned is None:
            return None
        return carry_out(self.database, planned, self.folder, self.witness, deed, URL)

    def findings(self) -> list[tuple[str, int, int]]:
        found = verify_trail(self.database, witness=self.witness).findings
        return [(each.kind, each.first, each.last) for each in found]

    def run(self, statement: str, *guards: str, **values: Any) -> None:
        """Whatever the database lets one do; with ``guards`` what whoever owns it may, on these tables."""
        with self.database.engine.begin() as connection:
            for table in guards:
                if self.database.is_sqlite:
                    for act in ("update", "delete"):
                        connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_{act}_guard"))
                else:
                    connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
            connection.execute(text(statement), values)


def deed(told: str) -> Deed:
    return Deed("r.manager", "portolan audit archive", "here", told)


@pytest.fixture(params=["sqlite", "postgresql"])
def trail(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Trail]:
    url = f"sqlite:///{tmp_path / 'trail.db'}"
    if request.param == "postgresql":
        new: Callable[[], str] = request.getfixturevalue("postgres_database")
        url = new()
    (tmp_path / "archive").mkdir()
    made = Trail(a_trail(url), tmp_path / "archive")
    yield made
    made.database.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Trail]:
    """The same on SQLite, where it is not the database that counts."""
    made = Trail(a_trail(f"sqlite:///{tmp_path / 'trail.db'}"), tmp_path)
    yield made
    made.database.close()


def test_a_stretch_goes_into_a_file_and_both_verify_on_their_own(trail: Trail) -> None:
    done = trail.archive(before=50)
    assert done is not None
    place, sha256, gone = done

    assert (place.name, gone) == ("trail-000000000001-000000000040.jsonl.gz", 40)
    assert place.stat().st_mode & 0o777 == 0o600
    stretch = verify(place, trail.witness)
    assert (stretch.first, stretch.last) == (1, 40)
    verdict = verify_trail(trail.database, witness=trail.witness)
    assert (verdict.findings, verdict.archived, verdict.records, verdict.indexed) == ([], 40, 21, 21)
    found = list(searching.search(trail.database, Wanted()))
    assert {each.number for each in found} == set(range(41, 62))
    event = read_event(next(each.raw for each in found if each.number == 61))
    assert (event.id.code, event.types[0].code) == ("110113", "110132")
    assert event.participants[0].user_id == "r.manager"
    assert f"records 1 to 40 were put into {place.name} (SHA-256 {sha256})" in event.description


def test_archives_join_on_to_each_other_and_the_trail_goes_on(trail: Trail) -> None:
    first = trail.archive(before=30)
    trail.add(*range(61, 70))
    trail.point()
    second = trail.archive(before=10_000)  # what was noted of the first came now, and is no part of it

    assert first is not None
    assert second is not None
    stretches = [verify(each[0], trail.witness) for each in (second, first)]
    assert [(each.first, each.last) for each in stretches] == [(21, 60), (1, 20)]
    follow(stretches)
    with pytest.raises(BadArchive, match="does not join on"):
        follow([stretches[1], Stretch(21, 60, b"x" * 32, b"y" * 32)])
    assert trail.findings() == []
    assert trail.archive(before=10_000) is None


def test_only_what_is_archived_can_be_taken_out(trail: Trail) -> None:
    assert trail.archive(before=30) is not None

    for statement in (
        "DELETE FROM arr_record WHERE number = 21",
        "DELETE FROM arr_term WHERE number = 21",
        "DELETE FROM arr_event",
        "UPDATE arr_record SET number = 1 WHERE number = 21",
        "DELETE FROM arr_archive",
        "UPDATE arr_archive SET number = 60",
        "DELETE FROM arr_checkpoint WHERE number = 20",
    ):
        with pytest.raises(DBAPIError, match="only ever added to"):
            trail.run(statement)
    assert trail.findings() == []


def test_what_does_not_verify_is_not_archived(trail: Trail) -> None:
    trail.run("UPDATE arr_record SET raw = :raw WHERE number = 55", "arr_record", raw=b"changed")
    assert trail.archive(before=30) is not None, "what is wrong behind the stretch is no reason"

    trail.run("UPDATE arr_record SET raw = :raw WHERE number = 25", "arr_record", raw=b"changed")
    with pytest.raises(CannotArchive) as refused:
        trail.archive(before=50)
    assert {(each.kind, each.first) for each in refused.value.findings} == {("changed", 25), ("index", 25)}
    assert len(list(trail.folder.iterdir())) == 1


def test_a_checkpoint_that_is_kept_elsewhere_has_its_say(small: Trail) -> None:
    other = small.signer.sign(15, b"x" * 32, 1)
    with pytest.raises(CannotArchive):
        plan(small.database, 50_000_000, small.witness, (other,))
    assert plan(small.database, 50_000_000, small.witness) is not None


def test_nothing_is_archived_without_a_checkpoint_of_the_key(small: Trail) -> None:
    assert small.archive(before=20) is None
    stranger = Signer.of_pem(new_key()[0]).witness
    assert plan(small.database, 50_000_000, stranger) is None


def test_checkpoints_of_several_keys_count_where_all_are_named(small: Trail) -> None:
    old, new = small.signer, Signer.of_pem(new_key()[0])
    small.signer = new
    small.add(*range(61, 65))
    small.point()
    with pytest.raises(CannotArchive):
        plan(small.database, 10**15, new.witness)

    both = Witness(new.public, old.public)
    planned = plan(small.database, 10**15, both)
    assert planned is not None
    place, _, _ = carry_out(small.database, planned, small.folder, both, deed, URL)
    assert verify(place, both).last == 64
    with pytest.raises(BadArchive, match="not signed by the key"):
        verify(place, new.witness)


class Cut(Exception):  # noqa: N818
    """What ends a run."""


def cut_at(step: str, patched: pytest.MonkeyPatch) -> None:
    """At a step by its name, the second time where one is said."""
    name, _, times = step.partition(" x")
    left = int(times or 1)

    def reached(given: str) -> None:
        nonlocal left
        left -= given == name
        if not left:
            raise Cut

    for place in (archiving, archives):
        patched.setattr(place, "checkpoint", reached)
    patched.setattr(archives, "AT_ONCE", 15)
    if name == "note":
        patched.setattr(archiving.using, "note_deed", lambda *_given: reached("note"))


@pytest.mark.parametrize(
    ("step", "there"),
    [("trail.file", 60), ("note", 60), ("trail.archived", 61), ("trail.taken", 61), ("trail.taken x2", 46)],
)
def test_a_run_that_was_cut_short_loses_nothing_and_the_next_one_ends_it(
    trail: Trail, step: str, there: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        cut_at(step, patched)
        with pytest.raises(Cut):
            trail.archive(before=50)
    assert len(_numbers(trail)) == there
    is_archived = step.startswith("trail.taken")
    assert trail.findings() == ([("archive", 61 - there + 1, 40)] if is_archived else [])

    if is_archived:
        assert archives.take_out(trail.database) == there - 21
    else:
        assert trail.archive(before=50) is not None
    assert trail.findings() == []
    assert verify(trail.folder / "trail-000000000001-000000000040.jsonl.gz", trail.witness).last == 40
    assert min(row[0] for row in _numbers(trail)) == 41


def _numbers(trail: Trail) -> list[Any]:
    with trail.database.engine.connect() as connection:
        return list(connection.execute(text("SELECT number FROM arr_record")))


def test_a_file_that_is_there_already_and_is_another_is_left_alone(small: Trail) -> None:
    place = small.folder / "trail-000000000001-000000000040.jsonl.gz"
    place.write_bytes(b"something else")

    with pytest.raises(CannotArchive, match="damaged, or no archive"):
        small.archive(before=50)
    assert place.read_bytes() == b"something else"
    assert len(_numbers(small)) == 60


def test_of_two_who_archive_the_same_records_up_to_different_ones_one_wins(trail: Trail) -> None:
    planned = plan(trail.database, 30 * 1_000_000, trail.witness)
    assert planned is not None
    assert trail.archive(before=50) is not None

    with pytest.raises(Conflict):
        archives.keep(trail.database, planned.stretch, 1, "")
    assert trail.findings() == []


def test_a_trail_that_is_archived_while_it_is_verified_is_not_taken_for_cut(
    small: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordinary, done = verifying.pages, []

    def meanwhile(database: Database, after: int | None) -> Iterator[Any]:
        if not done:
            done.append(True)
            small.archive(before=50)
        return ordinary(database, after)

    monkeypatch.setattr(verifying, "pages", meanwhile)
    verdict = verify_trail(small.database, witness=small.witness)
    assert (verdict.findings, verdict.archived, verdict.records) == ([], 40, 21)


def test_what_somebody_says_is_archived_has_to_be_stated_by_a_checkpoint(trail: Trail) -> None:
    row = "INSERT INTO arr_archive VALUES (:number, 1, :hash, 1, 'x', 'y')"
    trail.run(row, number=30, hash=b"x" * 32)
    trail.run("DELETE FROM arr_term WHERE number <= 30")
    trail.run("DELETE FROM arr_event WHERE number <= 30")
    trail.run("DELETE FROM arr_record WHERE number <= 30")

    assert ("archive", 30, 30) in trail.findings()


def test_a_trail_of_the_release_before_is_brought_to_this_one_as_it_is(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    new: Callable[[], str] = request.getfixturevalue("postgres_database")
    for url in f"sqlite:///{tmp_path / 'trail.db'}", new():
        with closing(open_database(url)) as database:
            schema.upgrade(database, "0001")
            append(database, received(*(syslog(an_event(), number) for number in range(5))))
            schema.upgrade(database)
            for table in KEPT[:3]:
                with pytest.raises(DBAPIError, match="only ever added to"), database.engine.begin() as connection:
                    connection.execute(text(f"DELETE FROM {table.name}"))
            assert verify_trail(database).is_whole


def lines_of(place: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(place.read_bytes()).splitlines()]


def change_record(lines: list[dict[str, Any]]) -> None:
    lines[10]["raw"] = base64.b64encode(b"changed").decode()


def rehash(lines: list[dict[str, Any]]) -> None:
    """A record changed, and all hashes made anew, that of the whole as well."""
    change_record(lines)
    hashed = bytes.fromhex(lines[0]["before"])
    for line in lines:
        if "record" in line:
            hashed = link(hashed, line["record"], line["received_at"], base64.b64decode(line["raw"]))
            line["hash"] = hashed.hex()
    lines[0]["hash"] = hashed.hex()


def restate(lines: list[dict[str, Any]]) -> None:
    """The same, with checkpoints that state it, by another key."""
    rehash(lines)
    hashes = {line["record"]: bytes.fromhex(line["hash"]) for line in lines if "record" in line}
    forger = Signer.of_pem(new_key()[0])
    for line in lines:
        if "checkpoint" in line:
            number = Checkpoint.of_line(line["checkpoint"]).number
            line["checkpoint"] = forger.sign(number, hashes[number], 1).line()


TAMPERED: dict[str, tuple[Callable[[list[dict[str, Any]]], object], str]] = {
    "a record changed": (change_record, "record 8 is not what it was"),
    "all hashes made anew": (rehash, "has another hash"),
    "and stated by another key": (restate, "not signed by the key"),
    "a record taken out": (lambda lines: lines.pop(10), "not in its place"),
    "a record twice": (lambda lines: lines.insert(10, lines[10]), "not in its place"),
    "the end cut off": (lambda lines: lines.pop(), "it ends with record 39"),
    "a time changed": (lambda lines: lines[10].update(received_at=1), "record 8 is not"),
    "a time that is none": (lambda lines: lines[10].update(received_at="x"), "no record"),
    "no record": (lambda lines: lines[10].pop("raw"), "no record"),
    "no checkpoint at the end": (lambda lines: lines.pop(2), "no checkpoint states its end"),
    "a checkpoint that is none": (lambda lines: lines[1].update(checkpoint="x"), "no checkpoint"),
    "another beginning": (lambda lines: lines[0].update(before="00" * 32), "record 1 is not"),
    "no beginning": (lambda lines: lines.pop(0), "no archive of an audit trail"),
    "no hash": (lambda lines: lines[0].pop("hash"), "first line"),
    "no records": (lambda lines: lines[0].update(last=0), "no records"),
    "a line that is no object": (lambda lines: lines.insert(10, []), "no object"),  # type: ignore[arg-type]
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Witness]:
    folder = tmp_path_factory.mktemp("whole")
    made = Trail(a_trail(f"sqlite:///{folder / 'trail.db'}"), folder)
    done = made.archive(before=50)
    made.database.close()
    assert done is not None
    return done[0], made.witness


@pytest.mark.parametrize(("change", "told"), TAMPERED.values(), ids=TAMPERED)
def test_a_file_that_was_changed_is_found_out(
    whole: tuple[Path, Witness], tmp_path: Path, change: Callable[[list[dict[str, Any]]], object], told: str
) -> None:
    lines = lines_of(whole[0])
    change(lines)
    place = tmp_path / "changed.jsonl.gz"
    place.write_bytes(gzip.compress("".join(f"{json.dumps(line)}\n" for line in lines).encode()))

    with pytest.raises(BadArchive, match=told):
        verify(place, whole[1])


def test_a_file_with_any_byte_changed_is_found_out_or_says_the_same(
    whole: tuple[Path, Witness], tmp_path: Path
) -> None:
    data, place, found = bytearray(whole[0].read_bytes()), tmp_path / "changed.gz", 0
    right = verify(*whole)
    for at in range(0, len(data), max(1, len(data) // 150)):
        data[at] ^= 0x10
        place.write_bytes(data)
        try:
            assert verify(place, whole[1]) == right  # the head of gzip has bytes that say nothing
        except BadArchive:
            found += 1
        data[at] ^= 0x10
    assert found > 140
    for cut in (0, 5, 500, len(data) - 1):
        place.write_bytes(data[:cut])
        with pytest.raises(BadArchive):
            verify(place, whole[1])


@pytest.mark.parametrize("line", ["1" * 5000, "[" * 100_000, "\ud800"], ids=["a number", "depth", "no text"])
def test_a_line_that_no_json_reader_likes_is_no_breakdown(tmp_path: Path, line: str) -> None:
    place = tmp_path / "odd.jsonl.gz"
    place.write_bytes(gzip.compress(f"{line}\n".encode("utf-8", "surrogatepass")))

    with pytest.raises(BadArchive, match="damaged, or no archive"):
        verify(place, None)


def test_the_command_archives_and_others_say_that_it_was(tmp_path: Path) -> None:
    trail = Trail(a_trail(f"sqlite:///{tmp_path / 'audit-trail.db'}"), tmp_path / "archive")
    trail.folder.mkdir()
    (tmp_path / "key.pub").write_bytes(trail.witness.pem())
    trail.database.close()

    def run(*arguments: str, code: int = 0) -> str:
        environment = {"PORTOLAN_DATA": str(tmp_path), "PORTOLAN_AUDIT_REPOSITORY_URL": URL}
        done = CliRunner(env=environment).invoke(portolan, ["audit", *arguments])
        assert done.exit_code == code, done.output
        return done.output

    keyed = ("--public-key", str(tmp_path / "key.pub"))
    assert "No key is known" in run("archive", str(trail.folder), "--before", "2026-01-01", "--yes", code=1)
    assert "Nothing is archived" in run("archive", str(trail.folder), "--before", "1969-01-01", "--yes", *keyed)
    run("archive", str(trail.folder), "--before", "1970-01-01T00:00:50", *keyed, code=1)  # nobody said yes
    assert "records 1 to 40 into" not in run("verify", *keyed)
    told = run("archive", str(trail.folder), "--before", "1970-01-01T00:00:50", "--yes", *keyed)
    assert "took 40 records out" in told

    place = trail.folder / "trail-000000000001-000000000040.jsonl.gz"
    assert "whole" in run("verify-archive", str(place), *keyed)
    assert "signatures are not verified" in run("verify-archive", str(place))
    assert "behind record 40" in run("verify", *keyed)
    assert json.loads(run("verify", "--json", *keyed))["archived"] == 40
    assert "Records 1 to 40 were archived" in run("search", "--patient", "9990001006")
    assert "Records 1 to 40 were archived" in run("report", "--patient", "9990001006")
    place.write_bytes(place.read_bytes()[:-50])
    assert "NOT WHOLE" in run("verify-archive", str(place), *keyed, code=1)
    assert "no record 7" in run("show", "7", code=1)
