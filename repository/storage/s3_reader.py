"""Reading a document from an object store, checked on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import urllib3

from common.closing import Closing
from repository.storage.crc import crc32
from repository.storage.errors import Busy, Damaged, Missing
from repository.storage.interface import CHUNK, Blob
from repository.storage.recent import Recent
from repository.storage.s3_keys import is_alone, read
from repository.storage.s3_whole import is_cut, is_whole, read_line
from repository.storage.s3_wire import Wire, identity_of

_START = 4096  # bytes that hold the line before a small document, unless it is a very odd one


class S3Reader(Closing):
    """A document of the S3 store on its way out; raises Missing or Damaged when made, if that is known by then."""

    def __init__(
        self, wire: Wire, blob: Blob, chunk_size: int = CHUNK, *, verified: Recent[str, str] | None = None
    ) -> None:
        """``verified`` holds the identities of objects that were checked by their SHA-1, by their keys."""
        self._wire = wire
        self._verified = verified
        self._identity = ""
        self._blob = blob
        self._chunk_size = chunk_size
        self._before = b""
        self._response: urllib3.BaseHTTPResponse | None = None
        self._open()

    def _open(self) -> None:
        self._response = response = self._wire.open(self._blob.locator)
        self._identity = identity_of(response.headers)
        try:
            start = 0 if is_alone(self._blob.locator) else self._pass_line()
            if response.headers.get("Content-Length") != str(start + self._blob.size):
                raise Damaged("the object is longer or shorter than its description says")
        except BaseException:
            self.close()
            raise

    def _pass_line(self) -> int:
        """Read past the line that describes a small document; how long it is."""
        data = self._bytes(_START)
        while is_cut(data) and (more := self._bytes(_START)):
            data += more
        if not is_whole(data):
            read(data, self._blob.locator)  # a tombstone, most likely, and then that is raised
            raise Missing("another document has taken the place of this one")
        found, start = read_line(data, pending=self._blob.pending, locator=self._blob.locator)
        if found != self._blob:
            raise Missing("another document has taken the place of this one")
        self._before = data[start:]
        return start

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
            self._open()
        chunk = self._before[: self._chunk_size] or self._bytes(self._chunk_size)
        self._before = self._before[self._chunk_size :]
        if not chunk:
            raise Busy("the object store cut the transfer")
        return chunk

    def _bytes(self, most: int) -> bytes:
        assert self._response is not None
        try:
            return bytes(self._response.read(most))
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Busy(f"the object store cut the transfer ({type(error).__name__})") from error

    def content(self) -> bytes:
        """The whole document; its SHA-1 is checked, or its CRC-32 where the very same object's was checked before."""
        content = b"".join(self)
        seen = self._verified
        if seen is not None and seen.get(self._blob.locator) == self._identity:
            return content
        if hashlib.sha1(content, usedforsecurity=False).hexdigest() != self._blob.sha1:
            raise Damaged("the stored bytes are not those that were acknowledged")
        if seen is not None:
            seen.put(self._blob.locator, self._identity)
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
