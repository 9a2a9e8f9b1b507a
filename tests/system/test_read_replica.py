"""A read replica answers stored queries, and nobody ever misses what was acknowledged, however late the replica is.

A real standby follows a real database here. PORTOLAN_TEST_WRITES says how many submissions are read back at once.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from common.db import Database, Replica, Work, open_database
from common.model import AssociationType, AvailabilityStatus, DocumentEntry
from common.settings import Settings
from registry.app import open_queries
from registry.store import schema
from tests.factories import HAS_MEMBER, a_document, a_folder, a_link, a_patient_id, a_status_change, a_submission
from tests.running import a_pair
from tests.servers.fixtures import do_without
from tests.servers.postgres import new_database
from tests.servers.process import Unavailable, eventually
from tests.servers.replica import Cluster, Standby, a_cluster
from tests.unit.registry.small import SmallRegistry
from tests.wire import Services

pytestmark = pytest.mark.system

WRITES = int(os.environ.get("PORTOLAN_TEST_WRITES", "60"))
DE = "$XDSDocumentEntry"
APPROVED, DEPRECATED = AvailabilityStatus.APPROVED, AvailabilityStatus.DEPRECATED


@pytest.fixture(scope="module")
def clusters() -> Iterator[tuple[Cluster, Standby]]:
    """A database and the standby that follows it."""
    try:
        primary = a_cluster()
    except Unavailable as reason:
        do_without(reason)
        raise AssertionError from reason
    standby = None
    try:
        standby = Standby(primary)
        yield primary, standby
    finally:
        if standby is not None:
            standby.stop()
        primary.stop()


@pytest.fixture(scope="module")
def url(clusters: tuple[Cluster, Standby]) -> str:
    """A registry's database on the primary, which the standby has as well."""
    primary, standby = clusters
    url = new_database(primary)
    database = open_database(url)
    schema.upgrade(database)
    database.close()
    level(primary, standby)
    return url


def level(primary: Cluster, standby: Cluster) -> None:
    """Wait until the standby has everything."""
    written = primary.ask("SELECT pg_current_wal_flush_lsn()")
    eventually(lambda: standby.ask(f"SELECT pg_last_wal_replay_lsn() >= '{written}'") is True, "the standby is level")


def on(standby: Cluster, url: str) -> str:
    """The address of the standby's copy of a database."""
    return standby.url(url.rpartition("/")[2])


class Reading(SmallRegistry):
    """A registry that writes to the database and asks the replica; ``lots`` counts who answered."""

    def __init__(self, url: str, replica_url: str, patience: float = 0.03) -> None:
        super().__init__(open_database(url))
        self.lots: Counter[str] = Counter()
        replica = open_database(replica_url, wait=2)
        self.replica = Replica(self.database, replica, patience=patience, note=self._note)

    def _note(self, lot: str) -> None:
        self.lots[lot] += 1

    def ask(self, name: str, slots: Any, **more: Any) -> Any:
        """ITI-18, asked of the replica."""
        writing, self.database = self.database, self.replica  # type: ignore[assignment]
        try:
            return super().ask(name, slots, **more)
        finally:
            self.database = writing

    def documents(self, patient: str, status: str = APPROVED) -> set[str]:
        """FindDocuments."""
        return self.ids("FindDocuments", {f"{DE}PatientId": f"'{patient}'", f"{DE}Status": f"('{status}')"})

    def used(self) -> None:
        """Wait until the replica answers."""
        before = self.lots["replica"]

        def answers() -> bool:
            self.documents(a_patient_id())
            return self.lots["replica"] > before

        eventually(answers, "the replica answers")
        self.lots.clear()


@contextmanager
def reading(clusters: tuple[Cluster, Standby], url: str, **more: Any) -> Iterator[Reading]:
    registry = Reading(url, on(clusters[1], url), **more)
    yield registry
    registry.replica.close()
    registry.database.close()


def a_letter(registry: SmallRegistry, **differs: Any) -> DocumentEntry:
    """A registered document."""
    return registry.registered(a_submission(a_document(patient_id=a_patient_id(), **differs))).entries[0]


