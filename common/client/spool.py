"""Room for one document: in memory while it is small, beyond that in a temporary file that has no name."""

from __future__ import annotations

import io
import tempfile
import weakref
from collections.abc import Iterator
from typing import IO, Final

IN_MEMORY: Final = 2**20
_PIECE: Final = 256 * 1024


class Spool:
    """Bytes that are put aside; gone when nobody holds this any more."""

    def __init__(self) -> None:
        self.file: IO[bytes] = io.BytesIO()
        self._size = 0

    def write(self, data: bytes | memoryview) -> None:
        """Some more bytes; OSError when the disk has no room for them."""
        self._size += len(data)
        if self._size > IN_MEMORY and isinstance(self.file, io.BytesIO):
            self._to_disk(self.file)
        self.file.write(data)

    def _to_disk(self, held: io.BytesIO) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the spool)
        weakref.finalize(self, self.file.close)
        self.file.write(held.getbuffer())

    def chunks(self) -> Iterator[bytes]:
        """All bytes from the first, in pieces of 256 KiB."""
        self.file.seek(0)
        while piece := self.file.read(_PIECE):
            yield piece

    def close(self) -> None:
        """Forget the bytes."""
        self.file.close()
