"""What MinIO and versitygw have in common: an endpoint, two secrets, and buckets."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Protocol

from minio import Minio


@dataclass(frozen=True, slots=True)
class S3Service:
    """A running S3 service; `endpoint` is a URL."""

    endpoint: str
    access_key: str
    secret_key: str

    def client(self) -> Minio:
        """A plain client, for looking at and tampering with what is stored."""
        return Minio(
            self.endpoint.removeprefix("http://"),
            access_key=self.access_key,
            secret_key=self.secret_key,
            secure=False,
            region="us-east-1",
        )

    def new_bucket(self) -> str:
        """Make an empty bucket; its name."""
        name = f"test-{secrets.token_hex(8)}"
        self.client().make_bucket(name)
        return name


class S3Server(Protocol):
    """A server that can be ended, as by a crash, and started again on the same port and folder."""

    service: S3Service

    def start(self) -> None: ...

    def kill(self) -> None: ...

    def stop(self) -> None: ...
