"""What the tests of the client share: clients of the running services, and documents to submit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from common.client import DocumentConsumer, DocumentSource, NewDocument
from tests.factories import SOURCE_ID, a_document
from tests.wire import Services


def a_new_document(content: bytes | Path | BinaryIO = b"A letter.", **differs: Any) -> NewDocument:
    """A document whose entry says nothing that the Repository finds out."""
    entry = a_document(**{"hash": None, "size": None, "repository_unique_id": None, **differs})
    return NewDocument(content, "text/plain", entry)


@contextmanager
def a_source(url: str, **differs: Any) -> Iterator[DocumentSource]:
    """A Document Source that is closed in the end."""
    with DocumentSource(url, source_id=SOURCE_ID, **differs) as source:
        yield source


@contextmanager
def a_consumer(services: Services, more: dict[str, str] | None = None) -> Iterator[DocumentConsumer]:
    """A Document Consumer that is closed in the end; ``more`` are further repositories."""
    repositories = {services.repository_id: services.repository, **(more or {})}
    with DocumentConsumer(services.registry, repositories) as consumer:
        yield consumer
