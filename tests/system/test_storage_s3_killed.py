"""The S3 store after a kill -9 at each of its steps: what was told is kept, and nothing is left out of reach."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from repository.storage import DocumentStore, open_store
from repository.storage.s3_whole import SMALL
from tests.servers.s3 import S3Service
from tests.suites.storage_kills import kill_at_every_step
from tests.suites.storage_suite import MIB

pytestmark = [pytest.mark.system, pytest.mark.slow]


@pytest.mark.parametrize("size", [10_000, 6 * MIB], ids=["small", "in parts"])
def test_d1_killed_at_any_step_the_bucket_keeps_what_it_told(
    minio_server: S3Service, tmp_path: Path, size: int
) -> None:
    is_small = size <= SMALL
    secrets = (minio_server.endpoint, minio_server.access_key, minio_server.secret_key)

    def reopen(place: str) -> DocumentStore:
        endpoint, access_key, secret_key = secrets
        return open_store(place, endpoint=endpoint, access_key=access_key, secret_key=secret_key)

    places = kill_at_every_step(
        lambda: f"s3://{minio_server.new_bucket()}", reopen, size, tmp_path / "trace", service=secrets
    )

    for place in places:
        listed = minio_server.client().list_objects(place.removeprefix("s3://"), recursive=True)
        kinds = Counter(str(item.object_name).partition("/")[0] for item in listed)
        assert set(kinds) <= ({"documents"} if is_small else {"data", "documents"}), "a mark or an upload was left"
        buried = reopen(place).tombstone("2") is not None
        left = 0 if is_small else kinds["documents"] - buried
        assert kinds["data"] == left, "bytes were left that nobody can find"
