"""Fixtures that start each real server once per session.

Where one cannot be had its tests are skipped, loudly; with PORTOLAN_REQUIRE_SERVERS=1 they fail instead.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from tests.servers.minio import MinioServer
from tests.servers.postgres import PostgresServer, new_database, start_postgres
from tests.servers.process import Unavailable
from tests.servers.s3 import S3Service
from tests.servers.versitygw import VersityServer


def do_without(reason: Exception) -> None:
    """Skip, or fail where nothing may be left out."""
    if os.environ.get("PORTOLAN_REQUIRE_SERVERS") == "1":
        pytest.fail(f"a real server is required: {reason}")
    pytest.skip(f"NO REAL SERVER: {reason}")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL of this session's own."""
    try:
        server = start_postgres()
    except Unavailable as reason:
        do_without(reason)
        return
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    """The SQLAlchemy URL of the session's PostgreSQL, at its maintenance database."""
    return postgres_server.url()


@pytest.fixture(scope="session")
def postgres_database(postgres_server: PostgresServer) -> Callable[[], str]:
    """Makes an empty database at each call and returns its SQLAlchemy URL."""
    return lambda: new_database(postgres_server)


@pytest.fixture(scope="session")
def minio_server() -> Iterator[S3Service]:
    """A MinIO of this session's own."""
    try:
        server = MinioServer()
    except Unavailable as reason:
        do_without(reason)
        return
    server.start()
    yield server.service
    server.stop()


@pytest.fixture(scope="session")
def versitygw_server() -> Iterator[S3Service]:
    """A versitygw of this session's own."""
    try:
        server = VersityServer()
    except Unavailable as reason:
        do_without(reason)
        return
    server.start()
    yield server.service
    server.stop()
