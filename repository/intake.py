"""Documents of one message on their way into the store, while the message is still being read."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

from common.ebxml.objects import Element
from common.faults import checkpoint
from common.soap import faults
from common.soap.content_type import MimeError
from common.soap.xop import Claims, Include, Inline, document_content
from common.web.body import TooLarge
from repository.giving_way import GivingWay
from repository.storage import DocumentStore, StorageError, Upload

LARGE: Final = 4 * 2**20
"""From so many bytes of a message on, its thread gives way to others."""


class Intake:
    """Takes the parts of a message; leaving the context removes whatever was not committed."""

    def __init__(self, store: DocumentStore, *, max_document: int) -> None:
        """``max_document`` in bytes."""
        self._store = store
        self._max_document = max_document
        self._stack = ExitStack()
        self._uploads: dict[str, Upload] = {}
        self._open: Upload | None = None
        self._claims: Claims | None = None
        self._size = 0
        self._giving_way = GivingWay()
        self._stack.callback(self._giving_way.end)
        self.broken: StorageError | None = None

    def begin(self, content_id: str | None) -> None:
        """A document begins; one without a Content-ID cannot be meant by anything, and is dropped."""
        if content_id is None or self.broken:
            self._open = None
            return
        try:
            self._open = self._uploads[content_id] = self._stack.enter_context(self._store.upload())
        except StorageError as error:
            self._break(error)

    def data(self, data: bytes | memoryview) -> None:
        """Some of its bytes, straight into the store."""
        if self._open is None:
            return
        self._size += len(data)
        if self._size >= LARGE:
            self._giving_way.begin()
        try:
            self._open.write(data)
        except StorageError as error:
            self._break(error)
            return
        if self._open.size > self._max_document:
            raise TooLarge(faults.SENDER, f"A document has more than {self._max_document} bytes.")

    def end(self) -> None:
        """It is complete."""
        if self._open is not None:
            checkpoint("part.received")
        self._open = None

    def _break(self, error: StorageError) -> None:
        """The store failed: the rest is read and dropped, so that the answer can say so."""
        self.broken, self._open = error, None

    def of(self, document: Element) -> Upload | None:
        """The upload that a Document element means, inline ones included; MimeError where it means none.

        ``None`` where the store failed on the way.
        """
        content = document_content(document)
        if self.broken:
            return None
        if isinstance(content, Inline):
            return self._inline(content)
        return self._included(content)

    def _included(self, include: Include) -> Upload:
        if self._claims is None:
            self._claims = Claims(self._uploads.keys())
        return self._uploads[self._claims.take(include)]

    def _inline(self, content: Inline) -> Upload | None:
        try:
            upload = self._stack.enter_context(self._store.upload())
            for piece in content.pieces():
                upload.write(piece)
        except StorageError as error:
            self._break(error)
            return None
        if upload.size > self._max_document:
            raise MimeError(f"a document has more than {self._max_document} bytes")
        return upload

    def __enter__(self) -> Self:
        """Begin to take parts."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what was not committed."""
        self._stack.close()
