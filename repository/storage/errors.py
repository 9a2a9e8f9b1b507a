"""What can go wrong with stored bytes, and how the operating system's errors are told in these words."""

# ruff: noqa: N818 - these are plain words for outcomes, read at the call as `except Missing`

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


class StorageError(Exception):
    """The store could not do what was asked; the base of all the others."""


class OutOfSpace(StorageError):
    """There is no room for the bytes; nothing of them was kept."""


class Busy(StorageError):
    """The store is down or too slow to answer; the same call may succeed later."""


class Damaged(StorageError):
    """The stored bytes are not those that were acknowledged."""


class Missing(StorageError):
    """There are no bytes where the blob says they are."""


class Buried(Missing):
    """The document was removed for good, at this time (seconds since the epoch), and is not taken again."""

    def __init__(self, told: str, buried_at: float) -> None:
        super().__init__(told)
        self.buried_at = buried_at


class Conflict(StorageError):
    """Another content is already settled under this uniqueId, and it stays."""


class Failed(StorageError):
    """An I/O error, or a refusal by the store that no repetition will cure."""


@contextmanager
def told_plainly(doing: str) -> Iterator[None]:
    """Raise the StorageError that stands for an OSError; `doing` says what was being tried."""
    try:
        yield
    except OSError as error:
        raise from_os(error, doing) from error


def from_os(error: OSError, doing: str) -> StorageError:
    """The StorageError for an OSError, without any path that could name a person or a place."""
    reason = errno.errorcode.get(error.errno or 0, type(error).__name__)
    if error.errno in _NO_ROOM:
        return OutOfSpace(f"no room while {doing} ({reason})")
    if isinstance(error, FileNotFoundError):
        return Missing(f"nothing there while {doing} ({reason})")
    return Failed(f"input or output error while {doing} ({reason})")
