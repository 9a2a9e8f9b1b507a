"""Content-Encoding: gzip (RFC 1952) undone as a stream, bounded in what it may grow to."""

import zlib
from collections.abc import Iterator

from common.soap.content_type import MimeError

PIECE = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS
_ALWAYS_ALLOWED = PIECE  # short messages repeat themselves a lot; a ratio says nothing about them


class Inflater:
    """Unpacks one gzip member; MimeError over `max_output` bytes, over `max_ratio` times the input, or for damage."""

    def __init__(self, max_output: int, max_ratio: int = 100) -> None:
        self._max_output = max_output
        self._max_ratio = max_ratio
        self._read = 0
        self._made = 0
        self._unpacker = zlib.decompressobj(_GZIP)

    def feed(self, data: bytes | memoryview) -> Iterator[bytes]:
        """The unpacked bytes in pieces of at most 64 KiB; the iterator must be used up before the next call."""
        self._read += len(data)
        rest = bytes(data)
        while rest:
            if self._unpacker.eof:
                raise MimeError("the gzip data goes on after its end")
            try:
                piece = self._unpacker.decompress(rest, PIECE)
            except zlib.error:
                raise MimeError("the gzip data is damaged") from None
            rest = self._unpacker.unconsumed_tail or self._unpacker.unused_data
            if piece:
                self._count(len(piece))
                yield piece

    def close(self) -> None:
        """MimeError when the data stopped before its end; the end is read only when all before it was handed out."""
        if not self._unpacker.eof:
            raise MimeError("the gzip data ends too early")

    def _count(self, made: int) -> None:
        """Add to the bytes made so far, within the limits."""
        self._made += made
        if self._made > self._max_output:
            raise MimeError(f"the message unpacks to more than {self._max_output} bytes")
        if self._made > max(_ALWAYS_ALLOWED, self._max_ratio * self._read):
            raise MimeError(f"the message unpacks to more than {self._max_ratio} times its size")
