"""The audit trail in a real database: kept once, in a chain, and whatever is done to it behind its back is found."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from auditing.app import the_signer
from auditing.chain import Checkpoint, Signer, new_key
from auditing.checkpointing import Checkpointer, Pace
from auditing.search import Wanted
from auditing.store import searching
from auditing.store.records import append
from auditing.store.tables import KEPT
from auditing.verifying import Verdict, verify
from common.db import Database
from common.followed import Followed
from common.settings import Settings
from tests.unit.auditing.kit import AT, a_patient, a_trail, an_event, fill, received, syslog

COUNT = 60
TABLES = ("arr_head", *(table.name for table in KEPT))


@dataclass
class Trail:
    """A trail with sixty records and three checkpoints, the last of them at its end, and a file of these."""

    database: Database
    signer: Signer
    file: Path
    lines: bytes = b""
    triggers: list[str] = field(default_factory=list)

    def verdict(self, *, elsewhere: bool = False, **options: Any) -> Verdict:
        """What is found."""
        lines = self.file.read_text().splitlines() if elsewhere else []
        return verify(
            self.database,
            witness=self.signer.witness,
            elsewhere=[Checkpoint.of_line(line) for line in lines],
            **options,
        )

    def kinds(self, **options: Any) -> list[tuple[str, int, int]]:
        """Kind and place of each finding."""
        return [(each.kind, each.first, each.last) for each in self.verdict(**options).findings]

    def tamper(self, *statements: str, **values: Any) -> None:
        """What somebody does who may do anything in the database."""
        with self.database.engine.begin() as connection:
            for table in KEPT:
                if self.database.is_sqlite:
                    for act in ("update", "delete"):
                        connection.execute(text(f"DROP TRIGGER IF EXISTS {table.name}_{act}_guard"))
                else:
                    connection.execute(text(f"ALTER TABLE {table.name} DISABLE TRIGGER ALL"))
            for statement in statements:
                connection.execute(text(statement), values)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trail]:
    """A trail, and beside it a copy of its tables."""
    folder = tmp_path_factory.mktemp("trail")
    url = f"sqlite:///{folder / 'trail.db'}"
    if request.param == "postgresql":
        new: Callable[[], str] = request.getfixturevalue("postgres_database")
        url = new()
    database = a_trail(url)
    trail = Trail(database, Signer.of_pem(new_key()[0]), folder / "checkpoints")
    points = Checkpointer(database, lambda: trail.signer, Pace(20, 3600), trail.file)
    for _ in range(3):
        begin = _count(database)
        fill(database, 20, lambda number, begin=begin: _message(begin + number))
        assert points.look() is not None
    trail.lines = trail.file.read_bytes()
    with database.engine.begin() as connection:
        for name in TABLES:
            connection.execute(text(f"CREATE TABLE saved_{name} AS SELECT * FROM {name}"))
        found = (
            connection.execute(
                text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name <> 'arr_archive'")
            )
            if database.is_sqlite
            else ()
        )
        trail.triggers = [str(sql) for (sql,) in found]
    yield trail
    database.close()


@pytest.fixture
def trail(made: Trail) -> Iterator[Trail]:
    """A trail that a test may harm: it is put right afterwards."""
    yield made
    made.tamper(
        *(f"DELETE FROM {name}" for name in TABLES),
        *(f"INSERT INTO {name} SELECT * FROM saved_{name}" for name in TABLES),
        *made.triggers,
    )
    if not made.database.is_sqlite:
        with made.database.engine.begin() as connection:
            for table in KEPT:
                connection.execute(text(f"ALTER TABLE {table.name} ENABLE TRIGGER ALL"))
    made.file.write_bytes(made.lines)


def _count(database: Database) -> int:
    with database.engine.connect() as connection:
        return int(connection.scalar(text("SELECT count(*) FROM arr_record")) or 0)


def _message(number: int) -> bytes:
    patient = a_patient(f"999000{number % 7:04}")
    outcome = "8" if number % 5 == 0 else "0"
    at = f"2026-03-11T14:{number:02}:00.000Z"
    return syslog(an_event(patient=patient, user=f"user{number % 3}", outcome=outcome, at=at), number)


def test_a_trail_that_nobody_touched_is_whole(trail: Trail) -> None:
    verdict = trail.verdict(elsewhere=True)

    assert verdict.is_whole
    assert (verdict.records, verdict.indexed, verdict.checkpoints) == (COUNT, COUNT, 6)


def test_a_message_that_comes_again_is_kept_once(trail: Trail) -> None:
    new = syslog(an_event(), 999)

    kept = append(trail.database, received(_message(3), new, new, _message(4)))

    assert (kept.numbers, kept.known) == ((COUNT + 1,), 3)
    assert trail.verdict().is_whole


def test_those_who_add_at_once_make_one_chain(trail: Trail) -> None:
    def add(who: int) -> None:
        for number in range(10):
            append(trail.database, received(syslog(an_event(), 10_000 + who * 100 + number)))

    threads = [threading.Thread(target=add, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    verdict = trail.verdict()
    assert (verdict.is_whole, verdict.records) == (True, COUNT + 40)


@pytest.mark.parametrize("table", [table.name for table in KEPT])
def test_the_database_itself_refuses_to_change_a_row(trail: Trail, table: str) -> None:
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET number = number + 1"):
        with pytest.raises(DBAPIError, match="only ever added to"), trail.database.engine.begin() as connection:
            connection.execute(text(statement))


def test_a_changed_record_is_found_wherever_it_is(trail: Trail) -> None:
    for number in random.Random(3).sample(range(1, COUNT + 1), 5):
        [(before,)] = _rows(trail, "SELECT raw FROM arr_record WHERE number = :number", number=number)
        trail.tamper(
            "UPDATE arr_record SET raw = :raw WHERE number = :number",
            raw=bytes(before).replace(b"user", b"usel"),
            number=number,
        )
        assert ("changed", number, number) in trail.kinds()
        assert ("index", number, number) in trail.kinds()
        trail.tamper("UPDATE arr_record SET raw = :raw WHERE number = :number", raw=bytes(before), number=number)
    assert trail.verdict().is_whole


def _rows(trail: Trail, statement: str, **values: Any) -> list[Any]:
    with trail.database.engine.connect() as connection:
        return list(connection.execute(text(statement), values))


@pytest.mark.parametrize("number", [1, 20, 37, 60])
def test_a_changed_time_is_found(trail: Trail, number: int) -> None:
    trail.tamper("UPDATE arr_record SET received_at = received_at + 1 WHERE number = :number", number=number)

    assert ("changed", number, number) in trail.kinds(with_index=False)


@pytest.mark.parametrize("number", [1, 20, 37, 59])
def test_a_changed_hash_is_told_from_a_changed_record(trail: Trail, number: int) -> None:
    trail.tamper("UPDATE arr_record SET hash = :hash WHERE number = :number", hash=b"x" * 32, number=number)

    found = trail.kinds()
    assert ("hash", number, number) in found
    assert not [each for each in found if each[0] == "changed"]


@pytest.mark.parametrize(("first", "last"), [(1, 1), (7, 7), (20, 25), (59, 59)])
def test_missing_records_are_found(trail: Trail, first: int, last: int) -> None:
    trail.tamper("DELETE FROM arr_record WHERE number BETWEEN :first AND :last", first=first, last=last)

    found = trail.kinds()
    assert found[0] == ("missing", first, last)
    assert {each[0] for each in found[1:]} == {"index"}


def test_an_end_that_was_cut_off_is_found_by_the_head(trail: Trail) -> None:
    trail.tamper(*(f"DELETE FROM {name} WHERE number > 50" for name in ("arr_record", "arr_event", "arr_term")))

    assert ("cut", 51, 60) in trail.kinds()


def _cut(trail: Trail) -> None:
    """With all that the database knows of it."""
    trail.tamper(
        *(
            f"DELETE FROM {name} WHERE number > 50"
            for name in ("arr_record", "arr_event", "arr_term", "arr_checkpoint")
        ),
        "UPDATE arr_head SET number = 50, hash = (SELECT hash FROM arr_record WHERE number = 50)",
    )


def test_an_end_that_was_cut_off_everywhere_is_found_by_checkpoints_kept_elsewhere(trail: Trail) -> None:
    _cut(trail)

    assert trail.verdict().is_whole
    assert trail.kinds(elsewhere=True) == [("cut", 51, 60)]


def test_an_end_that_was_replaced_is_found_by_checkpoints_kept_elsewhere(trail: Trail) -> None:
    _cut(trail)
    fill(trail.database, 15, lambda number: _message(100 + number))

    assert trail.verdict().is_whole
    assert trail.kinds(elsewhere=True) == [("rewritten", 41, 60)]


def test_records_that_changed_places_are_found_as_moved(trail: Trail) -> None:
    trail.tamper(
        "UPDATE arr_record SET digest = :other WHERE number = 12",
        "UPDATE arr_record SET raw = (SELECT raw FROM arr_record WHERE number = 12) WHERE number = 31",
        other=b"y",
    )
    [(one,)] = _rows(trail, "SELECT raw FROM arr_record WHERE number = 12")
    assert ("moved", 31, 12) not in trail.kinds()
    trail.tamper("UPDATE arr_record SET raw = :raw WHERE number = 12", raw=_message(30))

    found = trail.kinds(with_index=False)
    assert [each for each in found if each[0] == "moved"] == [("moved", 12, 12), ("moved", 31, 31)]
    assert bytes(one) == _message(11)


def test_an_inserted_record_is_found_where_it_was_put_in(trail: Trail) -> None:
    later = "UPDATE arr_record SET number = {} WHERE number {}"
    trail.tamper(
        later.format("-number - 1", ">= 30"),
        later.format("-number", "< 0"),
        "INSERT INTO arr_record SELECT 30, received_at, :raw, :digest, hash FROM arr_record WHERE number = 31",
        raw=syslog(an_event(), 5_000),
        digest=b"z",
    )

    assert ("inserted", 30, 30) in trail.kinds(with_index=False)
    assert "31 to 61" in trail.verdict(with_index=False).findings[-2].told


def test_a_record_put_in_before_the_first_is_found(trail: Trail) -> None:
    trail.tamper(
        "INSERT INTO arr_record SELECT 0, received_at, :raw, :digest, hash FROM arr_record WHERE number = 1",
        raw=syslog(an_event(), 5_000),
        digest=b"z",
    )

    assert ("inserted", 0, 0) in trail.kinds()


def test_a_chain_that_was_made_anew_is_found_between_two_checkpoints(trail: Trail) -> None:
    from auditing.chain import link

    rows = _rows(trail, "SELECT number, received_at, raw, hash FROM arr_record ORDER BY number")
    hashed = bytes(rows[24].hash)
    for number, at, raw, _ in rows[25:]:
        content = bytes(raw).replace(b"user", b"usel") if number == 26 else bytes(raw)
        hashed = link(hashed, number, at, content)
        trail.tamper(
            "UPDATE arr_record SET raw = :raw, hash = :hash WHERE number = :number",
            raw=content,
            hash=hashed,
            number=number,
        )
    trail.tamper("UPDATE arr_head SET hash = :hash", hash=hashed)

    found = trail.kinds(with_index=False)
    assert found == [("rewritten", 21, 40), ("rewritten", 21, 60)]


def test_a_checkpoint_that_the_key_did_not_sign_is_found(trail: Trail) -> None:
    trail.tamper("UPDATE arr_checkpoint SET at = at + 1 WHERE number = 40")
    assert trail.kinds() == [("signature", 40, 40)]

    forged = Signer.of_pem(new_key()[0]).sign(60, b"h" * 32, 1)
    trail.tamper(
        "UPDATE arr_checkpoint SET hash = :hash, key = :key, signature = :signature WHERE number = 60",
        hash=forged.hash,
        key=forged.key,
        signature=forged.signature,
    )
    assert trail.kinds() == [("signature", 40, 40), ("signature", 60, 60)]
    assert "another key" in trail.verdict().findings[1].told


INDEX = (
    ("UPDATE arr_event SET outcome = 0 WHERE number = 6", 6),
    ("UPDATE arr_event SET at = at + 1 WHERE number = 6", 6),
    ("DELETE FROM arr_event WHERE number = 6", 6),
    ("DELETE FROM arr_term WHERE number = 6 AND kind = 'patient'", 6),
    ("UPDATE arr_term SET value = 'x|y' WHERE number = 6 AND kind = 'patient'", 6),
    ("UPDATE arr_term SET at = 0 WHERE number = 6 AND kind = 'patient'", 6),
    ("INSERT INTO arr_term (kind, value, at, number) VALUES ('user', 'somebody', 1, 6)", 6),
    ("INSERT INTO arr_term (kind, value, at, number) VALUES ('user', 'somebody', 1, 99)", 99),
    ("INSERT INTO arr_event SELECT 99, at, '', '', '', 0, '', '', '' FROM arr_event WHERE number = 6", 99),
)


@pytest.mark.parametrize(("statement", "number"), INDEX, ids=[each[0][:60] for each in INDEX])
def test_an_index_that_does_not_say_what_the_record_says_is_found(trail: Trail, statement: str, number: int) -> None:
    trail.tamper(statement)

    assert trail.kinds() == [("index", number, number)]
    assert trail.kinds(with_index=False) == []


def test_random_harm_is_found_at_its_place(trail: Trail) -> None:
    seed = random.Random(20260311)
    for _ in range(12):
        number = seed.randrange(2, COUNT)
        [(raw,)] = _rows(trail, "SELECT raw FROM arr_record WHERE number = :number", number=number)
        harmed = bytearray(raw)
        harmed[seed.randrange(len(harmed))] ^= 1 << seed.randrange(8)
        trail.tamper("UPDATE arr_record SET raw = :raw WHERE number = :number", raw=bytes(harmed), number=number)
        assert trail.kinds(with_index=False) == [("changed", number, number)]
        trail.tamper("UPDATE arr_record SET raw = :raw WHERE number = :number", raw=bytes(raw), number=number)


def test_records_are_found_by_what_they_say(trail: Trail) -> None:
    def numbers(**wanted: Any) -> list[int]:
        return sorted(each.number - 1 for each in searching.search(trail.database, Wanted(**wanted)))

    everything = range(COUNT)
    patient = ("patient", ("9990000003|2.16.840.1.113883.2.1.4.1",))
    assert numbers(terms=(patient,)) == [n for n in everything if n % 7 == 3]
    assert numbers(terms=(("patient", ("9990000003|",)),)) == [n for n in everything if n % 7 == 3]
    assert numbers(terms=(("patient", ("999000000|",)),)) == []
    assert numbers(terms=(("user", ("user1", "user2")),)) == [n for n in everything if n % 3]
    assert numbers(terms=(patient, ("user", ("user0",))), outcomes=(8,)) == [
        n for n in everything if n % 7 == 3 and n % 3 == 0 and n % 5 == 0
    ]
    assert numbers(transactions=("ITI-43",)) == list(everything)
    assert numbers(transactions=("110106",), sources=("repository",), actions=("R",)) == list(everything)
    assert numbers(transactions=("ITI-18",)) == []
    minute = 60_000_000
    begin = AT - 20 * minute - 23_120_000
    assert numbers(since=begin + 10 * minute, until=begin + 12 * minute) == [10, 11]
    assert numbers(object_types=("1",), object_roles=("3",), events=("110106",)) == list(everything)
    assert numbers(object_roles=("24",)) == []


def test_a_search_is_paged_from_the_newest(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "PAGE", 7)

    assert [each.number for each in searching.search(trail.database, Wanted())] == list(range(COUNT, 0, -1))
    assert [each.number for each in searching.search(trail.database, Wanted(), 9)] == list(range(COUNT, COUNT - 9, -1))


def test_checkpoints_are_due_by_count_and_by_time_and_the_file_gets_what_it_lacks(trail: Trail) -> None:
    points = Checkpointer(trail.database, lambda: trail.signer, Pace(1000, 60.0), trail.file)
    newest = Checkpoint.of_line(trail.file.read_text().splitlines()[-1])
    assert points.look(newest.at / 1e6 + 3600) is None  # nothing is new

    append(trail.database, received(syslog(an_event(), 7_000)))
    assert points.look(newest.at / 1e6 + 30) is None
    trail.file.write_bytes(trail.file.read_bytes()[:-20])  # as a crash may leave it
    made = points.look(newest.at / 1e6 + 61)
    assert made is not None
    assert made.number == COUNT + 1

    lines = trail.file.read_text().splitlines()
    assert [Checkpoint.of_line(line).number for line in lines if line.endswith("}")] == [20, 40, 60, 61]
    assert points.look(whatever=True) is None


def test_the_key_is_followed_and_each_checkpoint_says_which_signed_it(trail: Trail, tmp_path: Path) -> None:
    clock, place = [0.0], tmp_path / "key.pem"
    place.write_bytes(new_key()[0])
    signer = the_signer(Settings(audit_repository_key=str(place)))
    assert isinstance(signer, Followed)
    signer._now, signer._looked = lambda: clock[0], 0.0
    points = Checkpointer(trail.database, signer, Pace(1000, 60.0))
    signed = []
    for key in (None, new_key()[0], b"half a ke"):
        if key is not None:
            place.write_bytes(key)
            clock[0] += 2
        append(trail.database, received(syslog(an_event(), 9_000 + len(signed))))
        made = points.look(whatever=True)
        assert made is not None
        assert signer().witness.confirms(made)
        signed.append(made.key)

    assert signed[0] != signed[1] == signed[2]
