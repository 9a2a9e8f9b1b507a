"""The schema is brought to this release's while the release before serves: nobody waits for long, and nothing fails.

PORTOLAN_MIGRATION_DOCUMENTS says how many documents are there (5,000; 1,000,000 for the long run).
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
import pytest
from alembic.script import ScriptDirectory

from common.db import Database, open_database
from registry.store.schema import current, is_served, newest, upgrade
from tests.factories import an_oid

pytestmark = pytest.mark.system

DOCUMENTS = int(os.environ.get("PORTOLAN_MIGRATION_DOCUMENTS", "5000"))
LONGEST = 1.5
# What the first release wrote and asked, column by column; none of it may depend on what came later.
ENTRY = """INSERT INTO entry (patient_id, entry_uuid, logical_id, version, is_latest, unique_id, object_type,
    availability_status, repository_unique_id, hash, size, class_code, type_code, format_code, practice_setting_code,
    healthcare_facility_type_code, confidentiality_codes, creation_time, ebrim)
  SELECT 'p' || n % 1000, {uuid}, {uuid}, 1, 1, {unique}, 'stable', 'Approved', '2.999', 'h', '1', 'c', 't', 'f', 'p',
    'h', 'N', '20260101', convert_to(repeat(md5(n::text), 60), 'UTF8') FROM generate_series(1, {count}) AS n"""
SET = """INSERT INTO submission_set (patient_id, entry_uuid, unique_id, source_id, submission_time, content_type_code,
    availability_status, message_digest, registered_at, ebrim)
  VALUES (%(patient)s, %(uuid)s, %(unique)s, '2.999', '20260101', 'c', 'Approved', 'd', '20260101', 'x')"""
ASK = "SELECT entry_uuid, ebrim FROM entry WHERE patient_id = %(patient)s AND type_code = 't' LIMIT 20"
REVISE = "UPDATE entry SET availability_status = 'Deprecated' WHERE patient_id = %(patient)s AND entry_uuid = %(uuid)s"


def plain(database: Database) -> str:
    """Its address as psycopg has it."""
    return database.url.set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.fixture
def database(postgres_database: Callable[[], str]) -> Iterator[Database]:
    """At the first release's schema, with documents in it."""
    made = open_database(postgres_database())
    assert upgrade(made, "0001")[1] == "0001"
    with psycopg.connect(plain(made), autocommit=True) as connection:
        name = "'u' || n"
        connection.execute(ENTRY.format(uuid=name, unique=name, count=DOCUMENTS))  # type: ignore[arg-type]
        connection.execute("ANALYZE entry")
    yield made
    made.close()


@dataclass
class OldRelease:
    """What the release before does all the time, and how long each statement of it took."""

    address: str
    times: list[tuple[str, float]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self, number: int) -> None:
        """Register, ask and revise until stopped."""
        with psycopg.connect(self.address) as connection:
            while not self.stopped.is_set():
                for kind, statement in (("write", SET), ("read", ASK), ("write", REVISE)):
                    values = {
                        "patient": f"p{number}",
                        "uuid": f"urn:uuid:{uuid.uuid4()}" if statement is SET else f"u{number}",
                        "unique": an_oid(),
                    }
                    begun = time.monotonic()
                    try:
                        connection.execute(statement, values)
                        connection.commit()
                    except psycopg.Error as error:
                        self.problems.append(f"{kind}: {error}")
                        connection.rollback()
                    self.times.append((kind, time.monotonic() - begun))

    def longest(self, kind: str) -> float:
        """In seconds."""
        return max(seconds for each, seconds in self.times if each == kind)


@contextmanager
def serving(database: Database) -> Iterator[OldRelease]:
    """The release before, at work."""
    old = OldRelease(plain(database))
    with ThreadPoolExecutor(3) as threads:
        running = [threads.submit(old.run, number) for number in range(3)]
        time.sleep(0.2)
        try:
            yield old
        finally:
            time.sleep(0.2)
            old.stopped.set()
        for each in running:
            each.result()


def revisions() -> list[str]:
    """Those after the first, in order."""
    import migrations.registry as scripts

    folder = ScriptDirectory(next(iter(scripts.__path__)))
    return [each.revision for each in reversed(list(folder.walk_revisions())) if each.revision > "0001"]


def test_d13_each_migration_runs_while_the_release_before_serves(database: Database) -> None:
    figures = []
    for revision in revisions():
        with serving(database) as old:
            begun = time.monotonic()
            assert upgrade(database, revision)[1] == revision
            took = time.monotonic() - begun
        figures.append((revision, took, old.longest("read"), old.longest("write")))
        assert old.problems == []

    print(f"\nmigrations under load, {DOCUMENTS} documents; seconds in all, longest read, longest write:")
    for revision, *seconds in figures:
        print(f"  {revision}  " + "  ".join(f"{each:.3f}" for each in seconds))
    assert current(database) == newest()
    assert max(max(figure[2:]) for figure in figures) < LONGEST


def test_d13_a_migration_that_waits_for_a_long_query_has_nobody_wait_behind_it(database: Database) -> None:
    with psycopg.connect(plain(database)) as reader, serving(database) as old, ThreadPoolExecutor(1) as threads:
        reader.execute("SELECT count(*) FROM entry")  # and its transaction stays open, with its lock
        migrating = threads.submit(upgrade, database, "0002")
        time.sleep(1.5)
        assert current(database) == "0001"
        reader.rollback()

        assert migrating.result(timeout=20)[1] == "0002"

    print(f"\nwhile a migration waited: longest read {old.longest('read'):.2f} s, write {old.longest('write'):.2f} s")
    assert old.problems == []
    assert max(old.longest("read"), old.longest("write")) < LONGEST


def test_d13_a_migration_that_was_cut_off_is_run_again_to_its_end(database: Database) -> None:
    upgrade(database, "0003")
    with psycopg.connect(plain(database), autocommit=True) as connection:
        # What is left of an index whose making was cut off: it has the name, and is of no use.
        connection.execute("CREATE INDEX entry_later_versions ON entry (logical_id) WHERE version > 1")
        connection.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'entry_later_versions'::regclass")

        assert upgrade(database)[1] == newest()

        made = connection.execute("SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid = 'entry'::regclass")
        assert made.fetchone() == (True,)


def test_d13_a_database_of_a_later_release_is_served_and_left_alone(database: Database) -> None:
    upgrade(database)
    assert is_served(database)
    with psycopg.connect(plain(database), autocommit=True) as connection:
        connection.execute("UPDATE portolan_registry_version SET version_num = '9999'")

    assert is_served(database)
    assert upgrade(database) == ("9999", "9999")
