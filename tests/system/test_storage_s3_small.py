"""Small documents in a bucket: one object each, what they cost, and living beside what earlier releases have left."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha1, sha256

import pytest
import urllib3

from repository.storage import Blob, Buried, Conflict, Damaged, Missing, open_store, s3_upload
from repository.storage.s3 import S3Store
from repository.storage.s3_whole import SMALL, whole
from tests.servers.s3 import S3Service
from tests.suites.storage_suite import StorageSuite, content_of, settled, some_bytes, stored

pytestmark = pytest.mark.system
ATTEMPT = "0123456789abcdef" * 2
LETTER = b"a letter"


@dataclass
class Bucket:
    """A bucket, the stores that are open on it, and what is done to it behind their backs."""

    service: S3Service
    name: str
    stores: list[S3Store] = field(default_factory=list)

    def open(self) -> S3Store:
        """A store on it, as in a process of its own."""
        keys = {"access_key": self.service.access_key, "secret_key": self.service.secret_key}
        store = open_store(f"s3://{self.name}", endpoint=self.service.endpoint, **keys)
        assert isinstance(store, S3Store)
        self.stores.append(store)
        return store

    def all_keys(self) -> list[str]:
        """All keys, once every store has done what it put off."""
        for store in self.stores:
            store._later.flush()
        return [str(item.object_name) for item in self.service.client().list_objects(self.name, recursive=True)]

    def kinds(self) -> list[str]:
        """Under which prefixes the keys are, sorted."""
        return sorted(key.partition("/")[0] for key in self.all_keys())

    def get(self, key: str) -> bytes:
        """An object."""
        return bytes(self.service.client().get_object(self.name, key).read())

    def put(self, key: str, data: bytes) -> None:
        """Put an object, whatever was there."""
        self.service.client().put_object(self.name, key, io.BytesIO(data), len(data))

    def remove(self, key: str) -> None:
        """Remove an object."""
        self.service.client().remove_object(self.name, key)

    def left_by_0_1_0(self, unique_id: str, content: bytes, *, is_settled: bool) -> None:
        """A document as that release kept all of them: a description that names its data, and the data."""
        name, data = sha256(unique_id.encode()).hexdigest(), f"data/{ATTEMPT[:2]}/{ATTEMPT}"
        digest = sha1(content, usedforsecurity=False).hexdigest()
        told = {"unique_id": unique_id, "mime_type": "text/plain", "sha1": digest, "size": len(content)}
        description = {"data": data, "blob": told | {"crc32": zlib.crc32(content), "stored_at": 1764000000.25}}
        key = f"documents/{name[:2]}/{name[2:4]}/{name}" if is_settled else f"pending/{name}/{ATTEMPT}"
        self.put(data, content)
        self.put(key, json.dumps(description).encode())


@pytest.fixture
def bucket(minio_server: S3Service) -> Iterator[Bucket]:
    made = Bucket(minio_server, minio_server.new_bucket())
    yield made
    for store in made.stores:
        store.close()


@pytest.fixture
def store(bucket: Bucket) -> S3Store:
    return bucket.open()


@pytest.fixture
def reopen(bucket: Bucket) -> Callable[[], S3Store]:
    return bucket.open


@pytest.fixture
def damage(bucket: Bucket) -> Callable[[Blob], None]:
    def change(blob: Blob) -> None:
        content = bytearray(bucket.get(blob.locator))
        content[-1] ^= 1
        bucket.put(blob.locator, bytes(content))

    return change


@pytest.fixture
def lose(bucket: Bucket) -> Callable[[Blob], None]:
    return lambda blob: bucket.remove(blob.locator)


class TestS3StoreOfLargeOnes(StorageSuite):
    """The common promises where no document is small enough to be kept whole, as before there were such."""

    @pytest.fixture(autouse=True)
    def _none_is_small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(s3_upload, "SMALL", -1)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, bucket: Bucket) -> Callable[[], list[str]]:
    """The requests for objects since it was called last, as `METHOD prefix`, in order of the alphabet."""
    seen: list[str] = []
    urlopen = urllib3.PoolManager.urlopen

    def noted(self: urllib3.PoolManager, method: str, url: str, *more: object, **options: object) -> object:
        _, _, key = url.partition(f"/{bucket.name}/")
        if key:
            seen.append(f"{method} {key.partition('/')[0]}")
        return urlopen(self, method, url, *more, **options)  # type: ignore[arg-type]

    def since() -> list[str]:
        found, seen[:] = sorted(seen), []
        return found

    monkeypatch.setattr(urllib3.PoolManager, "urlopen", noted)
    return since


@pytest.mark.parametrize(
    ("size", "committed", "first_read", "later_read"),
    [
        (SMALL, ["GET documents", "PUT arrived"], ["GET documents"], ["GET documents"]),
        (SMALL + 1, ["GET documents", "PUT data", "PUT pending"], ["GET data", "GET documents"], ["GET data"]),
    ],
    ids=["small", "large"],
)
def test_requests_are_as_few_as_is_told(
    bucket: Bucket,
    asked: Callable[[], list[str]],
    size: int,
    committed: list[str],
    first_read: list[str],
    later_read: list[str],
) -> None:
    store, other = bucket.open(), bucket.open()
    asked()
    blob = stored(store, "1.2.3", some_bytes(size))
    assert asked() == committed
    store.settle(blob)
    assert asked() == ["PUT documents"]
    for expected in (first_read, later_read, later_read):
        with other.read(other.find("1.2.3")[0]) as reader:
            assert reader.content() == some_bytes(size)
        assert asked() == expected


@pytest.mark.parametrize("size", [0, SMALL - 1, SMALL, SMALL + 1])
def test_a_document_of_any_size_at_the_boundary_goes_through_its_life(bucket: Bucket, size: int) -> None:
    content = some_bytes(size)
    pending = stored(bucket.open(), "1.2.3", content)
    [marked] = bucket.open().find("1.2.3")
    assert marked == pending
    assert content_of(bucket.open(), marked.bare()) == content

    first = bucket.open().settle(next(bucket.open().pending(0)))
    for store in (bucket.open(), bucket.open()):
        [again] = store.find("1.2.3")
        assert (again, content_of(store, again), content_of(store, again.bare())) == (first, content, content)
        store.verify(again)
        store.verify(again.bare())
        assert list(store.all()) == [first]
    bucket.open().bury(first, "a message")
    found = bucket.all_keys()
    assert [key.partition("/")[0] for key in found] == ["documents"]
    assert not any(content and content in bucket.get(key) for key in found)


def test_the_bytes_are_not_remembered(bucket: Bucket) -> None:
    settled(bucket.open(), "1.2.3")
    store = bucket.open()
    assert [store.find("1.2.3")[0].content, store.find("1.2.3")[0].content] == [LETTER, None]
    assert [blob.content for blob in store.all()] == [None]


def test_what_arrived_is_settled_by_whoever_finds_it_and_is_the_same_object(bucket: Bucket, store: S3Store) -> None:
    blob = stored(store, "1.2.3")
    arrived = bucket.get(blob.locator)
    settled_blob = bucket.open().settle(blob.bare())
    assert bucket.get(settled_blob.locator) == arrived
    assert bucket.kinds() == ["documents"]


def test_d14_a_mark_that_was_swept_elsewhere_takes_no_bytes_from_whoever_has_them(
    bucket: Bucket, store: S3Store
) -> None:
    first, second = stored(store, "1.2.3"), stored(store, "1.2.4")
    for blob in (first, second):
        bucket.open().remove(blob.bare())
    store.settle(first)
    with pytest.raises(Missing):
        bucket.open().settle(second)
    assert content_of(bucket.open(), bucket.open().find("1.2.3")[0]) == LETTER


def test_a_pending_document_is_read_though_it_was_settled_meanwhile(bucket: Bucket, store: S3Store) -> None:
    blob = stored(store, "1.2.3")
    store.settle(blob)
    assert bucket.kinds() == ["documents"]
    assert content_of(bucket.open(), blob.bare()) == LETTER


def test_removing_what_was_settled_meanwhile_takes_the_mark_alone(bucket: Bucket, store: S3Store) -> None:
    blob = stored(store, "1.2.3")
    bucket.open().settle(blob)
    store.remove(blob)
    assert content_of(bucket.open(), bucket.open().find("1.2.3")[0]) == LETTER


def test_d11_a_damaged_mark_is_not_settled(bucket: Bucket, store: S3Store, damage: Callable[[Blob], None]) -> None:
    blob = stored(store, "1.2.3")
    damage(blob)
    other = bucket.open()
    [found] = other.find("1.2.3")
    with pytest.raises(Damaged):
        content_of(other, found)
    with pytest.raises(Damaged):
        other.settle(found)
    assert bucket.kinds() == ["arrived"]


@pytest.mark.parametrize("data", [b"", b"{}", b"PORTOLAN-DOCUMENT-2 of a later release"])
def test_d5_what_arrived_and_cannot_be_read_is_named_and_never_swept(
    bucket: Bucket, store: S3Store, data: bytes
) -> None:
    blob = stored(store, "1.2.3")
    bucket.put(blob.locator, data)
    assert store.find("1.2.3") == []
    assert list(store.pending(0)) == []
    assert store.uploads_abandoned(0) == 0
    assert [(found.sha1, found.pending, found.locator) for found in store.all()] == [("", True, blob.locator)]


@pytest.mark.parametrize("data", [b"", b"PORTOLAN-DOCUMENT-2 of a later release"])
def test_d11_a_settled_object_that_cannot_be_read_is_damage_and_can_be_buried(bucket: Bucket, data: bytes) -> None:
    blob = settled(bucket.open(), "1.2.3")
    bucket.put(blob.locator, data)
    store = bucket.open()
    [found] = store.find("1.2.3")
    with pytest.raises(Damaged):
        store.read(found)
    with pytest.raises(Conflict):
        settled(store, "1.2.3")
    assert [each.sha1 for each in store.all() if not each.pending] == [""]
    store.bury(found, "a message")
    assert store.find("1.2.3") == []


@pytest.mark.parametrize("size", [10, SMALL + 1], ids=["small", "large"])
def test_a_process_that_remembers_another_document_under_the_id_gives_it_up(bucket: Bucket, size: int) -> None:
    store, other = bucket.open(), bucket.open()
    first = settled(store, "1.2.3")
    other.remove(first)
    second = settled(other, "1.2.3", some_bytes(size))
    with pytest.raises(Missing):
        store.read(store.find("1.2.3")[0])
    assert store.find("1.2.3") == [second]
    store.remove(first)
    assert content_of(bucket.open(), second) == some_bytes(size)


def test_a_process_that_remembers_a_document_hears_that_it_was_buried(bucket: Bucket, store: S3Store) -> None:
    blob = settled(store, "1.2.3")
    bucket.open().bury(blob)
    with pytest.raises(Buried):
        store.read(store.find("1.2.3")[0])
    assert store.find("1.2.3") == []


def test_d13_what_0_1_0_has_settled_is_read_removed_and_buried_for_ever(bucket: Bucket) -> None:
    for end in ("remove", "bury"):
        bucket.left_by_0_1_0("1.2.3", LETTER, is_settled=True)
        store = bucket.open()
        [blob] = store.find("1.2.3")
        assert (blob.pending, content_of(store, blob)) == (False, LETTER)
        store.verify(blob)
        assert list(store.all()) == [blob]
        assert store.settle(stored(store, "1.2.3")) == blob
        with pytest.raises(Conflict):
            store.settle(stored(store, "1.2.3", b"another content"))
        assert bucket.kinds() == ["arrived", "data", "documents"]
        for refused in list(store.pending(0)):
            store.remove(refused)
        assert bucket.kinds() == ["data", "documents"]
        store.remove(blob) if end == "remove" else store.bury(blob, "a message")
        assert bucket.open().find("1.2.3") == []
        assert bucket.kinds() == ([] if end == "remove" else ["documents"])


def test_d13_what_0_1_0_has_left_pending_is_settled_or_removed(bucket: Bucket, store: S3Store) -> None:
    bucket.left_by_0_1_0("1.2.3", LETTER, is_settled=False)
    [blob] = store.pending(0)
    assert store.find("1.2.3") == [blob]
    store.remove(blob)
    assert bucket.kinds() == []

    bucket.left_by_0_1_0("1.2.3", LETTER, is_settled=False)
    assert not store.settle(blob).pending
    assert bucket.kinds() == ["data", "documents"]


def test_of_two_attempts_of_one_content_the_first_to_be_settled_stays_however_they_are_kept(bucket: Bucket) -> None:
    store = bucket.open()
    bucket.left_by_0_1_0("1.2.3", LETTER, is_settled=False)
    first = settled(store, "1.2.3")
    [old] = store.pending(0)
    assert store.settle(old) == first
    assert bucket.kinds() == ["documents"]
    assert content_of(bucket.open(), first) == LETTER


def test_a_burial_that_was_cut_leaves_no_copy_of_either_kind(bucket: Bucket, store: S3Store) -> None:
    blob = settled(store, "1.2.3")
    copies = [stored(bucket.open(), "1.2.3"), stored(bucket.open(), "1.2.3", some_bytes(SMALL + 1))]
    store.bury(blob, "a message")
    bucket.put(copies[0].locator, whole(copies[0], LETTER))
    for other in (bucket.open(), store):
        assert other.find("1.2.3") == []
    store.clear_copies("1.2.3")
    assert bucket.kinds() == ["documents"]
    with pytest.raises(Buried):
        store.settle(copies[0])
