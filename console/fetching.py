"""Documents from a repository to files: verified, and there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from common.client import DocumentConsumer
from common.model import DocumentEntry

# Smaller ones are there before a bar could be read.
_LARGE: Final = 4 * 1024 * 1024
_SUFFIXES: Final = {
    "application/pdf": ".pdf",
    "text/xml": ".xml",
    "text/plain": ".txt",
    "text/html": ".html",
    "text/rtf": ".rtf",
    "application/fhir+xml": ".xml",
    "application/fhir+json": ".json",
    "application/dicom": ".dcm",
    "image/tiff": ".tiff",
    "image/jpeg": ".jpg",
    "image/png": ".png",
}
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


def file_name(entry: DocumentEntry) -> str:
    """A name for a document's file: its uniqueId, harmless, with the suffix of its MIME type."""
    stem = _UNSAFE.sub("_", entry.unique_id or "document").strip(".")[:120] or "document"
    return stem + _SUFFIXES.get(entry.mime_type.partition(";")[0].strip().lower(), ".bin")


def to_stream(consumer: DocumentConsumer, entry: DocumentEntry, sink: BinaryIO) -> int:
    """Write a document; the number of bytes. A ClientError after the last one says that they were wrong."""
    count = 0
    with consumer.open(entry) as stream:
        for piece in _watched(stream, stream.size_expected):
            sink.write(piece)
            count += len(piece)
    return count


def to_file(consumer: DocumentConsumer, entry: DocumentEntry, target: Path) -> int:
    """Write a document to a file that appears under its name once it is complete, verified and on disk."""
    with _appearing(target) as sink:
        return to_stream(consumer, entry, sink)


@contextmanager
def _appearing(target: Path) -> Iterator[BinaryIO]:
    """A new file beside the target, which takes its name when the block ends well."""
    number, name = tempfile.mkstemp(prefix=".portolan-", dir=target.parent)
    try:
        with os.fdopen(number, "wb") as sink:
            yield sink
            sink.flush()
            os.fsync(sink.fileno())
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _watched(pieces: Iterable[bytes], size: int | None) -> Iterator[bytes]:
    """The pieces, with a progress bar for a large document on a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal or (size is not None and size < _LARGE):
        yield from pieces
        return
    columns = (TextColumn("Fetching"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=size)
        for piece in pieces:
            progress.advance(task, len(piece))
            yield piece
