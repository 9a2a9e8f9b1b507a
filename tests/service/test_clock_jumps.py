"""The time of day jumps: versions are counted, not timed, and nothing under way is taken for old (reliability: D14)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.db import Database, open_database
from common.model import AssociationType, Status
from registry.register import Register
from registry.store.schema import upgrade
from registry.update import Update
from repository.registry import Registry
from repository.settling import Settling
from repository.storage import DocumentStore, open_store
from tests.factories import AnyDomain, a_document, a_link, a_new_version, a_submission, a_uuid, an_update

DAY = 86_400


class NothingRegistered:
    """A registry that knows nothing yet: the registration is still under way."""

    def hash_of(self, unique_id: str) -> None:
        """Not registered."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DocumentStore]:
    """A folder."""
    made = open_store(tmp_path)
    yield made
    made.close()


def stored(store: DocumentStore) -> None:
    """A document that was just received, as is its way before it is registered."""
    with store.upload() as upload:
        upload.write(b"a letter")
        upload.commit("1.2.3", "text/plain")


def test_d14_a_clock_that_jumps_forward_takes_no_bytes_from_a_registration_under_way(
    store: DocumentStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = [0.0]
    registry: Registry = NothingRegistered()  # type: ignore[assignment]
    settling = Settling(store, registry, monotonic=lambda: passed[0])
    stored(store)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + DAY)

    assert settling.sweep(900) == (0, 0)
    passed[0] = 800
    assert settling.sweep(900) == (0, 0)
    assert [blob.pending for blob in store.find("1.2.3")] == [True]

    passed[0] = 901
    assert settling.sweep(900) == (0, 1)
    assert store.find("1.2.3") == []


def test_d14_a_clock_that_jumps_back_keeps_what_is_in_doubt(store: DocumentStore, tmp_path: Path) -> None:
    registry: Registry = NothingRegistered()  # type: ignore[assignment]
    settling = Settling(store, registry)
    stored(store)
    [pending] = (tmp_path / "pending").iterdir()
    os.utime(pending, (time.time() + DAY, time.time() + DAY))

    assert settling.sweep(0.001) == (0, 0)
    assert len(store.find("1.2.3")) == 1


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A Registry's, of either kind."""
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    if request.param == "postgresql":
        make: Callable[[], str] = request.getfixturevalue("postgres_database")
        url = make()
    made = open_database(url)
    upgrade(made)
    yield made
    made.close()


def test_d14_versions_and_replacements_are_in_order_though_their_times_are_not(database: Database) -> None:
    times = iter(["20260601120000", "20200101000000", "20380119031408", "19700101000000"])
    register = Register(database, AnyDomain(), max_objects=100, now=lambda: next(times))
    update = Update(database, AnyDomain(), max_objects=100, now=lambda: next(times))
    message = {"digest": "d", "correlation": "c"}
    first = a_document(entry_uuid=a_uuid())

    told = [
        register.register(lambda: a_submission(first), message_id=a_uuid(), **message),
        update.update(lambda: an_update(a_new_version(first)), restricted=False, message_id=a_uuid(), **message),
        update.update(
            lambda: an_update(a_new_version(first), previous="2"), restricted=False, message_id=a_uuid(), **message
        ),
    ]
    assert [each.status for each in told] == [Status.SUCCESS] * 3, told
    with database.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT version, is_latest, availability_status FROM entry ORDER BY version"
        ).all()
    assert [(version, bool(latest)) for version, latest, _ in rows] == [(1, False), (2, False), (3, True)]
    assert [status.rpartition(":")[2] for *_, status in rows] == ["Deprecated", "Deprecated", "Approved"]
    last = a_document(entry_uuid=a_uuid())
    link = a_link(AssociationType.RPLC, last, first.entry_uuid)
    again = register.register(lambda: a_submission(last, link), message_id=a_uuid(), **message)
    assert again.status is Status.FAILURE  # the first version is deprecated, whatever its time
