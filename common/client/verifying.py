"""Counts and hashes the bytes of a document while they pass, and compares them with its entry."""

from __future__ import annotations

import hashlib

from common.model import DocumentEntry


class Tally:
    """What has passed so far."""

    def __init__(self) -> None:
        self.size = 0
        self._sha1 = hashlib.sha1(usedforsecurity=False)

    def add(self, chunk: bytes | memoryview) -> None:
        """Some more bytes."""
        self.size += len(chunk)
        self._sha1.update(chunk)

    @property
    def sha1(self) -> str:
        """In lower-case hexadecimal, as far as it goes."""
        return self._sha1.hexdigest()

    def problem(self, entry: DocumentEntry) -> str | None:
        """What differs from the entry; ``None`` also for what the entry does not say."""
        size = expected_size(entry)
        if size is not None and size != self.size:
            return f"the document has {self.size} bytes, and its entry says {size}"
        if entry.hash and entry.hash.strip().lower() != self.sha1:
            return f"the document's SHA-1 is {self.sha1}, and its entry says {entry.hash.strip().lower()}"
        return None


def expected_size(entry: DocumentEntry) -> int | None:
    """The size in bytes that an entry declares, if it declares one."""
    told = (entry.size or "").strip()
    return int(told) if told.isascii() and told.isdigit() else None
