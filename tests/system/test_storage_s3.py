"""The S3 store on real services: the common suite, and what a service or the line to it can do."""

from __future__ import annotations

import hashlib
import io
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import urllib3

from common.faults import FaultRaised, armed
from repository.storage import Blob, Busy, Damaged, DocumentStore, Failed, open_store
from repository.storage.s3 import S3Store
from repository.storage.s3_keys import written
from repository.storage.s3_whole import SMALL
from repository.storage.s3_wire import Wire
from tests.servers.line import Line
from tests.servers.process import free_port
from tests.servers.s3 import S3Service
from tests.suites.storage_suite import MIB, StorageSuite, content_of, settled, some_bytes, stored

pytestmark = pytest.mark.system


@pytest.fixture(params=["minio_server", "versitygw_server"])
def service(request: pytest.FixtureRequest) -> S3Service:
    found: S3Service = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def bucket(service: S3Service) -> str:
    return service.new_bucket()


@pytest.fixture
def opened() -> Iterator[list[DocumentStore]]:
    stores: list[DocumentStore] = []
    yield stores
    for store in stores:
        store.close()


@pytest.fixture
def reopen(service: S3Service, bucket: str, opened: list[DocumentStore]) -> Callable[[], DocumentStore]:
    def again() -> DocumentStore:
        store = open_store(
            f"s3://{bucket}",
            endpoint=service.endpoint,
            access_key=service.access_key,
            secret_key=service.secret_key,
        )
        opened.append(store)
        return store

    return again


@pytest.fixture
def store(reopen: Callable[[], DocumentStore]) -> DocumentStore:
    return reopen()


@pytest.fixture
def damage(service: S3Service, bucket: str) -> Callable[[Blob], None]:
    def replace_object(blob: Blob) -> None:
        client = service.client()
        answer = client.get_object(bucket, blob.locator)
        content = bytearray(answer.read())
        answer.release_conn()
        content[len(content) // 2] ^= 1
        client.put_object(bucket, blob.locator, io.BytesIO(bytes(content)), len(content))

    return replace_object


@pytest.fixture
def lose(service: S3Service, bucket: str) -> Callable[[Blob], None]:
    return lambda blob: service.client().remove_object(bucket, blob.locator)


class TestS3Store(StorageSuite):
    """The common promises, on each service."""


def keys(service: S3Service, bucket: str) -> list[str]:
    """All keys in the bucket."""
    return [str(item.object_name) for item in service.client().list_objects(bucket, recursive=True)]


def kinds(service: S3Service, bucket: str) -> list[str]:
    """Under which prefixes the keys in the bucket are, sorted."""
    return sorted(key.partition("/")[0] for key in keys(service, bucket))


BOTH = [(SMALL, ["documents"]), (SMALL + 1, ["data", "documents"])]
"""Sizes at the boundary, and what a settled document of each is."""


@pytest.mark.parametrize(("size", "objects"), [*BOTH, (0, ["documents"]), (12 * MIB, ["data", "documents"])])
def test_a_settled_document_is_one_object_if_it_is_small_and_else_two(
    service: S3Service, bucket: str, store: DocumentStore, size: int, objects: list[str]
) -> None:
    settled(store, "1.2.3", some_bytes(size))
    store.close()
    assert kinds(service, bucket) == objects


def test_an_upload_in_parts_that_is_left_leaves_no_object(
    service: S3Service, bucket: str, store: DocumentStore
) -> None:
    with store.upload() as upload:
        upload.write(some_bytes(11 * MIB))
        assert [key.partition("/")[0] for key in keys(service, bucket)] == ["incoming"]
    assert keys(service, bucket) == []


def test_d5_a_dead_upload_in_parts_is_swept(
    service: S3Service, bucket: str, store: DocumentStore, reopen: Callable[[], DocumentStore]
) -> None:
    dead = store.upload()
    dead.write(some_bytes(11 * MIB))
    other = reopen()
    assert other.uploads_abandoned(3600) == 0
    assert other.uploads_abandoned(0) == 1
    assert keys(service, bucket) == []
    with pytest.raises(Busy), dead:
        dead.commit("1.2.3", "text/plain")
    assert keys(service, bucket) == []


def test_a_mark_whose_bytes_never_came_is_not_found_and_swept(
    service: S3Service, bucket: str, store: DocumentStore
) -> None:
    blob = stored(store, "1.2.3", some_bytes(SMALL + 1))
    service.client().remove_object(bucket, blob.locator)
    assert store.find("1.2.3") == []
    assert list(store.pending(0)) == []
    assert store.uploads_abandoned(0) == 1
    assert keys(service, bucket) == []


def test_a_removal_cut_in_the_middle_is_found_by_the_sweeper(
    service: S3Service, bucket: str, store: DocumentStore, reopen: Callable[[], DocumentStore]
) -> None:
    blob = settled(store, "1.2.3", some_bytes(SMALL + 1))
    store.close()
    mark = f"pending/{'0' * 64}/{blob.locator.rpartition('/')[2]}"
    service.client().put_object(bucket, mark, io.BytesIO(written(blob)), len(written(blob)))
    [document] = [key for key in keys(service, bucket) if key.startswith("documents/")]
    service.client().remove_object(bucket, document)
    again = reopen()
    [found] = again.pending(0)
    assert (found.unique_id, found.locator) == ("1.2.3", blob.locator)


@pytest.mark.parametrize(("size", "objects"), BOTH)
def test_the_mark_of_a_crash_after_settling_is_let_go(
    service: S3Service,
    bucket: str,
    store: DocumentStore,
    reopen: Callable[[], DocumentStore],
    size: int,
    objects: list[str],
) -> None:
    pending = stored(store, "1.2.3", some_bytes(size))
    with armed("mark.removed=raise"), pytest.raises(FaultRaised):
        store.settle(pending)
    again = reopen()
    assert [blob.pending for blob in again.find("1.2.3")] == [False]
    assert list(again.pending(0)) == []
    again.close()
    assert kinds(service, bucket) == objects


def test_d11_an_unreadable_description_is_damage_and_can_be_removed(
    service: S3Service, bucket: str, reopen: Callable[[], DocumentStore]
) -> None:
    first = reopen()
    settled(first, "1.2.3")
    first.close()
    [document] = [key for key in keys(service, bucket) if key.startswith("documents/")]
    service.client().put_object(bucket, document, io.BytesIO(b"{}"), 2)
    store = reopen()
    [found] = store.find("1.2.3")
    with pytest.raises(Damaged):
        store.read(found)
    assert [blob.sha1 for blob in store.all()] == [""]
    store.remove(found)
    assert reopen().find("1.2.3") == []


def test_d11_a_document_is_hashed_once_and_again_when_its_object_changed(
    store: S3Store, service: S3Service, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = some_bytes(MIB)
    blob = settled(store, "1.2.3", data)
    hashed: list[int] = []
    ordinary = hashlib.sha1
    monkeypatch.setattr(hashlib, "sha1", lambda data=b"", **how: hashed.append(len(data)) or ordinary(data, **how))

    def whole() -> bytes:
        with store.read(blob) as reader:
            return reader.content()

    assert [whole() for _ in range(3)] == [data] * 3
    assert hashed == [MIB]
    store.verify(blob)  # knows the same object
    assert hashed == [MIB]

    wire = Wire(bucket, service.endpoint, service.access_key, service.secret_key)
    assert wire.stat(blob.locator).identity.count('"') == 2  # an ETag, and
    assert wire.stat(blob.locator).identity.endswith("GMT")
    service.client().put_object(bucket, blob.locator, io.BytesIO(data[:-1] + bytes([data[-1] ^ 1])), MIB)
    with pytest.raises(Damaged):
        whole()
    wire.close()


def test_a_listing_goes_on_after_its_first_page(service: S3Service, bucket: str) -> None:
    wire = Wire(bucket, service.endpoint, service.access_key, service.secret_key, "us-east-1")
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: wire.put(f"many/{number:05}", b"x"), range(1003)))
    assert [item.key for item in wire.listed("many/")] == [f"many/{number:05}" for number in range(1003)]
    wire.close()


