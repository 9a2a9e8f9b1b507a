"""One document on its way into an object store: small ones with their mark, others in one put or parts of 5 MiB."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from types import TracebackType
from typing import Self

from common.faults import checkpoint
from repository.storage.digest import Digest, slices
from repository.storage.errors import Busy, Missing, StorageError
from repository.storage.footer import buried
from repository.storage.interface import Blob, Tombstone
from repository.storage.s3_keys import INCOMING, arrived_key, data_key, mark_key, written
from repository.storage.s3_whole import SMALL, whole
from repository.storage.s3_wire import Wire

_PART = 5 * 1024 * 1024  # the least that S3 takes for a part; two of them are the most that an upload holds in memory
_SIGN_OF_LIFE_SECONDS = 60.0
_log = logging.getLogger(__name__)


class S3Upload:
    """An upload into the S3 store; keeps at most 10 MiB in memory."""

    def __init__(
        self,
        wire: Wire,
        later: Callable[[str], None],
        looking: Callable[[str], Future[Tombstone | None]],
        committed: Callable[[Blob], None],
    ) -> None:
        """``looking`` begins to look for a tombstone; ``committed`` hears of the blob once it is durable."""
        self._committed = committed
        self._wire = wire
        self._later = later
        self._looking = looking
        self._attempt = secrets.token_hex(16)
        self._key = data_key(self._attempt)
        self._digest = Digest()
        self._buffer = bytearray()
        self._upload = ""
        self._etags: list[str] = []
        self._seen_alive = 0.0
        self._mark = ""
        self._begun = False

    @property
    def size(self) -> int:
        """The bytes written so far."""
        return self._digest.size

    def sha1(self) -> str:
        """The SHA-1 of what was written so far, in hex."""
        return self._digest.sha1()

    def write(self, data: bytes | memoryview) -> None:
        """Take the next slice; a full part goes to the store when more bytes follow it."""
        self._digest.update(data)
        for piece in slices(data, _PART):
            room = _PART - len(self._buffer)
            self._buffer += piece[:room]
            if len(piece) > room:
                self._send_part()
                self._buffer += piece[room:]

    def commit(self, unique_id: str, mime_type: str) -> Blob:
        """Mark the document, then let the store acknowledge its bytes: nothing unmarked is ever there to be found."""
        tombstone = self._looking(unique_id)
        blob = Blob(
            unique_id=unique_id,
            mime_type=mime_type,
            sha1=self.sha1(),
            size=self.size,
            crc32=self._digest.crc32,
            pending=True,
            stored_at=time.time(),
            locator=self._key,
        )
        if self.size <= SMALL:
            blob = self._arrive(blob)
        else:
            self._mark_and_put(blob)
        checkpoint("blob.synced")
        if found := tombstone.result():
            raise buried(found)
        if self._upload:
            self._later(f"{INCOMING}{self._attempt}")
        self._mark = self._upload = ""
        self._begun = False
        self._committed(blob)
        return blob

    def _arrive(self, blob: Blob) -> Blob:
        """Mark and bytes of a small document are one object."""
        content = bytes(self._buffer)
        self._buffer.clear()
        self._mark = arrived_key(blob.unique_id, self._attempt)
        checkpoint("blob.written")
        self._wire.put(self._mark, whole(blob, content))
        checkpoint("blob.marked")
        return replace(blob, locator=self._mark, content=content)

    def _mark_and_put(self, blob: Blob) -> None:
        if self._upload:
            self._send_part()
        checkpoint("blob.written")
        self._mark = mark_key(blob.unique_id, self._key)
        self._wire.put(self._mark, written(blob))
        checkpoint("blob.marked")
        self._finish()

    def _finish(self) -> None:
        self._begun = True
        if self._upload:
            self._wire.finish_parts(self._key, self._upload, self._etags, self.size)
        else:
            self._wire.put(self._key, bytes(self._buffer))
            self._buffer.clear()

    def _send_part(self) -> None:
        if not self._buffer:
            return
        if not self._upload:
            self._upload = self._wire.begin_parts(self._key)
        if time.monotonic() - self._seen_alive > _SIGN_OF_LIFE_SECONDS or not self._etags:
            self._wire.put(f"{INCOMING}{self._attempt}", self._upload.encode())
            self._seen_alive = time.monotonic()
        try:
            etag = self._wire.put_part(self._key, self._upload, len(self._etags) + 1, bytes(self._buffer))
        except Missing as error:
            raise Busy("the upload was taken for abandoned and swept away") from error
        self._etags.append(etag)
        self._buffer.clear()

    def _withdraw(self) -> None:
        if self._upload:
            self._wire.abort_parts(self._key, self._upload)
        if self._begun:  # the store may have taken the bytes although we were not told
            self._wire.remove(self._key)
        if self._mark:
            self._wire.remove(self._mark)
        if self._upload:
            self._wire.remove(f"{INCOMING}{self._attempt}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._buffer.clear()
        try:
            self._withdraw()
        except StorageError as failure:
            _log.warning("left for the sweeper: an upload that could not be withdrawn (%s)", failure)
        self._upload = self._mark = ""
        self._digest.close()
