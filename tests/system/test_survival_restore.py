"""Copies of database and store that are taken while they are used, and restored together or of different ages.

What docs/operations/backup.md tells an operator to do is what is done here, on PostgreSQL; with
PORTOLAN_SURVIVAL_LONG=1 on SQLite too.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.factories import a_patient_id
from tests.running import Pair, a_pair, back_end
from tests.servers.postgres import InstalledPostgres
from tests.system.survival_judge import check
from tests.system.survival_kit import LONG, WITHOUT_FEEDS, Book, a_letter, ask, load, retrieval
from tests.wire import answer

pytestmark = [pytest.mark.system, pytest.mark.slow]

QUICK = {"CONNECT_TIMEOUT": "0.2s", "ANSWER_TIMEOUT": "0.7s", "SWEEP_AFTER": "1s", "SWEEP_EVERY": "0.3s"}


@dataclass
class Site:
    """Services in use, and where copies of their stores go."""

    pair: Pair
    copies: Path
    server: InstalledPostgres | None
    new_database: Callable[[], str] | None

    def copy_database(self, name: str) -> None:
        """A consistent copy."""
        target = self.copies / name
        if self.server:
            self.server.dump(self.pair.settings["DATABASE"], target)
            return
        with sqlite3.connect(Path(self.pair.settings["DATA"]) / "registry.db") as source, sqlite3.connect(target) as to:
            source.backup(to)

    def copy_documents(self, name: str) -> None:
        """Marks before documents: what is settled meanwhile is in the copy once or twice, and never not at all."""
        source, target = Path(self.pair.settings["STORAGE"]), self.copies / name
        for part in ("pending", "documents"):
            _copied(source / part, target / part)

    def restored(self, database: str, documents: str) -> Pair:
        """Services on copies; not started."""
        folder = self.copies / f"restored {database} {documents} {time.monotonic_ns()}"
        folder.mkdir()
        store = folder / "documents"
        for part in ("pending", "documents"):
            _copied(self.copies / documents / part, store / part)
        settings = {"STORAGE": str(store), "LOG_LEVEL": "warning", **QUICK, **WITHOUT_FEEDS}
        if self.server and self.new_database:
            settings["DATABASE"] = self.new_database()
            self.server.restore(self.copies / database, settings["DATABASE"])
        else:
            shutil.copyfile(self.copies / database, folder / "registry.db")
        return a_pair(folder, settings)


def _copied(source: Path, target: Path) -> None:
    """As `rsync --archive` does: what is renamed or removed while it runs is left out."""
    target.mkdir(parents=True, exist_ok=True)
    for path, folders, files in os.walk(source):
        there = target / Path(path).relative_to(source)
        for folder in folders:
            (there / folder).mkdir(exist_ok=True)
        for name in files:
            try:
                shutil.copy2(Path(path) / name, there / name)
            except FileNotFoundError:
                continue


@pytest.fixture(params=["sqlite", "postgresql"] if LONG else ["postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """In use, on a database of either kind and a folder."""
    server, settings, new = None, {}, None
    if request.param == "postgresql":
        server, new = request.getfixturevalue("postgres_server"), request.getfixturevalue("postgres_database")
        if not isinstance(server, InstalledPostgres):
            pytest.skip("the copies are made by the programs of a PostgreSQL that is installed")
        settings["DATABASE"] = back_end("postgresql and s3", request)["DATABASE"]
    copies = tmp_path / "copies"
    copies.mkdir()
    settings |= WITHOUT_FEEDS | {"STORAGE": str(tmp_path / "documents"), "LOG_LEVEL": "warning"}
    made = Site(a_pair(tmp_path / "data", settings), copies, server, new)
    made.pair.start()
    yield made
    made.pair.stop()


def some(site: Site, count: int, seed: int) -> dict[str, bytes]:
    """So many acknowledged documents, by uniqueId."""
    chance, found = random.Random(seed), {}
    services = site.pair.services.apart()
    for _ in range(count):
        letter = a_letter(a_patient_id(), 2_000, chance)
        assert ask(lambda letter=letter: services.post(services.repository, letter.data, letter.kind)).is_success  # type: ignore[misc]
        found[letter.unique_id] = letter.content
    return found


def kinds(pair: Pair, *options: str) -> dict[str, int]:
    """What `portolan check` found, by kind."""
    found: dict[str, int] = check(pair, *options, differences=True)["summary"]["kinds"]
    return found


def test_o7_d12_copies_taken_while_services_write_agree_or_are_told_apart_and_repaired(site: Site) -> None:
    first = some(site, 5, seed=1)
    site.copy_database("early database")
    site.copy_documents("early documents")
    book = Book()
    with load(site.pair.services, book, threads=2, seconds=60) as work:
        time.sleep(0.4)
        site.copy_database("late database")
        site.copy_documents("late documents")
        time.sleep(0.2)
        work.end()
    second = some(site, 3, seed=2)
    site.copy_database("last database")

    _both(site, first)
    _database_older(site)
    _store_older(site, first, second)


def _both(site: Site, first: dict[str, bytes]) -> None:
    """Database first, documents after it: every entry has its bytes; the rest is removed on request."""
    pair = site.restored("late database", "late documents")
    found = kinds(pair, "--deep")
    assert found.keys() <= {"bytes-without-entry", "mark", "mark-old"}, found
    time.sleep(1.1)  # marks of before are old now, and no service runs that could be about to settle them
    kinds(pair, "--repair")
    assert kinds(pair, "--deep") == {}
    if LONG:
        _served(pair, first)
    print(f"\nboth: {found or 'no difference'}; after --repair none")


def _database_older(site: Site) -> None:
    pair = site.restored("early database", "late documents")
    found = kinds(pair)
    assert "bytes-without-entry" in found
    assert found.keys() <= {"bytes-without-entry", "mark", "mark-old"}, found
    kinds(pair, "--repair")
    assert kinds(pair, "--deep") == {}
    print(f"database older: {found}; after --repair none")


def _store_older(site: Site, first: dict[str, bytes], second: dict[str, bytes]) -> None:
    pair = site.restored("last database", "early documents")
    found = kinds(pair)
    assert "entry-without-bytes" in found
    assert found.keys() <= {"entry-without-bytes", "mark", "mark-old"}, found
    pair.start()
    try:
        services = pair.services.apart()
        for name in second:
            assert answer(retrieval(services, name)).codes == ["XDSDocumentUniqueIdError"] or answer(
                retrieval(services, name)
            ).codes == ["XDSRepositoryError"]
        for name, content in first.items():
            assert answer(retrieval(services, name)).documents() == {name: content}
        # Bytes that are found somewhere else are put in while the services run.
        for part in ("pending", "documents"):
            _copied(Path(site.pair.settings["STORAGE"]) / part, Path(pair.settings["STORAGE"]) / part)
        for name, content in second.items():
            assert answer(retrieval(services, name)).documents() == {name: content}
    finally:
        pair.stop()
    kinds(pair, "--repair")
    assert kinds(pair, "--deep") == {}
    print(f"store older: {found}; after its bytes were brought back none")


def _served(pair: Pair, contents: dict[str, bytes]) -> None:
    pair.start()
    try:
        for name, content in contents.items():
            assert answer(retrieval(pair.services, name)).documents() == {name: content}
    finally:
        pair.stop()