def test_n4_a_store_that_is_down_is_busy_within_ten_seconds() -> None:
    store = S3Store.connect("documents", f"http://127.0.0.1:{free_port()}", "xdsadmin", "xdssecret", "us-east-1")
    began = time.monotonic()
    for action in (lambda: stored(store, "1.2.3"), lambda: store.find("1.2.3"), store.probe):
        with pytest.raises(Busy):
            action()
    assert time.monotonic() - began < 30
    store.close()


def test_n4_a_store_that_never_answers_is_busy_in_ten_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = S3Store.connect(
            "documents", f"http://127.0.0.1:{silent.getsockname()[1]}", "xdsadmin", "xdssecret", "us-east-1"
        )
        began = time.monotonic()
        with pytest.raises(Busy):
            store.find("1.2.3")
        assert time.monotonic() - began < 11
        store.close()


def test_wrong_secrets_are_a_failure_and_not_repeated(service: S3Service, bucket: str) -> None:
    with pytest.raises(Failed):
        open_store(f"s3://{bucket}", endpoint=service.endpoint, access_key="xdsadmin", secret_key="wrong").probe()


def test_the_bucket_is_made_where_it_is_absent(service: S3Service) -> None:
    store = open_store(
        "s3://made-by-portolan", endpoint=service.endpoint, access_key="xdsadmin", secret_key="xdssecret"
    )
    store.probe()
    store.close()


def test_n6_a_cut_transfer_is_never_a_short_document(service: S3Service, bucket: str) -> None:
    line = Line(int(service.endpoint.rpartition(":")[2]))
    endpoint = f"http://127.0.0.1:{line.port}"
    store = open_store(f"s3://{bucket}", endpoint=endpoint, access_key="xdsadmin", secret_key="xdssecret")
    blob = settled(store, "1.2.3", some_bytes(4 * MIB))
    line.answer_limit = MIB
    received = 0
    with pytest.raises(Busy), store.read(blob) as reader:  # noqa: PT012 - what came before counts too
        for chunk in reader:
            received += len(chunk)
    assert received < blob.size
    line.answer_limit = -1
    assert content_of(store, blob) == some_bytes(4 * MIB)
    store.close()
    line.close()


@pytest.mark.parametrize(("size", "prefix"), [(SMALL, "/arrived/"), (SMALL + 1, "/data/")])
def test_n7_a_store_that_kept_other_bytes_is_found_before_commit_returns(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch, size: int, prefix: str
) -> None:
    urlopen = urllib3.PoolManager.urlopen

    def lying(self: urllib3.PoolManager, method: str, url: str, *more: object, **options: object) -> object:
        answer = urlopen(self, method, url, *more, **options)  # type: ignore[arg-type]
        if method == "PUT" and prefix in url:
            answer.headers["ETag"] = '"00000000000000000000000000000000"'
        return answer

    monkeypatch.setattr(urllib3.PoolManager, "urlopen", lying)
    with pytest.raises(Failed, match="other bytes"):
        stored(store, "1.2.3", some_bytes(size))
    assert list(store.all()) == []
