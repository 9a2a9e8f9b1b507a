"""What is computed of a document's bytes while they pass."""

from __future__ import annotations

import hashlib
import threading
from queue import Queue
from typing import Final

from repository.storage.crc import crc32

LARGE: Final = 8 * 2**20
"""From so many bytes on, the sums are made by a thread of their own while the next bytes arrive."""
_AT_ONCE: Final = 2**20  # bytes that are handed over together, since to wake a thread costs as much as to hash some
_MOST_SLICES: Final = 16  # each may keep the whole of a larger piece from going
_AHEAD: Final = 4  # times that much which waits for that thread

Slice = bytes | bytearray | memoryview


class _Sums:
    """SHA-1 and CRC-32, which take longer than to receive and to write the bytes."""

    __slots__ = ("crc32", "sha1")

    def __init__(self) -> None:
        self.sha1 = hashlib.sha1(usedforsecurity=False)
        self.crc32 = 0

    def add(self, data: Slice) -> None:
        """Take the next slice."""
        self.sha1.update(data)
        self.crc32 = crc32(data, self.crc32)


class _Helper:
    """A thread that adds slices to sums in their order; whoever is too far ahead of it waits."""

    def __init__(self, sums: _Sums) -> None:
        self._sums = sums
        self._gathered: list[Slice] = []
        self._size = 0
        self._waiting: Queue[list[Slice]] = Queue(_AHEAD)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="digest", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while gathered := self._waiting.get():
            try:
                for data in gathered:
                    self._sums.add(data)
            except BaseException as error:  # whoever waits for room has to go on, and hears of it at the end
                self._error = error

    def add(self, data: Slice) -> None:
        """Hand over the next slice, which must not change any more."""
        self._gathered.append(data)
        self._size += len(data)
        if self._size >= _AT_ONCE or len(self._gathered) >= _MOST_SLICES:
            self._hand_over()

    def _hand_over(self) -> None:
        gathered, self._gathered, self._size = self._gathered, [], 0
        if gathered:
            self._waiting.put(gathered)

    def finish(self) -> None:
        """Return when all is added; raises whatever kept it from that."""
        self._hand_over()
        self._waiting.put([])
        self._thread.join()
        if self._error is not None:
            raise self._error


class Digest:
    """The running SHA-1, CRC-32 and size (bytes) of a stream."""

    __slots__ = ("_helper", "_sums", "size")

    def __init__(self) -> None:
        self._sums = _Sums()
        self._helper: _Helper | None = None
        self.size = 0

    def update(self, data: Slice) -> None:
        """Take the next slice."""
        self.size += len(data)
        if self.size < LARGE:
            self._sums.add(data)
            return
        if self._helper is None:
            self._helper = _Helper(self._sums)
        self._helper.add(data if _is_fixed(data) else bytes(data))

    def sha1(self) -> str:
        """The SHA-1 so far, in hex."""
        self.close()
        return self._sums.sha1.hexdigest()

    @property
    def crc32(self) -> int:
        """The CRC-32 so far."""
        self.close()
        return self._sums.crc32

    def close(self) -> None:
        """Let the thread end; to be called when no more is to come, whatever the reason."""
        helper, self._helper = self._helper, None
        if helper is not None:
            helper.finish()


def _is_fixed(data: Slice) -> bool:
    """Whether bytes cannot change under the hands of whoever holds them."""
    return isinstance(data, bytes) or (isinstance(data, memoryview) and data.readonly)


def name_of(unique_id: str) -> str:
    """The name that stands for a uniqueId in any store: 64 hex digits, so nothing from outside becomes a path."""
    return hashlib.sha256(unique_id.encode("utf-8", "surrogatepass")).hexdigest()


def slices(data: bytes | memoryview, length: int) -> list[memoryview]:
    """The data cut into views of at most `length` bytes, uncopied."""
    view = memoryview(data).cast("B")
    return [view[start : start + length] for start in range(0, len(view), length)]
