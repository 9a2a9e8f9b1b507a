"""Which assertions have been used, and by whom: one ID is one assertion, of one partner (ITI TF-2 3.40, SAML 2.0
Profiles 4.1.4.5).

The table is a file that all processes of a service share, and that outlives them: what one of them has seen, the others
know, also after a restart. It holds hashes under a key of its own, and nothing of any user. An entry is overwritten
when its assertion has expired, or, where very many are in use, when it is the first of its neighbours to expire.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import struct
import threading
from enum import Enum
from pathlib import Path
from typing import Final

_MAGIC: Final = b"portolan-seen-2\n"
_KEY_BYTES: Final = 16
_HEAD: Final = 64
_SLOT: Final = struct.Struct("=8s8s8sd")
_SLOTS: Final = 1 << 16
_NEAR: Final = 8  # slots in which an entry may be


class Found(Enum):
    """What is known of an assertion."""

    GOOD = "new, or as it was"
    OTHER_CONTENT = "another assertion had the same ID"
    OTHER_PRESENTER = "somebody else has used it"


class Seen:
    """The table, in a file or, without one, for this process and those that it forks."""

    def __init__(self, file: Path | None = None) -> None:
        """OSError where the file cannot be used."""
        size = _HEAD + _SLOTS * _SLOT.size
        self._lock = threading.Lock()
        if file is None:
            self._file, self._map = -1, mmap.mmap(-1, size)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            if os.fstat(self._file).st_size != size:
                os.ftruncate(self._file, 0)
                os.ftruncate(self._file, size)
            self._map = mmap.mmap(self._file, size)
        if self._map[: len(_MAGIC)] != _MAGIC:
            self._map[len(_MAGIC) : len(_MAGIC) + _KEY_BYTES] = os.urandom(_KEY_BYTES)
            self._map[: len(_MAGIC)] = _MAGIC
        self._key = bytes(self._map[len(_MAGIC) : len(_MAGIC) + _KEY_BYTES])
        if self._file >= 0:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def note(self, issuer: str, assertion_id: str, content: bytes, presenter: str, until: float, now: float) -> Found:
        """An assertion is used: by somebody with that certificate, or none; times are seconds since the epoch."""
        name = self._hash(f"{len(issuer)} {issuer} {assertion_id}".encode())
        content, who = self._hash(content), self._hash(presenter.encode())
        first = int.from_bytes(name, "big") % (_SLOTS - _NEAR)
        with self._lock:
            if self._file >= 0:
                fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                return self._noted(first, name, content, who, until, now)
            finally:
                if self._file >= 0:
                    fcntl.flock(self._file, fcntl.LOCK_UN)

    def _noted(self, first: int, name: bytes, content: bytes, who: bytes, until: float, now: float) -> Found:
        places = [_HEAD + (first + near) * _SLOT.size for near in range(_NEAR)]
        entries = [(_SLOT.unpack_from(self._map, place), place) for place in places]
        for (known, its_content, its_presenter, _), _place in entries:
            if known == name:
                if its_content != content:
                    return Found.OTHER_CONTENT
                return Found.GOOD if its_presenter == who else Found.OTHER_PRESENTER
        expired = [place for entry, place in entries if entry[3] < now]
        place = expired[0] if expired else min(entries, key=lambda each: each[0][3])[1]
        _SLOT.pack_into(self._map, place, name, content, who, until)
        return Found.GOOD

    def _hash(self, data: bytes) -> bytes:
        return hashlib.blake2b(data, digest_size=8, key=self._key).digest()

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()
        if self._file >= 0:
            os.close(self._file)
