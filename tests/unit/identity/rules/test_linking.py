"""The rules of linking against a simple model: sets of identifiers, joined and moved in plain Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.db import Database, open_database
from common.feeds.problem import Problem, Side
from common.hl7.refusals import Condition
from identity.crossreference import CrossReference, Told
from identity.rules.identifiers import Domain, Key, unusable
from identity.rules.linking import Known, Linking, linking, pair
from identity.store import conflicts, schema
from tests.factories import AUTHORITY

NUMBERS = tuple(Key(AUTHORITY, number) for number in ("9990001006", "9990001014", "9990001022"))
LOCAL = tuple(Key(root, name) for root in ("2.999.1", "2.999.2") for name in "ABC")
DOMAIN = Domain(AUTHORITY)
SOME = st.lists(st.sampled_from(NUMBERS + LOCAL), min_size=1, max_size=3, unique=True)
TELL = st.tuples(st.just("tell"), SOME)
PAIRS = [(one, two) for one in NUMBERS + LOCAL for two in NUMBERS + LOCAL if one.root == two.root]
MERGE = st.tuples(st.just("merge"), st.sampled_from(PAIRS))


class Model:
    """What should be: persons are sets, and a subsumed identifier is a pointer."""

    def __init__(self) -> None:
        self.persons: list[set[Key]] = []
        self.survivor: dict[Key, Key] = {}

    def current(self, key: Key) -> Key:
        """The identifier itself, or who survived it."""
        while key in self.survivor:
            key = self.survivor[key]
        return key

    def person(self, key: Key) -> set[Key] | None:
        """The current identifiers of a person, by any of theirs."""
        return next((each for each in self.persons if self.current(key) in each), None)

    def tell(self, keys: list[Key]) -> bool:
        """Whether it was accepted."""
        meant = {self.current(key) for key in keys}
        touched = [each for each in self.persons if each & meant]
        joined = meant.union(*touched)
        if len(joined & set(NUMBERS)) > 1:
            return False
        self.persons = [each for each in self.persons if each not in touched] + [joined]
        return True

    def merge(self, subsumed: Key, survivor: Key) -> bool:
        """Whether it was accepted."""
        if subsumed == survivor or subsumed in self.survivor or survivor in self.survivor:
            return False
        if self.person(subsumed) is None and subsumed not in NUMBERS:
            return False
        for key in (subsumed, survivor):
            if self.person(key) is None:
                self.persons.append({key})
        leaving, joined = self.person(subsumed), self.person(survivor)
        assert leaving is not None
        assert joined is not None
        numbers = (leaving | joined) & set(NUMBERS)
        leaving.discard(subsumed)
        if leaving is not joined and (subsumed in NUMBERS or len(numbers) < 2):
            self.persons.remove(leaving)
            joined |= leaving
        self.persons = [each for each in self.persons if each]
        self.survivor[subsumed] = survivor
        return True


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Database:
    folder: Path = tmp_path_factory.mktemp("linking")
    made = open_database(f"sqlite:///{folder / 'identity.db'}")
    schema.upgrade(made)
    made.engine.raw_connection().close()
    return made


def emptied(database: Database) -> CrossReference:
    """A cross-reference that knows nobody."""
    with database.engine.begin() as connection:
        for table in ("pix_identifier", "pix_person", "pix_conflict", "pix_demographics", "pix_searched"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    return CrossReference(database, DOMAIN)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(TELL, MERGE), max_size=12))
def test_whatever_is_told_the_persons_are_those_of_the_model(
    database: Database, steps: list[tuple[str, list[Key]]]
) -> None:
    reference, model = emptied(database), Model()
    for number, (kind, keys) in enumerate(steps):
        name = f"message {number}"
        if kind == "tell":
            problem, accepted = reference.tell(Told(tuple(keys), name)), model.tell(keys)
        else:
            subsumed, survivor = keys
            problem = reference.merge(Told((survivor,), name), (subsumed,))
            accepted = model.merge(subsumed, survivor)
        assert (problem is None) == accepted, (kind, keys, problem)
    for key in NUMBERS + LOCAL:
        found, expected = reference.person_of(key), model.person(key)
        assert set(found.keys if found else ()) == (expected or set())
        assert sum(each in NUMBERS for each in (found.keys if found else ())) <= 1


def test_a_conflict_is_kept_with_its_identifiers(database: Database) -> None:
    reference = emptied(database)
    reference.tell(Told((LOCAL[0], NUMBERS[0]), "1"))

    problem = reference.tell(Told((LOCAL[0], NUMBERS[1]), "2"))

    assert problem is not None
    assert problem.is_conflict
    with database.read() as work:
        [kept] = conflicts.conflicts(work)
    assert set(kept.identifiers) == {LOCAL[0].cx(), NUMBERS[1].cx()}


def test_a_hospitals_merge_of_persons_with_two_numbers_is_told_to_an_administrator(database: Database) -> None:
    reference = emptied(database)
    reference.tell(Told((LOCAL[0], NUMBERS[0]), "1"))
    reference.tell(Told((LOCAL[1], NUMBERS[1]), "2"))

    assert reference.merge(Told((LOCAL[1],), "3"), (LOCAL[0],)) is None

    with database.read() as work:
        [kept] = conflicts.conflicts(work)
    assert (kept.kind, set(kept.identifiers)) == ("merge", {key.cx() for key in (*LOCAL[:2], *NUMBERS[:2])})


def test_a_person_with_an_nhs_number_stays_and_others_join() -> None:
    known = Known(persons={LOCAL[0]: "a", LOCAL[1]: "b"}, numbers={"b": NUMBERS[0]})

    assert linking(LOCAL[:3], known, DOMAIN) == Linking("b", ("a",), (LOCAL[2],))


@pytest.mark.parametrize(
    ("prior", "keys", "side"),
    [
        ([LOCAL[0]], [LOCAL[0]], Side.SUBSUMED),
        ([LOCAL[0], LOCAL[1]], [LOCAL[2]], Side.SUBSUMED),
        ([LOCAL[0], NUMBERS[0]], [LOCAL[1], NUMBERS[1]], Side.SUBSUMED),
        ([LOCAL[0]], [LOCAL[3]], Side.SURVIVOR),
        ([LOCAL[0]], [LOCAL[1], LOCAL[2]], Side.SURVIVOR),
    ],
)
def test_a_merge_names_one_pair_of_one_authority(prior: list[Key], keys: list[Key], side: Side) -> None:
    found = pair(prior, keys)

    assert isinstance(found, Problem)
    assert found.side is side


def test_ids_that_both_sides_have_are_not_what_is_merged() -> None:
    assert pair([LOCAL[0], NUMBERS[0]], [NUMBERS[0], LOCAL[1]]) == (LOCAL[0], LOCAL[1])


@pytest.mark.parametrize(
    ("key", "condition"),
    [
        (Key(AUTHORITY, "9990001007"), Condition.UNKNOWN_KEY),
        (Key("not an oid", "1"), Condition.DATA_TYPE),
        (Key("2.999.1", "x" * 257), Condition.DATA_TYPE),
    ],
)
def test_an_id_that_is_wrong_by_itself_is_refused(key: Key, condition: Condition) -> None:
    problem = unusable([LOCAL[0], key], Side.SURVIVOR, DOMAIN)

    assert problem is not None
    assert problem.condition is condition
    assert key.extension not in problem.reason


def test_test_numbers_are_refused_where_they_are_not_taken() -> None:
    assert unusable(NUMBERS[:1], Side.SURVIVOR, Domain(AUTHORITY, test_numbers=False)) is not None
    assert unusable(NUMBERS[:1], Side.SURVIVOR, DOMAIN) is None
