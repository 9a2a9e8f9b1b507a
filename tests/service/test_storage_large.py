"""Large documents in a folder: hashed while they arrive, and not read twice by the process that wrote them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from repository.storage import Blob, Damaged, open_store
from repository.storage.digest import LARGE
from repository.storage.folder_reader import FolderReader

CONTENT = os.urandom(2**20) * (2 * LARGE // 2**20 + 1)


def stored(place: Path) -> Blob:
    """A settled large document."""
    store = open_store(place)
    with store.upload() as upload:
        for start in range(0, len(CONTENT), 200_000):
            upload.write(memoryview(CONTENT)[start : start + 200_000])
        blob = store.settle(upload.commit("2.999.1", "application/pdf"))
    store.close()
    return blob


def in_place(place: Path, blob: Blob) -> Path:
    return place / blob.locator


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A line for each time that a document is read from end to end to be checked."""
    found: list[str] = []
    require = FolderReader.require_hash

    def noted(self: FolderReader) -> None:
        found.append("read")
        require(self)

    monkeypatch.setattr(FolderReader, "require_hash", noted)
    return found


def test_whoever_wrote_a_document_gives_it_out_without_reading_it_twice(tmp_path: Path, passes: list[str]) -> None:
    store = open_store(tmp_path)
    with store.upload() as upload:
        upload.write(CONTENT)
        store.settle(upload.commit("2.999.1", "application/pdf"))

    for _ in range(2):
        [blob] = store.find("2.999.1")
        store.verify(blob)
        with store.read(blob) as reader:
            assert b"".join(reader) == CONTENT
    store.close()  # the pending name goes, and with it the time of the file's names changes

    [blob] = store.find("2.999.1")
    store.verify(blob)
    assert passes == []


def test_another_process_reads_it_once_before_it_answers(tmp_path: Path, passes: list[str]) -> None:
    stored(tmp_path)
    other = open_store(tmp_path)

    for _ in range(2):
        [blob] = other.find("2.999.1")
        other.verify(blob)

    assert passes == ["read"]
    other.close()


@pytest.mark.parametrize("keep_time", [False, True], ids=["and its time", "and its time put back"])
def test_what_was_changed_on_disk_is_never_given_out_whole(tmp_path: Path, keep_time: bool) -> None:
    store = open_store(tmp_path)
    with store.upload() as upload:
        upload.write(CONTENT)
        blob = store.settle(upload.commit("2.999.1", "application/pdf"))
    status = in_place(tmp_path, blob).stat()
    with in_place(tmp_path, blob).open("r+b") as file:
        file.seek(LARGE)
        file.write(b"altered")
    if keep_time:
        os.utime(in_place(tmp_path, blob), ns=(status.st_atime_ns, status.st_mtime_ns))

    def given_out() -> bytes:
        [found] = store.find("2.999.1")
        store.verify(found)
        with store.read(found) as reader:
            return b"".join(reader)

    with pytest.raises(Damaged):
        given_out()
    store.close()


def test_an_upload_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with store.upload() as upload:
        upload.write(CONTENT)

    assert list((tmp_path / "incoming").iterdir()) == []
    assert store.find("2.999.1") == []
    store.close()
