"""The outbox's store on both databases: durable, one letter for one request, one worker for one letter."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from common.db import Database, DatabaseError, open_database
from common.outbox.letter import Kind, Letter, State, Taken
from common.outbox.schema import SCHEMA, VERSION_TABLE
from common.outbox.store import Store
from common.outbox.tables import metadata


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'outbox.db'}"
    make: Callable[[], str] = request.getfixturevalue("postgres_database")
    return make()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A migrated outbox."""
    opened = open_database(url)
    SCHEMA.upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def store(database: Database) -> Store:
    """The registry's letters."""
    return Store(database, "registry")


def a_letter(number: int = 1, **differs: Any) -> Letter:
    """A letter of its own message."""
    given: dict[str, Any] = {
        "message_id": f"urn:uuid:{number}",
        "digest": "d",
        "transaction": "ITI-18",
        "correlation": "c" * 32,
        "kind": Kind.ANSWER,
        "outcome": "Success",
        "address": "http://127.0.0.1:9/answers",
        "content_type": "application/soap+xml",
        "content": b"<answer/>",
    }
    return Letter(**given | differs)


def taken(store: Store, lease: float = 60, *busy: str) -> Taken:
    found = store.take(lease, busy)
    assert found is not None
    return found


def test_the_migrations_make_the_tables_of_the_code(database: Database) -> None:
    assert SCHEMA.current(database) == SCHEMA.newest()
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert list(compare_metadata(context, metadata)) == []


def test_d13_several_who_migrate_at_once_do_it_once(url: str) -> None:
    def migrate(_: int) -> str:
        opened = open_database(url)
        try:
            return SCHEMA.upgrade(opened)[1]
        finally:
            opened.close()

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(migrate, range(4))) == {SCHEMA.newest()}


def test_what_was_kept_is_taken_whole_and_once(store: Store) -> None:
    given = a_letter(content=bytes(range(256)) * 100)
    store.keep(given)

    assert store.due() == 1
    assert taken(store).letter == given
    assert store.take(60) is None
    assert store.due() == 0


def test_a_request_that_is_sent_again_is_one_letter(store: Store) -> None:
    store.keep(a_letter())
    store.keep(a_letter(content=b"<again/>"))
    store.keep(a_letter(digest="other content under the same id"))

    assert len(store.lines(None, 10)) == 2
    assert taken(store).letter.content == b"<answer/>"


def test_an_answer_that_says_something_else_takes_the_place_of_the_one_that_waits(store: Store) -> None:
    store.keep(a_letter(outcome="Failure", content=b"<busy/>"))
    store.keep(a_letter(outcome="Success", content=b"<good/>"))

    assert taken(store).letter.content == b"<good/>"


def test_the_newer_answer_is_delivered_although_the_older_one_is_on_its_way(store: Store) -> None:
    store.keep(a_letter(outcome="Failure", content=b"<busy/>"))
    first = taken(store)
    store.keep(a_letter(outcome="Success", content=b"<good/>"))

    assert not store.end(first, State.DELIVERED)

    assert taken(store).letter.content == b"<good/>"


def test_what_was_delivered_is_delivered_again_when_it_is_asked_for_again(store: Store) -> None:
    store.keep(a_letter())
    assert store.end(taken(store), State.DELIVERED)
    assert store.take(60) is None

    store.keep(a_letter(content=b"<again/>"))

    again = taken(store)
    assert (again.letter.content, again.tries) == (b"<again/>", 1)
    assert len(store.lines(None, 10)) == 1


def test_the_content_goes_when_it_is_delivered_or_discarded_and_stays_when_it_is_dead(store: Store) -> None:
    for number, state in enumerate((State.DELIVERED, State.DEAD)):
        store.keep(a_letter(number))
        store.end(taken(store), state, "why")
    store.keep(a_letter(7))
    [waiting] = store.lines(State.WAITING, 10)
    assert store.discard(waiting.id, "not wanted")

    kept = {line.state: store.content(line.id) for line in store.lines(None, 10)}

    assert kept == {"delivered": None, "discarded": None, "dead": ("application/soap+xml", b"<answer/>")}


def test_a_dead_letter_is_replayed_and_no_other(store: Store) -> None:
    store.keep(a_letter())
    [line] = store.lines(None, 10)
    assert not store.replay(line.id)
    store.end(taken(store), State.DEAD, "gone")

    assert store.replay(line.id)

    assert taken(store).tries == 1


