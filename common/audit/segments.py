"""Files of a spool: each is written by one process, which holds its lock while it may still write to it.

A file holds frames as they will be sent, one after the other, and zeros behind them. Beside it stands, for each
destination, how far that has confirmed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from common.audit.syslog import frames_in, next_frame, time_of

SUFFIX: Final = ".seg"
_NEW: Final = ".new"
_POSITION: Final = ".pos"
_OLD_NEW: Final = 60.0


def folder_of(data: Path) -> Path:
    """Where the spool is, under the data directory; each machine has its own."""
    return data / "audit"


def created(folder: Path, name: str, size: int) -> tuple[int, Path]:
    """A new file with room for so many bytes, held by this process, in the folder for good; OSError."""
    path = folder / f"{time.time_ns():020d}-{name}-{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
    working = path.with_suffix(_NEW)
    fd = os.open(working, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.posix_fallocate(fd, 0, size)
        os.fsync(fd)
        os.rename(working, path)
        _sync_folder(folder)
    except OSError:
        os.close(fd)
        working.unlink(missing_ok=True)
        raise
    return fd, path


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(folder: Path) -> None:
    """The spool's folder, for this user alone: patients are named in it. OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def segments(folder: Path) -> list[Path]:
    """The files, oldest first; none where there is no folder."""
    try:
        return sorted(each for each in folder.iterdir() if each.suffix == SUFFIX)
    except FileNotFoundError:
        return []


def size_of(folder: Path) -> int:
    """The bytes that all files take."""
    total = 0
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as found:
        for each in found:
            if each.name.endswith(SUFFIX):
                with contextlib.suppress(FileNotFoundError):
                    total += each.stat().st_size
    return total


@dataclass(frozen=True, slots=True)
class Piece:
    """Frames that were read: their bytes, how many, the file, and the place after them.

    ``skipped`` bytes before them are none, as a power cut may leave; ``is_last`` when nothing more will come.
    """

    data: bytes
    count: int
    end: int
    is_last: bool
    skipped: int = 0


class Segment:
    """A file that is read, by whoever sends."""

    def __init__(self, path: Path) -> None:
        """OSError where it has gone."""
        self.path = path
        self.name = path.name
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._is_finished = False

    @property
    def is_finished(self) -> bool:
        """Whether nobody writes to it any more."""
        if not self._is_finished:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
            else:
                fcntl.flock(self._fd, fcntl.LOCK_UN)
                self._is_finished = True
        return self._is_finished

    def read(self, start: int, most: int) -> Piece:
        """Whole frames from a place on, about ``most`` bytes of them; OSError."""
        finished = self.is_finished  # asked first: what is written before the end is then read
        data = os.pread(self._fd, most, start)
        found = frames_in(data)
        whole = len(data) < most
        if not found.starts and not whole and data[:1].strip(b"\0"):
            return self.read(start, most * 4)  # one frame is longer
        if not finished:
            return Piece(data[: found.end], len(found.starts), start + found.end, False)
        if found.starts and (found.end < len(data) or not whole):
            return Piece(data[: found.end], len(found.starts), start + found.end, False)
        if found.starts:
            return Piece(data, len(found.starts), start + found.end, True)
        return self._after_damage(start)

    def _after_damage(self, start: int) -> Piece:
        """What is readable behind something that is not, in a file that is finished."""
        rest = os.pread(self._fd, os.fstat(self._fd).st_size - start, start)
        at = next_frame(rest, 0)
        while at >= 0:
            found = frames_in(rest, at)
            if found.starts:
                piece = rest[at : found.end]
                return Piece(piece, len(found.starts), start + found.end, False, skipped=len(rest[:at].strip(b"\0")))
            at = next_frame(rest, at + 1)
        return Piece(b"", 0, start + len(rest), True, skipped=len(rest.strip(b"\0")))

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)


@dataclass(frozen=True, slots=True)
class Destination:
    """An audit repository."""

    host: str
    port: int
    number: int = 1

    @property
    def label(self) -> str:
        """What metrics call it: addresses are none of their business."""
        return f"repository-{self.number}"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def key(self) -> str:
        """What its files are known by."""
        return hashlib.sha256(str(self).encode()).hexdigest()[:12]


def position(segment: Path, destination: Destination) -> int:
    """How far a destination has confirmed a file."""
    try:
        return int(segment.with_suffix(f".{destination.key}{_POSITION}").read_text("ascii") or 0)
    except (OSError, ValueError):
        return 0


def confirm(segment: Path, destination: Destination, end: int) -> None:
    """Note how far; what a power cut takes of it is sent again, and dropped there as sent before. OSError."""
    place = segment.with_suffix(f".{destination.key}{_POSITION}")
    working = place.with_suffix(".tmp")
    working.write_text(str(end), "ascii")
    os.replace(working, place)


def remove(segment: Path) -> None:
    """A file that everybody has, and what was noted of it."""
    segment.unlink(missing_ok=True)
    for each in segment.parent.glob(f"{segment.stem}.*{_POSITION}"):
        each.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what processes left that died while they made a file."""
    for each in folder.glob(f"*{_NEW}"):
        with contextlib.suppress(OSError):
            if time.time() - each.stat().st_mtime > _OLD_NEW:
                each.unlink()


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a destination has not confirmed; ``oldest`` is the time of its first record, or empty."""

    records: int = 0
    size: int = 0
    oldest: str = ""


def waiting(folder: Path, destination: Destination) -> Waiting:
    """Counted by reading the files."""
    records, size, oldest = 0, 0, ""
    for path in segments(folder):
        for piece in _pieces(path, position(path, destination)):
            if piece.data:
                oldest = min(filter(None, (oldest, time_of(piece.data))))
            records, size = records + piece.count, size + len(piece.data)
    return Waiting(records, size, oldest)


def _pieces(path: Path, start: int) -> Iterator[Piece]:
    with contextlib.suppress(FileNotFoundError):
        segment = Segment(path)
        try:
            while True:
                piece = segment.read(start, 1024 * 1024)
                yield piece
                if piece.is_last or not piece.data:
                    return
                start = piece.end
        finally:
            segment.close()
