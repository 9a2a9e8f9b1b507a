"""Looks at folders: whether they can be written, have room, and keep what is synced to them."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from console.doctor.finding import Findings, fail, ok, warn
from console.output import shown_bytes

_SYNCS: Final = 9
_NO_DISK_SECONDS: Final = 15e-6
_VOLATILE: Final = frozenset({"tmpfs", "ramfs"})
_REMOTE: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"})


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    path = folder.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def file_system(folder: Path) -> str:
    """The kind of file system that a folder is on, as /proc tells it; empty where it does not."""
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    except OSError:
        return ""
    place = existing(folder).resolve()
    above = [(len(mount[1]), mount[2]) for mount in mounts if place.is_relative_to(mount[1])]
    return max(above, default=(0, ""))[1]


def syncing(about: str, folder: Path, *, shared_memory: bool = False) -> Findings:
    """Whether a synced file is on a disk; `shared_memory` when a database file with WAL is kept there."""
    kind = file_system(folder)
    if kind in _VOLATILE:
        yield warn(about, f"{folder} is on {kind}, in memory", "Keep it on a disk: a power cut takes everything.")
        return
    if kind in _REMOTE and shared_memory:
        yield fail(about, f"{folder} is on {kind}", "SQLite needs a local disk; use PostgreSQL, or move it.")
        return
    seconds = _seconds_of_a_sync(existing(folder))
    told = f"a sync in {folder} takes {seconds * 1000:.2f} ms"
    if seconds < _NO_DISK_SECONDS:
        yield warn(about, told, "No disk is that quick: see that the file system and the drive honour fsync.")
    else:
        yield ok(about, told)


def _seconds_of_a_sync(folder: Path) -> float:
    taken = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(_SYNCS):
            file.write(b"\0" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def room(about: str, folder: Path, *, least: int, better: int) -> Findings:
    """Whether there is room: less than `least` bytes is a failure, less than `better` a warning."""
    free = shutil.disk_usage(existing(folder)).free
    told = f"{shown_bytes(free)} free in {folder}"
    advice = f"Make room: {shown_bytes(better)} is wise, for the largest submission that is taken."
    if free < least:
        yield fail(about, told, advice)
    elif free < better:
        yield warn(about, told, advice)
    else:
        yield ok(about, told)