def test_a_lease_that_ran_out_leaves_the_letter_to_others(store: Store) -> None:
    store.keep(a_letter())
    first = taken(store, 0.2)
    assert store.take(60) is None
    time.sleep(0.25)

    second = taken(store)

    assert (second.id, second.tries) == (first.id, 2)
    assert not store.renew(first, 60)
    assert not store.end(first, State.DELIVERED)
    assert not store.retry(first, 0, "late")
    assert store.end(second, State.DELIVERED)


def test_a_lease_that_is_renewed_lasts(store: Store) -> None:
    store.keep(a_letter())
    held = taken(store, 0.2)
    assert store.renew(held, 60)
    time.sleep(0.25)

    assert store.take(60) is None


def test_a_failed_delivery_is_due_after_its_pause(store: Store) -> None:
    store.keep(a_letter())
    store.retry(taken(store), 0.3, "refused")
    assert store.take(60) is None
    assert [line.reason for line in store.lines(State.WAITING, 10)] == ["refused"]
    time.sleep(0.35)

    assert taken(store).tries == 2


def test_a_delivery_that_was_broken_off_by_us_is_no_try(store: Store) -> None:
    store.keep(a_letter())
    store.retry(taken(store), 0, "stopped", counted=False)

    assert taken(store).tries == 1


def test_letters_to_other_addresses_are_taken_while_one_is_busy(store: Store) -> None:
    store.keep(a_letter(1, address="http://slow/"))
    store.keep(a_letter(2, address="http://quick/"))

    assert taken(store, 60, "http://slow/").letter.address == "http://quick/"
    assert store.take(60, ("http://slow/",)) is None
    assert taken(store).letter.address == "http://slow/"


def test_letters_to_an_address_that_does_not_answer_wait_and_others_do_not(store: Store) -> None:
    for number, address in enumerate(("http://down/", "http://down/", "http://up/")):
        store.keep(a_letter(number, address=address))

    assert store.postpone("http://down/", 60) == 2

    assert taken(store).letter.address == "http://up/"
    assert store.take(60) is None


def test_services_that_share_a_database_keep_their_letters_apart(store: Store, database: Database) -> None:
    other = Store(database, "repository")
    store.keep(a_letter())
    other.keep(a_letter())

    assert other.take(60) is not None
    assert other.take(60) is None
    assert store.depth().waiting == 1


def test_the_depth_tells_what_waits_what_is_dead_and_how_old_it_is(store: Store) -> None:
    for number in range(3):
        store.keep(a_letter(number))
    store.end(taken(store), State.DEAD, "gone")
    time.sleep(0.1)

    depth = store.depth()

    assert (depth.waiting, depth.dead) == (2, 1)
    assert 0.1 <= depth.oldest < 60


def test_records_are_swept_and_what_is_not_through_stays(store: Store) -> None:
    for number in range(3):
        store.keep(a_letter(number))
    store.end(taken(store), State.DEAD, "gone")
    store.end(taken(store), State.DELIVERED)
    time.sleep(0.01)

    assert store.sweep(3600) == 0
    assert store.sweep(0) == 1
    assert sorted(line.state for line in store.lines(None, 10)) == ["dead", "waiting"]


def test_r8_many_workers_take_each_letter_once(url: str, store: Store) -> None:
    count = 120
    for number in range(count):
        store.keep(a_letter(number))

    def work(_: int) -> list[str]:
        own = open_database(url)
        mine, found = Store(own, "registry"), []
        try:
            while (letter := mine.take(60)) is not None:
                found.append(letter.id)
                assert mine.end(letter, State.DELIVERED)
        finally:
            own.close()
        return found

    with ThreadPoolExecutor(6) as pool:
        each = [name for names in pool.map(work, range(6)) for name in names]

    assert len(each) == len(set(each)) == count


def test_r1_one_request_sent_many_times_at_once_is_one_letter(url: str, store: Store) -> None:
    def keep(_: int) -> None:
        own = open_database(url)
        try:
            Store(own, "registry").keep(a_letter())
        finally:
            own.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(keep, range(16)))

    assert len(store.lines(None, 100)) == 1


def test_an_outbox_without_its_tables_is_not_ready(url: str) -> None:
    opened = open_database(url)
    try:
        with pytest.raises(DatabaseError):
            Store(opened, "registry").ping()
    finally:
        opened.close()
