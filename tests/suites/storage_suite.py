"""What every document store must do: the folder and S3 pass the same tests.

A subclass gives the fixtures `store`, `reopen` (a second store on the same place, as another process would open it)
and `damage` (change a byte of a blob's stored content behind the store's back).
"""

from __future__ import annotations

import hashlib
import random
import resource
import threading
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from repository.storage import Blob, Buried, Busy, Conflict, Damaged, DocumentStore, Missing

MIB = 1024 * 1024
ODD_IDS = {
    "nul": "1.2\0.3",
    "slashes": "/etc/passwd",
    "upwards": "../../../outside",
    "dots": "..",
    "empty": "",
    "256 letters": "ü" * 256,
    "256 emoji": "\U0001f9ed" * 256,
    "lone surrogate": "1.2\udc80",
    "line break": "1.2\r\nX-Header: 1",
    "quotes": "\"'\\%2e%2e%00",
}
SIZES = [0, 1, 10 * 1024, 65_535, 65_536, 65_537, 256 * 1024, 5 * MIB, 5 * MIB + 1, 12 * MIB + 7]


def some_bytes(size: int, seed: int = 1) -> bytes:
    """So many bytes, always the same ones."""
    return random.Random(seed).randbytes(size)


def stored(store: DocumentStore, unique_id: str, content: bytes = b"a letter", *, slice_size: int = 65_536) -> Blob:
    """Upload and commit a document."""
    with store.upload() as upload:
        for start in range(0, len(content), slice_size):
            upload.write(memoryview(content)[start : start + slice_size])
        return upload.commit(unique_id, "text/plain")


def settled(store: DocumentStore, unique_id: str, content: bytes = b"a letter") -> Blob:
    """Upload, commit and settle a document."""
    return store.settle(stored(store, unique_id, content))


def content_of(store: DocumentStore, blob: Blob) -> bytes:
    """The document, read in chunks."""
    with store.read(blob) as reader:
        return b"".join(reader)