def test_what_one_process_wrote_another_finds_at_once(clusters: tuple[Cluster, Standby], url: str) -> None:
    with reading(clusters, url, patience=0.5) as one, reading(clusters, url, patience=0.5) as other:
        for each in (one, other):
            each.used()
        for number in range(WRITES):
            writer, reader = (one, other) if number % 2 else (other, one)
            letter = a_letter(writer)
            assert reader.documents(letter.patient_id or "") == {letter.entry_uuid}
        assert one.lots["replica"] + other.lots["replica"] >= WRITES * 0.8, (one.lots, other.lots)


def test_what_changed_is_never_seen_as_it_was(clusters: tuple[Cluster, Standby], url: str) -> None:
    with reading(clusters, url, patience=0.5) as registry:
        registry.used()
        for _ in range(5):
            letter = a_letter(registry)
            patient = letter.patient_id or ""
            change = a_status_change(letter, APPROVED, DEPRECATED, patient_id=patient)
            assert not registry.update(change).errors
            assert registry.documents(patient) == set()
            assert registry.documents(patient, DEPRECATED) == {letter.entry_uuid}
        assert registry.lots["replica"], registry.lots


def test_every_kind_of_query_is_answered_by_the_replica(clusters: tuple[Cluster, Standby], url: str) -> None:
    with reading(clusters, url, patience=2) as registry:
        letter, folder = a_document(patient_id=a_patient_id()), a_folder()
        folder.patient_id = letter.patient_id
        sent = registry.registered(a_submission(letter, folder, a_link(HAS_MEMBER, folder, letter)))
        [entry], [kept], owner = sent.entries, sent.folders, sent.submission_set
        more = a_document(patient_id=entry.patient_id)
        registry.registered(a_submission(more, a_link(AssociationType.APND, more, entry)))
        registry.used()
        by_id = {f"{DE}EntryUUID": f"('{entry.entry_uuid}')"}
        status = f"('{APPROVED}')"
        statuses = {f"$XDS{kind}Status": status for kind in ("DocumentEntry", "SubmissionSet", "Folder")}
        types = {"$AssociationTypes": f"('{AssociationType.APND}')"}
        questions: dict[str, dict[str, str]] = {
            "FindSubmissionSets": {
                "$XDSSubmissionSetPatientId": f"'{entry.patient_id}'",
                "$XDSSubmissionSetStatus": status,
            },
            "GetAll": {"$patientId": f"'{entry.patient_id}'", **statuses},
            "GetDocuments": {f"{DE}UniqueId": f"('{entry.unique_id}')"},
            "GetAssociations": {"$uuid": f"('{entry.entry_uuid}')"},
            "GetDocumentsAndAssociations": by_id,
            "GetSubmissionSets": {"$uuid": f"('{entry.entry_uuid}')"},
            "GetSubmissionSetAndContents": {"$XDSSubmissionSetEntryUUID": f"'{owner.entry_uuid}'"},
            "GetFolderAndContents": {"$XDSFolderEntryUUID": f"'{kept.entry_uuid}'"},
            "GetFoldersForDocument": {f"{DE}EntryUUID": f"'{entry.entry_uuid}'"},
            "GetRelatedDocuments": {f"{DE}EntryUUID": f"'{entry.entry_uuid}'", **types},
        }
        for name, slots in questions.items():
            assert registry.ids(name, slots), name
        assert registry.lots == {"replica": len(questions)}


def test_a_replica_that_is_late_is_not_asked(clusters: tuple[Cluster, Standby], url: str) -> None:
    primary, standby = clusters
    with reading(clusters, url) as registry:
        registry.used()
        standby.configure({"recovery_min_apply_delay": "2s"})
        try:
            letter = a_letter(registry)
            missing = f"SELECT count(*) FROM entry WHERE entry_uuid = '{letter.entry_uuid}'"
            copy = open_database(on(standby, url))
            with copy.engine.connect() as connection:
                assert connection.exec_driver_sql(missing).scalar_one() == 0, "the replica is late, as it should be"
            copy.close()
            began = time.monotonic()
            for _ in range(20):
                assert registry.documents(letter.patient_id or "") == {letter.entry_uuid}
            assert time.monotonic() - began < 1.5, "a late replica costs an answer next to nothing"
            assert registry.lots["behind"] >= 1
            assert registry.lots["replica"] == 0
        finally:
            standby.configure({"recovery_min_apply_delay": "0"})
        level(primary, standby)
        registry.used()
        assert registry.documents(letter.patient_id or "") == {letter.entry_uuid}
        assert registry.lots["replica"] == 1


