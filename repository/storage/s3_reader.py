"""Reading a document from an object store, checked on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import urllib3

from repository.storage.crc import crc32
from repository.storage.errors import Busy, Damaged
from repository.storage.interface import CHUNK, Blob
from repository.storage.s3_wire import Wire


class S3Reader:
    """A document of the S3 store on its way out; raises Missing or Damaged when made, if that is known by then."""

    def __init__(self, wire: Wire, blob: Blob, chunk_size: int = CHUNK) -> None:
        self._wire = wire
        self._blob = blob
        self._chunk_size = chunk_size
        self._response: urllib3.BaseHTTPResponse | None = self._opened()

    def _opened(self) -> urllib3.BaseHTTPResponse:
        response = self._wire.open(self._blob.locator)
        if response.headers.get("Content-Length") != str(self._blob.size):
            response.close()
            raise Damaged("the object is longer or shorter than its description says")
        return response

    def __iter__(self) -> Iterator[bytes]:
        """The content in chunks, once; the last is handed out only when the CRC-32 of them all is right."""
        found, size = 0, 0
        while size < self._blob.size:
            chunk = self._chunk()
            found = crc32(chunk, found)
            size += len(chunk)
            if size > self._blob.size or (size == self._blob.size and found != self._blob.crc32):
                raise Damaged("the stored bytes are not those that were acknowledged")
            yield chunk
        self._release()

    def _chunk(self) -> bytes:
        if self._response is None:
            self._response = self._opened()
        try:
            chunk = bytes(self._response.read(self._chunk_size))
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Busy(f"the object store cut the transfer ({type(error).__name__})") from error
        if not chunk:
            raise Busy("the object store cut the transfer")
        return chunk

    def content(self) -> bytes:
        """The whole document, its SHA-1 checked."""
        content = b"".join(self)
        if hashlib.sha1(content, usedforsecurity=False).hexdigest() != self._blob.sha1:
            raise Damaged("the stored bytes are not those that were acknowledged")
        return content

    def require_hash(self) -> None:
        """Pass over all bytes and raise Damaged unless their SHA-1 is right."""
        digest = hashlib.sha1(usedforsecurity=False)
        for chunk in self:
            digest.update(chunk)
        if digest.hexdigest() != self._blob.sha1:
            raise Damaged("the stored bytes are not those that were acknowledged")

    def _release(self) -> None:
        if self._response is not None:
            self._response.release_conn()  # read to its end, so that the connection can be used again
            self._response = None

    def close(self) -> None:
        """Drop the connection if the document was not read to its end; safe to call twice."""
        if self._response is not None:
            self._response.close()
            self._response = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
