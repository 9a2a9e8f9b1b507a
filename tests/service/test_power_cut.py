"""The power goes: what was not synced is gone, and what was acknowledged is not (reliability: D4)."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from common.db import open_database
from repository.storage import DocumentStore, folder_disk, open_store


class Platter:
    """What a disk is sure to hold: of each file and each directory what it was when it was last synced.

    Directories are synced by themselves here, never with the whole file system, which is more than has to be told.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[int, bytes] = {}
        self._folders: dict[int, dict[str, int]] = {}
        self._is_folder: dict[int, bool] = {}
        for path in (root, *root.rglob("*")):
            self._note(path)

    def _note(self, path: Path) -> None:
        handle = os.open(path, os.O_RDONLY)
        self.synced(handle)
        os.close(handle)

    def synced(self, handle: int) -> None:
        """Take note of a sync."""
        found = os.fstat(handle)
        self._is_folder[found.st_ino] = stat.S_ISDIR(found.st_mode)
        if stat.S_ISDIR(found.st_mode):
            with os.scandir(handle) as entries:
                self._folders[found.st_ino] = {each.name: each.inode() for each in entries}
        else:
            with open(f"/proc/self/fd/{handle}", "rb") as file:
                self._files[found.st_ino] = file.read()

    def after_the_cut(self, target: Path) -> Path:
        """The tree as it is found when the power is back."""
        self._restore(self._root.stat().st_ino, target)
        return target

    def _restore(self, inode: int, target: Path) -> None:
        target.mkdir()
        for name, inner in self._folders.get(inode, {}).items():
            if self._is_folder.get(inner, inner in self._folders):
                self._restore(inner, target / name)
            else:
                (target / name).write_bytes(self._files.get(inner, b""))


@contextmanager
def watched(platter: Platter, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The platter learns of each sync, after it was done."""
    really = os.fsync

    def fsync(handle: int) -> None:
        really(handle)
        platter.synced(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        patch.setattr(folder_disk, "_syncfs", None)
        yield


def _committed(store: DocumentStore) -> None:
    with store.upload() as upload:
        upload.write(b"a letter" * 1000)
        upload.commit("1.2.3", "text/plain")


def _settled(store: DocumentStore) -> None:
    with store.upload() as upload:
        upload.write(b"a letter" * 1000)
        blob = upload.commit("1.2.3", "text/plain")
    store.settle(blob)


def _let_go(store: DocumentStore) -> None:
    _settled(store)
    store.close()


@pytest.mark.parametrize("act", [_committed, _settled, _let_go])
def test_d4_what_the_store_has_told_of_is_there_after_the_power_was_cut(
    act: Callable[[DocumentStore], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "store"
    store = open_store(root)
    platter = Platter(root)
    with watched(platter, monkeypatch):
        act(store)
        found = open_store(platter.after_the_cut(tmp_path / "after"))
    [blob] = found.find("1.2.3")

    assert blob.size == 8000
    with found.read(blob) as reader:
        assert b"".join(reader) == b"a letter" * 1000
    store.close()
    found.close()


def test_d4_without_the_syncs_it_would_not_be(tmp_path: Path) -> None:
    root = tmp_path / "store"
    store = open_store(root)
    platter = Platter(root)
    _committed(store)

    assert open_store(platter.after_the_cut(tmp_path / "after")).find("1.2.3") == []
    store.close()


def test_d4_a_commit_waits_for_the_disk_whatever_the_server_is_set_to(
    postgres_database: Callable[[], str], tmp_path: Path
) -> None:
    url = postgres_database()
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        name = url.rpartition("/")[2]
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off".encode())  # type: ignore[arg-type]
    database = open_database(url)
    with database.engine.connect() as opened:
        told = [opened.exec_driver_sql(f"SHOW {name}").scalar() for name in ("synchronous_commit", "fsync")]
        assert told == ["on", "on"]
    database.close()
    small = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    with small.engine.connect() as opened:
        assert opened.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert opened.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    small.close()