def test_a_replica_that_goes_away_costs_no_answer(clusters: tuple[Cluster, Standby], url: str) -> None:
    _, standby = clusters
    with reading(clusters, url, patience=0.5) as registry:
        letter = a_letter(registry)
        registry.used()
        standby.away()
        try:
            for _ in range(10):
                assert registry.documents(letter.patient_id or "") == {letter.entry_uuid}
            assert registry.lots == {"away": 10}
        finally:
            standby.back()
        registry.used()


def test_another_database_is_no_replica(clusters: tuple[Cluster, Standby], url: str) -> None:
    primary, _ = clusters
    elsewhere = new_database(primary)
    registry = Reading(url, elsewhere)
    letter = a_letter(registry)
    for _ in range(20):
        assert registry.documents(letter.patient_id or "") == {letter.entry_uuid}
        time.sleep(0.01)
    assert set(registry.lots) == {"away"}
    registry.replica.close()
    registry.database.close()


def test_an_ordinary_role_is_enough(clusters: tuple[Cluster, Standby], url: str) -> None:
    _, standby = clusters
    owner = open_database(url)
    with owner.engine.begin() as connection:
        connection.exec_driver_sql("CREATE ROLE plain LOGIN PASSWORD 'plain'")
        connection.exec_driver_sql("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO plain")
    owner.close()
    registry = Reading(*(each.replace("xds:xds@", "plain:plain@") for each in (url, on(standby, url))), patience=0.5)
    letter = a_letter(registry)
    registry.used()

    assert registry.documents(letter.patient_id or "") == {letter.entry_uuid}
    assert registry.lots["replica"] == 1
    registry.replica.close()
    registry.database.close()


def test_what_a_question_raises_is_not_the_replicas_fault(clusters: tuple[Cluster, Standby], url: str) -> None:
    with reading(clusters, url, patience=0.5) as registry:
        registry.used()

        def question(_work: Work) -> None:
            raise ValueError("a defect")

        with pytest.raises(ValueError, match="a defect"):
            registry.replica.ask(question)
        registry.documents(a_patient_id())
        assert registry.lots["replica"] == 1


def test_without_a_replica_the_database_itself_is_the_reader(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    database = Database(settings.database_url, pool=1, wait=1)
    assert open_queries(settings, database) is database
    database.close()


def test_two_registries_with_a_replica_read_each_others_writes(
    clusters: tuple[Cluster, Standby], url: str, tmp_path: Path
) -> None:
    settings = {"DATABASE": url, "DATABASE_REPLICA": on(clusters[1], url), "REGISTRY_MLLP_BIND": "off"}
    pairs = [a_pair(tmp_path / name, settings) for name in ("one", "other")]
    try:
        for pair in pairs:
            pair.registry.start()
        services = [Services(pair.registry.url, "") for pair in pairs]
        for number in range(WRITES):
            letter = a_document(patient_id=a_patient_id())
            written = services[number % 2].register(a_submission(letter))
            assert written.registry_status == "Success", written.contexts
            assert len(services[1 - number % 2].find(letter.patient_id or "").ids()) == 1
        assert sum(_replica_reads(pair.registry.port) for pair in pairs) >= WRITES / 3
    finally:
        for pair in pairs:
            pair.stop()


def _replica_reads(port: int) -> float:
    told = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    lines = [line for line in told.splitlines() if line.startswith('portolan_replica_reads_total{outcome="replica"}')]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def test_a_replica_that_was_promoted_is_not_asked(clusters: tuple[Cluster, Standby], url: str) -> None:
    """The last of these tests: the standby follows nobody any more."""
    _, standby = clusters
    with reading(clusters, url, patience=0.5) as registry:
        registry.used()
        standby.promote()
        eventually(lambda: standby.ask("SELECT pg_is_in_recovery()") is False, "the standby is promoted")
        letter = a_letter(registry)
        for _ in range(20):
            assert registry.documents(letter.patient_id or "") == {letter.entry_uuid}
        assert registry.lots["replica"] == 0
