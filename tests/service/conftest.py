"""Service tests run against running services, on both databases and both kinds of storage."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.running import a_pair, an_identity
from tests.servers.s3 import S3Service
from tests.service.identity_kit import Identity
from tests.wire import Services

BACK_ENDS = ("sqlite and folder", "postgresql and s3")


@pytest.fixture(scope="session", params=BACK_ENDS)
def services(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A Registry and a Repository for the session; tests keep apart by having patients of their own."""
    settings: dict[str, str] = {}
    if request.param == "postgresql and s3":
        database: Callable[[], str] = request.getfixturevalue("postgres_database")
        server: S3Service = request.getfixturevalue("minio_server")
        settings = {
            "DATABASE": database(),
            "OUTBOX": database(),
            "STORAGE": f"s3://{server.new_bucket()}",
            "S3_ENDPOINT": server.endpoint,
            "S3_ACCESS_KEY": server.access_key,
            "S3_SECRET_KEY": server.secret_key,
        }
    pair = a_pair(tmp_path_factory.mktemp("services"), settings)
    pair.start()
    yield pair.services
    pair.stop()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def identity(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Identity]:
    """A cross-reference service for the session; tests keep apart by having patients of their own."""
    settings = {}
    if request.param == "postgresql":
        database: Callable[[], str] = request.getfixturevalue("postgres_database")
        settings["IDENTITY_DATABASE"] = database()
    running, mllp = an_identity(tmp_path_factory.mktemp("identity"), settings)
    running.start()
    yield Identity(running.url, mllp)
    running.stop()
