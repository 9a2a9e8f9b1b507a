"""Documents on their way out: where their bytes are, how many they are, and whether they can be read twice."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from common.client.errors import ContentUnreadable

PIECE: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that are read when they are sent; ``size`` in bytes, ``None`` where only reading them tells."""

    open: Callable[[], AbstractContextManager[BinaryIO]]
    size: int | None
    repeatable: bool = True

    def chunks(self) -> Iterator[bytes]:
        """The bytes in pieces; ContentUnreadable where they cannot be read, or are not as many as they were."""
        sent = 0
        try:
            with self.open() as file:
                while piece := file.read(PIECE):
                    sent += len(piece)
                    if self.size is not None and sent > self.size:
                        break
                    yield piece
        except OSError as error:
            raise ContentUnreadable(f"a document cannot be read: {error.strerror or type(error).__name__}") from error
        if self.size is not None and sent != self.size:
            raise ContentUnreadable("a document changed its size while it was sent")


def content_of(given: bytes | Path | BinaryIO) -> Content:
    """The content that a caller gave; an open file is read from where it stands, and is left open."""
    if isinstance(given, bytes | bytearray | memoryview):
        data = bytes(given)
        return Content(lambda: io.BytesIO(data), len(data))
    if isinstance(given, Path):
        return _of_path(given)
    return _of_file(given)


def _of_path(path: Path) -> Content:
    try:
        if not path.is_file():
            raise ContentUnreadable(f"{path.name} is not a file")
        size = path.stat().st_size
    except OSError as error:
        raise ContentUnreadable(f"{path.name} cannot be read: {error.strerror}") from error
    return Content(lambda: path.open("rb"), size)


def _of_file(file: BinaryIO) -> Content:
    if not file.seekable():
        return Content(lambda: nullcontext(file), None, repeatable=False)
    start = file.tell()
    size = file.seek(0, io.SEEK_END) - start

    def again() -> AbstractContextManager[BinaryIO]:
        file.seek(start)
        return nullcontext(file)

    file.seek(start)
    return Content(again, size)
