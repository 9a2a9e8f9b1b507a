"""A disk that is full: the standard's error, nothing half visible, reading goes on, and room is all that is needed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import psycopg
import pytest

from common.standard.transactions import ITI_42
from tests.factories import a_document, a_patient_id, a_submission, a_uuid, submit_objects
from tests.running import Pair, a_pair
from tests.servers.postgres import PostgresServer
from tests.servers.process import free_port
from tests.system.survival_judge import check
from tests.system.survival_kit import ELSEWHERE, LONG, SIMPLE, WITHOUT_FEEDS, a_letter, ask, retrieval
from tests.wire import Answer, answer, envelope

pytestmark = pytest.mark.system

OUT_OF_RESOURCES = {"XDSRepositoryOutOfResources", "XDSRegistryOutOfResources"}


@contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own; skips where none can be mounted."""
    place.mkdir(parents=True)
    size = f"size={megabytes}m"
    if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place)]).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@contextmanager
def full(place: Path) -> Iterator[None]:
    """No room at all on a disk while the context lasts."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(65_536)):
                pass
        except OSError:
            pass
    try:
        yield
    finally:
        ballast.unlink()


def provide(pair: Pair, size: int) -> Answer:
    """ITI-41 of something new."""
    letter = a_letter(a_patient_id(), size, Random())
    told = ask(lambda: pair.services.apart().post(pair.services.repository, letter.data, letter.kind))
    assert told.answer is not None, told
    assert told.seconds < 10
    return told.answer


def register_until(pair: Pair, true: Callable[[Answer], bool], most: int = 200) -> Answer:
    """ITI-42 of ever more, until something is answered."""
    services = pair.services.apart()
    for _ in range(most):
        some = [a_document(repository_unique_id=ELSEWHERE) for _ in range(20)]
        told = services.register(a_submission(*some, patient_id=a_patient_id()))
        if true(told):
            return told
    raise AssertionError("the disk was never full")


@pytest.fixture
def disks(tmp_path: Path) -> Iterator[tuple[Pair, Path, Path]]:
    """Services in folders, with a small disk for documents and another one for the databases."""
    with small_disk(tmp_path / "documents", 8) as documents, small_disk(tmp_path / "databases", 8) as databases:
        settings = {
            "STORAGE": str(documents),
            "DATABASE": f"sqlite:///{databases / 'registry.db'}",
            "OUTBOX": f"sqlite:///{databases / 'outbox.db'}",
            "LOG_LEVEL": "error",
            "ASYNC_REPLY_TO": "http://127.0.0.1:1/",
        }
        pair = a_pair(tmp_path / "data", settings | WITHOUT_FEEDS)
        pair.start()
        yield pair, documents, databases
        pair.stop()


def test_d9_a_full_disk_is_told_of_and_needs_nothing_but_room(disks: tuple[Pair, Path, Path]) -> None:
    pair, documents, databases = disks
    letter = a_letter(a_patient_id(), 5_000, Random(1))
    services = pair.services.apart()
    assert answer(services.post(services.repository, letter.data, letter.kind)).registry_status == "Success"

    def can_be_read() -> None:
        assert answer(retrieval(services, letter.unique_id)).documents() == {letter.unique_id: letter.content}
        assert services.find(letter.entry.patient_id or "").ids() == [letter.entry.entry_uuid]

    with full(documents):
        assert provide(pair, 300_000).codes == ["XDSRepositoryOutOfResources"]
        can_be_read()
    assert provide(pair, 300_000).registry_status == "Success"

    with full(databases):
        assert register_until(pair, lambda told: told.registry_status != "Success").codes == [
            "XDSRegistryOutOfResources"
        ]
        assert set(provide(pair, 1_000).codes) <= OUT_OF_RESOURCES
        can_be_read()
        later = later_answered(pair)
        assert later is not None
        assert later.registry_status == "Fault"
        assert "could not be kept" in later.fault
    assert provide(pair, 1_000).registry_status == "Success"
    assert later_answered(pair) is None
    assert check(pair, "--deep")["summary"]["differences"] == 0


def later_answered(pair: Pair) -> Answer | None:
    """What a registration hears whose answer is to be sent elsewhere; None for 202."""
    body = submit_objects(a_submission(a_document(repository_unique_id=ELSEWHERE), patient_id=a_patient_id()))
    message = envelope(ITI_42, body, message_id=a_uuid(), reply_to="http://127.0.0.1:1/answers")
    response = pair.services.apart().post(pair.services.registry, message, SIMPLE)
    return answer(response) if response.status_code != 202 else None


@pytest.fixture
def tablespace(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[tuple[Pair, Path]]:
    """A Registry whose database lies on a small disk; the log of transactions lies elsewhere."""
    tmp_path.chmod(0o755)
    with small_disk(tmp_path / "space", 24) as space:
        for folder in (space, *tmp_path.parents[:2]):
            folder.chmod(0o755)
        inner = space / "pg"
        inner.mkdir()
        shutil.chown(inner, "postgres", "postgres")
        name = f"small_{free_port()}"
        plain = postgres_server.url().replace("postgresql+psycopg", "postgresql")
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(f"CREATE TABLESPACE {name} LOCATION '{inner}'".encode())  # type: ignore[arg-type]
            connection.execute(f"CREATE DATABASE {name} TABLESPACE {name}".encode())  # type: ignore[arg-type]
        pair = a_pair(tmp_path / "data", {"DATABASE": postgres_server.url(name), "LOG_LEVEL": "error"} | WITHOUT_FEEDS)
        pair.start()
        yield pair, space
        pair.stop()
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())  # type: ignore[arg-type]
            connection.execute(f"DROP TABLESPACE {name}".encode())  # type: ignore[arg-type]


@pytest.mark.skipif(not LONG, reason="PORTOLAN_SURVIVAL_LONG=1 runs it")
def test_d9_a_postgresql_without_room_is_told_of_and_needs_nothing_but_room(tablespace: tuple[Pair, Path]) -> None:
    pair, space = tablespace
    first = provide(pair, 1_000)
    assert first.registry_status == "Success", first.contexts

    with full(space):
        told = register_until(pair, lambda told: told.registry_status != "Success")
        assert told.codes == ["XDSRegistryOutOfResources"], told.contexts
        assert pair.services.apart().find(a_patient_id()).registry_status == "Success"

    assert provide(pair, 1_000).registry_status == "Success"
    assert check(pair, "--deep")["summary"]["differences"] == 0
