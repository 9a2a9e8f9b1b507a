"""MTOM messages out (SOAP MTOM 1.0; RFC 2387), as byte pieces around documents that are sent from elsewhere."""

import re
from collections.abc import Iterable
from uuid import uuid4

from common.soap.xop import normalise_content_id

ROOT_ID = "root@portolan"
_MEDIA_TYPE = re.compile(r"[!#$&^_.+0-9A-Za-z-]{1,127}/[!#$&^_.+0-9A-Za-z-]{1,127}(?:;[ !#-~]{1,200})?")
_NOT_IN_QUOTES = re.compile(r"[^ !#-\[\]-~]")


class MtomWriter:
    """One message's frame: `head` with the root part, then for each document `part_head` and its bytes, then `tail`."""

    def __init__(self, root_action: str, boundary: str | None = None) -> None:
        self.boundary = boundary or f"part-{uuid4().hex}"
        action = _NOT_IN_QUOTES.sub("", root_action)
        self.content_type = (
            f'multipart/related; type="application/xop+xml"; start="<{ROOT_ID}>"; '
            f'start-info="application/soap+xml"; boundary="{self.boundary}"; action="{action}"'
        )
        self.tail = f"\r\n--{self.boundary}--\r\n".encode()
        self._root_head = (
            f"--{self.boundary}\r\n"
            'Content-Type: application/xop+xml; charset=UTF-8; type="application/soap+xml"\r\n'
            "Content-Transfer-Encoding: binary\r\n"
            f"Content-ID: <{ROOT_ID}>\r\n\r\n"
        ).encode()

    def head(self, root: bytes) -> bytes:
        """The root part: the envelope in UTF-8."""
        return self._root_head + root

    def part_head(self, content_id: str, mime_type: str) -> bytes:
        """The head of a document part; a mimeType that no header can hold is sent as application/octet-stream."""
        media = mime_type if _MEDIA_TYPE.fullmatch(mime_type) else "application/octet-stream"
        return (
            f"\r\n--{self.boundary}\r\nContent-Type: {media}\r\nContent-Transfer-Encoding: binary\r\n"
            f"Content-ID: <{normalise_content_id(content_id)}>\r\n\r\n"
        ).encode()

    def content_length(self, root_length: int, parts: Iterable[tuple[str, str, int]] = ()) -> int:
        """The message's length in bytes, from the root's and each document's Content-ID, mimeType and size."""
        documents = sum(len(self.part_head(content_id, mime)) + size for content_id, mime, size in parts)
        return len(self._root_head) + root_length + documents + len(self.tail)