class StorageSuite:
    """The promises of `DocumentStore`."""

    @pytest.mark.parametrize("size", SIZES)
    def test_bytes_out_are_bytes_in(self, store: DocumentStore, size: int) -> None:
        content = some_bytes(size)
        blob = settled(store, "1.2.3", content)

        assert (blob.size, blob.sha1) == (size, hashlib.sha1(content).hexdigest())
        assert content_of(store, blob) == content
        with store.read(blob) as reader:
            assert reader.content() == content
        store.verify(blob)

    @pytest.mark.parametrize("slice_size", [1, 7, 65_537])
    def test_slices_of_any_length_make_the_same_document(self, store: DocumentStore, slice_size: int) -> None:
        content = some_bytes(20_011)
        assert content_of(store, stored(store, "1.2.3", content, slice_size=slice_size)) == content

    def test_an_upload_tells_hash_and_size_on_the_way(self, store: DocumentStore) -> None:
        with store.upload() as upload:
            upload.write(b"abc")
            assert (upload.size, upload.sha1()) == (3, hashlib.sha1(b"abc").hexdigest())
            upload.write(memoryview(b"def"))
            assert (upload.size, upload.sha1()) == (6, hashlib.sha1(b"abcdef").hexdigest())

    @pytest.mark.parametrize("unique_id", ODD_IDS.values(), ids=ODD_IDS.keys())
    def test_x13_any_unique_id_is_only_a_name(self, store: DocumentStore, unique_id: str) -> None:
        blob = settled(store, unique_id)
        assert (blob.unique_id, blob.mime_type) == (unique_id, "text/plain")
        assert [found.unique_id for found in store.find(unique_id)] == [unique_id]
        assert content_of(store, store.find(unique_id)[0]) == b"a letter"

    def test_what_was_committed_is_pending_and_found_by_another_process(
        self, store: DocumentStore, reopen: Callable[[], DocumentStore]
    ) -> None:
        blob = stored(store, "1.2.3")
        assert blob.pending
        assert reopen().find("1.2.3") == [blob]
        assert list(reopen().pending(0)) == [blob]
        assert content_of(reopen(), blob) == b"a letter"

    def test_what_was_settled_is_pending_no_more(
        self, store: DocumentStore, reopen: Callable[[], DocumentStore]
    ) -> None:
        blob = settled(store, "1.2.3")
        assert not blob.pending
        for each in (store, reopen()):
            assert each.find("1.2.3") == [blob]
            assert list(each.pending(0)) == []
            assert list(each.all()) == [blob]

    def test_a_mark_is_listed_only_when_it_is_old_enough(self, store: DocumentStore) -> None:
        blob = stored(store, "1.2.3")
        assert list(store.pending(3600)) == []
        assert list(store.pending(0)) == [blob]

    def test_nothing_is_found_under_an_unknown_id(self, store: DocumentStore) -> None:
        settled(store, "1.2.3")
        assert store.find("1.2.4") == []

    def test_settling_is_idempotent(self, store: DocumentStore, reopen: Callable[[], DocumentStore]) -> None:
        pending = stored(store, "1.2.3")
        first = store.settle(pending)
        assert store.settle(pending) == first
        assert store.settle(first) == first
        assert reopen().settle(pending) == first
        store.close()
        assert content_of(reopen(), first) == b"a letter"
        assert list(reopen().pending(0)) == []

    def test_the_same_content_twice_is_stored_once(
        self, store: DocumentStore, reopen: Callable[[], DocumentStore]
    ) -> None:
        first = settled(store, "1.2.3")
        assert store.settle(stored(store, "1.2.3")) == first
        store.close()
        assert list(reopen().all()) == [first]

    def test_what_was_buried_is_gone_and_nothing_is_taken_for_it(
        self, store: DocumentStore, reopen: Callable[[], DocumentStore]
    ) -> None:
        blob, other = settled(store, "1.2.3"), settled(store, "1.2.4")
        before = time.time()
        store.bury(blob, "urn:uuid:a-message")

        for each in (store, reopen()):
            assert each.find("1.2.3") == []
            assert list(each.all()) == [other]
            assert list(each.pending(0)) == []
            found = each.tombstone("1.2.3")
            assert found is not None
            assert (found.unique_id, found.sha1, found.size) == ("1.2.3", blob.sha1, blob.size)
            assert (found.message_id, before - 1 < found.buried_at < time.time() + 1) == ("urn:uuid:a-message", True)
            for content in (b"a letter", b"another one"):
                with pytest.raises(Buried):
                    stored(each, "1.2.3", content)
            assert list(each.pending(0)) == []
            assert each.tombstone("1.2.4") is None
        store.close()
        assert list(reopen().all()) == [other]

    def test_burying_is_idempotent_and_keeps_its_first_date(self, store: DocumentStore) -> None:
        blob = settled(store, "1.2.3")
        store.bury(blob, "first")
        first = store.tombstone("1.2.3")
        store.bury(blob, "second")
        assert store.tombstone("1.2.3") == first

    def test_burying_takes_every_copy_that_is_marked(
        self, store: DocumentStore, reopen: Callable[[], DocumentStore]
    ) -> None:
        blob = settled(store, "1.2.3")
        copies = [stored(reopen(), "1.2.3"), stored(store, "1.2.3", b"another content")]

        store.bury(blob)

        store.clear_copies("1.2.3")
        store.clear_copies("never stored")
        for copy in copies:
            with pytest.raises(Buried):
                store.settle(copy)
            store.remove(copy)
        assert list(reopen().all()) == []
        with pytest.raises(Buried):
            store.settle(blob)

    def test_r7_a_reader_that_has_a_document_open_gets_all_of_it_or_breaks(self, store: DocumentStore) -> None:
        content = some_bytes(3 * MIB)
        blob = settled(store, "1.2.3", content)
        with store.read(blob, 65_536) as reader:
            pieces = iter(reader)
            got = next(pieces)
            store.bury(blob)
            try:
                got += b"".join(pieces)
            except (Busy, Missing):
                assert len(got) < len(content)
            else:
                assert got == content
        with pytest.raises((Missing, Damaged)):
            content_of(store, blob)

    def test_d8_another_content_never_replaces_the_first(self, store: DocumentStore) -> None:
        first = settled(store, "1.2.3", b"the first")
        second = stored(store, "1.2.3", b"the second")
        with pytest.raises(Conflict):
            store.settle(second)
        store.remove(second)
        assert store.find("1.2.3") == [first]
        assert content_of(store, first) == b"the first"
        assert list(store.pending(0)) == []

    def test_r1_sixteen_racers_with_one_content_all_settle(
        self, store: DocumentStore, reopen: Callable[[], DocumentStore]
    ) -> None:
        stores = [store, reopen()]
        with ThreadPoolExecutor(16) as pool:
            blobs = list(pool.map(lambda number: settled(stores[number % 2], "1.2.3"), range(16)))
        for each in stores:
            each.close()
        assert len({blob.locator for blob in blobs}) == 1
        assert list(reopen().all()) == [blobs[0]]
        assert content_of(reopen(), blobs[0]) == b"a letter"

    def test_r2_of_eight_contents_one_wins_and_is_whole(self, store: DocumentStore) -> None:
        start = threading.Barrier(8)
        contents = [some_bytes(50_000, seed) for seed in range(8)]

        def race(content: bytes) -> Blob | None:
            blob = stored(store, "1.2.3", content)
            start.wait(timeout=30)
            try:
                return store.settle(blob)
            except Conflict:
                store.remove(blob)
                return None

        with ThreadPoolExecutor(8) as pool:
            [winner] = [blob for blob in pool.map(race, contents) if blob]
        assert store.find("1.2.3") == [winner]
        assert hashlib.sha1(content_of(store, winner)).hexdigest() == winner.sha1
        assert list(store.pending(0)) == []

    @pytest.mark.parametrize("size", [0, 100, 400_000, 12 * MIB])
    def test_an_upload_that_is_left_leaves_nothing(self, store: DocumentStore, size: int) -> None:
        with pytest.raises(ZeroDivisionError), store.upload() as upload:  # noqa: PT012 - how far it came is the point
            upload.write(some_bytes(size))
            raise ZeroDivisionError
        assert list(store.all()) == []
        assert store.uploads_abandoned(0) == 0

    def test_a_refused_document_is_gone(self, store: DocumentStore) -> None:
        blob = stored(store, "1.2.3")
        store.remove(blob)
        store.remove(blob)
        assert store.find("1.2.3") == []
        assert list(store.all()) == []
        with pytest.raises(Missing):
            store.settle(blob)

    def test_a_removed_document_is_gone_and_stays_gone(
        self, store: DocumentStore, reopen: Callable[[], DocumentStore]
    ) -> None:
        blob = settled(store, "1.2.3")
        store.remove(blob)
        store.remove(blob)
        store.close()
        again = reopen()
        assert again.find("1.2.3") == []
        assert list(again.all()) == []
        with pytest.raises(Missing):
            again.read(blob)

    def test_a_refusal_that_comes_late_does_not_remove_what_was_settled(self, store: DocumentStore) -> None:
        pending = stored(store, "1.2.3")
        blob = store.settle(pending)
        store.remove(pending)
        assert store.find("1.2.3") == [blob]
        assert content_of(store, blob) == b"a letter"

    def test_after_a_removal_the_id_can_hold_another_content(self, store: DocumentStore) -> None:
        store.remove(settled(store, "1.2.3", b"the first"))
        blob = settled(store, "1.2.3", b"the second")
        assert content_of(store, store.find("1.2.3")[0]) == b"the second"
        store.verify(blob)

    @pytest.mark.parametrize("size", [1, 10 * 1024, 3 * MIB])
    def test_d11_a_damaged_document_is_never_completed(
        self, store: DocumentStore, damage: Callable[[Blob], None], size: int
    ) -> None:
        content = some_bytes(size)
        blob = settled(store, "1.2.3", content)
        store.verify(blob)
        damage(blob)
        received = 0
        with pytest.raises(Damaged), store.read(blob) as reader:  # noqa: PT012 - what came before counts too
            for chunk in reader:
                received += len(chunk)
        assert received < size
        with pytest.raises(Damaged), store.read(blob) as reader:
            reader.content()
        with pytest.raises(Damaged):
            store.verify(blob)

    def test_d11_bytes_that_are_gone_are_missing(self, store: DocumentStore, lose: Callable[[Blob], None]) -> None:
        blob = settled(store, "1.2.3")
        lose(blob)
        with pytest.raises(Missing):
            store.read(blob)
        with pytest.raises(Missing):
            store.verify(blob)

    def test_a_reader_may_stop_half_way(self, store: DocumentStore) -> None:
        blob = settled(store, "1.2.3", some_bytes(2 * MIB))
        for _ in range(100):
            with store.read(blob) as reader:
                next(iter(reader))
        assert content_of(store, blob) == some_bytes(2 * MIB)

    @pytest.mark.slow
    def test_memory_does_not_grow_with_the_document(self, store: DocumentStore) -> None:
        piece = some_bytes(MIB)
        tracemalloc.start()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            with store.upload() as upload:
                for _ in range(64):
                    upload.write(piece)
                blob = store.settle(upload.commit("1.2.3", "application/dicom"))
            with store.read(blob) as reader:
                assert sum(map(len, reader)) == 64 * MIB
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert most < 16 * MIB
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 48 * 1024  # KiB

    def test_many_threads_store_and_read_their_own(
        self, store: DocumentStore, reopen: Callable[[], DocumentStore]
    ) -> None:
        def round_trip(number: int) -> bool:
            content = some_bytes(20_000, number)
            return content_of(store, settled(store, f"1.2.{number}", content)) == content

        with ThreadPoolExecutor(16) as pool:
            assert all(pool.map(round_trip, range(100)))
        store.close()
        assert len(list(reopen().all())) == 100
        assert list(reopen().pending(0)) == []

    def test_o8_a_healthy_store_passes_its_probe_and_keeps_nothing_of_it(self, store: DocumentStore) -> None:
        store.probe()
        assert list(store.all()) == []

    def test_closing_twice_is_harmless(self, store: DocumentStore) -> None:
        settled(store, "1.2.3")
        store.close()
        store.close()
