"""The folder store: the common suite, and what only a disk can do to it."""

from __future__ import annotations

import errno
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.faults import armed
from repository.storage import Blob, Damaged, DocumentStore, Failed, OutOfSpace, open_store
from repository.storage.folder import FolderStore
from repository.storage.later import Later
from tests.suites.storage_suite import MIB, StorageSuite, content_of, settled, some_bytes, stored


@pytest.fixture
def opened() -> Iterator[list[DocumentStore]]:
    stores: list[DocumentStore] = []
    yield stores
    for store in stores:
        store.close()


@pytest.fixture
def reopen(tmp_path: Path, opened: list[DocumentStore]) -> Callable[[], DocumentStore]:
    def again() -> DocumentStore:
        opened.append(open_store(tmp_path / "store"))
        return opened[-1]

    return again


@pytest.fixture
def store(reopen: Callable[[], DocumentStore]) -> DocumentStore:
    return reopen()


@pytest.fixture
def file_of(tmp_path: Path) -> Callable[[Blob], Path]:
    return lambda blob: tmp_path / "store" / blob.locator


@pytest.fixture
def damage(file_of: Callable[[Blob], Path]) -> Callable[[Blob], None]:
    def flip(blob: Blob) -> None:
        with file_of(blob).open("r+b") as file:
            file.seek(blob.size // 2)
            [byte] = file.read(1)
            file.seek(blob.size // 2)
            file.write(bytes([byte ^ 1]))

    return flip


@pytest.fixture
def lose(file_of: Callable[[Blob], Path]) -> Callable[[Blob], None]:
    return lambda blob: file_of(blob).unlink()


class TestFolderStore(StorageSuite):
    """The common promises, in a folder."""


def test_an_upload_costs_two_syncs_and_settling_none(store: DocumentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    fsync = os.fsync

    def counted(handle: int) -> None:
        calls.append(handle)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", counted)
    stored(store, "1.2.3")
    assert len(calls) == 2


def test_d10_after_a_failed_sync_nothing_more_is_written(store: DocumentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = settled(store, "1.2.3", b"kept")
    later = stored(store, "1.2.4")

    def broken(handle: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        with pytest.raises(Failed):
            stored(store, "1.2.5")
    for action in (lambda: stored(store, "1.2.6"), store.probe, lambda: store.settle(later)):
        with pytest.raises(Failed):
            action()
    assert store.find("1.2.5") == store.find("1.2.6") == []
    assert content_of(store, kept) == b"kept"


def test_running_out_of_open_files_is_not_taken_for_a_broken_disk(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = os.open

    def refused(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_DIRECTORY:
            raise OSError(errno.EMFILE, "Too many open files")
        return opening(path, flags, mode)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refused)
        with pytest.raises(Failed):
            stored(store, "1.2.3")
    assert store.find("1.2.3") == []
    assert content_of(store, settled(store, "1.2.3")) == b"a letter"


def test_d9_a_full_quota_at_the_sync_passes(store: DocumentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OutOfSpace):
            stored(store, "1.2.3")
    assert content_of(store, settled(store, "1.2.3")) == b"a letter"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]).returncode:
        pytest.skip("mounting a small disk needs root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_d9_a_full_disk_refuses_goes_on_reading_and_recovers(small_disk: Path) -> None:
    store = FolderStore(small_disk)
    kept = settled(store, "1.2.3", some_bytes(3 * MIB))
    with pytest.raises(OutOfSpace):
        stored(store, "1.2.4", some_bytes(6 * MIB))
    assert store.find("1.2.4") == []
    assert os.listdir(small_disk / "incoming") == []
    assert content_of(store, kept) == some_bytes(3 * MIB)
    store.probe()
    store.remove(kept)
    assert content_of(store, settled(store, "1.2.4", some_bytes(6 * MIB))) == some_bytes(6 * MIB)
    store.close()


@pytest.mark.parametrize(
    "spoil", [lambda data: data[:-1], lambda data: data + b"x", lambda data: b"", lambda data: data[:-20] + b"?" * 20]
)
def test_d11_a_file_that_was_cut_or_grew_is_damaged(
    store: DocumentStore, file_of: Callable[[Blob], Path], spoil: Callable[[bytes], bytes]
) -> None:
    blob = settled(store, "1.2.3")
    with store.read(blob) as reader:
        content = reader.content()
    file_of(blob).write_bytes(spoil(file_of(blob).read_bytes()))
    with store.read(blob) as reader:  # who knows the description already gets the right bytes or none
        try:
            assert reader.content() == content
        except Damaged:
            assert not file_of(blob).read_bytes()
    [found] = store.find("1.2.3")
    assert (found.unique_id, found.sha1) == ("1.2.3", "")
    with pytest.raises(Damaged):
        store.read(found)
    assert [blob.sha1 for blob in store.all()] == [""]
    store.remove(found)
    assert store.find("1.2.3") == []


def test_the_swept_mark_of_a_crash_after_settling_goes(
    tmp_path: Path, store: DocumentStore, reopen: Callable[[], DocumentStore]
) -> None:
    pending = stored(store, "1.2.3")
    with armed("mark.removed=raise"), pytest.raises(Exception, match=r"mark\.removed"):
        store.settle(pending)
    again = reopen()
    assert [blob.pending for blob in again.find("1.2.3")] == [False]
    assert list(again.pending(0)) == []
    again.close()
    assert os.listdir(tmp_path / "store" / "pending") == []


def test_d5_uploads_in_use_are_never_swept(store: DocumentStore, reopen: Callable[[], DocumentStore]) -> None:
    with store.upload() as upload:
        upload.write(some_bytes(MIB))
        assert reopen().uploads_abandoned(0) == 0
        upload.write(some_bytes(MIB))
        blob = upload.commit("1.2.3", "text/plain")
    assert blob.size == 2 * MIB


def test_d5_a_dead_upload_is_swept_when_it_is_old(tmp_path: Path, store: DocumentStore) -> None:
    dead = tmp_path / "store" / "incoming" / "dead"
    dead.write_bytes(b"half a let")
    assert store.uploads_abandoned(60) == 0
    os.utime(dead, (time.time() - 120, time.time() - 120))
    assert store.uploads_abandoned(60) == 1
    assert not dead.exists()


def test_an_unchanged_document_is_hashed_once(store: DocumentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    blob = settled(store, "1.2.3", some_bytes(MIB))
    store.close()  # or the mark's removal would change the file's times in between
    store.verify(blob)
    monkeypatch.setattr(os, "pread", _only_the_end(os.pread, blob.size))
    store.verify(blob)


def _only_the_end(pread: Callable[[int, int, int], bytes], size: int) -> Callable[[int, int, int], bytes]:
    def checked(handle: int, length: int, offset: int) -> bytes:
        assert offset + length > size, "the content was read again"
        return pread(handle, length, offset)

    return checked


def test_no_name_on_disk_comes_from_outside(tmp_path: Path, store: DocumentStore) -> None:
    settled(store, "../../evil")
    store.close()
    names = [path.name for path in (tmp_path / "store" / "documents").rglob("*")]
    assert all(set(name) <= set("0123456789abcdef") for name in names)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]


def test_more_marks_than_may_wait_are_let_go_by_the_caller() -> None:
    done: list[list[int]] = []
    later = Later(done.append, pause=60, most=3)
    for number in range(8):
        later.add(number)
    assert done == [[0, 1, 2, 3], [4, 5, 6, 7]]
    later.close()


def test_what_was_put_off_and_fails_is_left_for_the_sweeper(caplog: pytest.LogCaptureFixture) -> None:
    def broken(items: list[int]) -> None:
        raise Failed("no")

    later = Later(broken)
    later.add(1)
    later.close()
    assert "left for the sweeper" in caplog.text


def test_a_storage_that_is_neither_folder_nor_bucket_is_refused() -> None:
    with pytest.raises(ValueError, match="folder or s3://"):
        open_store("ftp://somewhere/else")
