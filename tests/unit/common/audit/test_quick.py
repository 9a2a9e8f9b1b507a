"""Writes that do not let go of the interpreter."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from common.audit import quick
from common.audit.quick import QuickWriter


def test_what_is_written_is_there(tmp_path: Path) -> None:
    place = tmp_path / "file"
    writer = QuickWriter()
    with place.open("wb", 0) as file:
        assert writer.write(file.fileno(), b"a\0b", 0) == 3
        assert writer.write(file.fileno(), b"c", 5) == 1
        assert writer.write(file.fileno(), b"x" * 100_000, 6) == 100_000

    assert place.read_bytes() == b"a\0b\0\0c" + b"x" * 100_000


def test_a_write_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Bad file descriptor") as failed:
        QuickWriter().write(-1, b"a", 0)

    assert failed.value.errno == errno.EBADF
    with Path("/dev/full").open("wb", 0) as full, pytest.raises(OSError, match="No space left") as failed:
        QuickWriter().write(full.fileno(), b"a", 0)
    assert failed.value.errno == errno.ENOSPC


def test_after_a_slow_write_others_are_not_made_to_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 1.0, 1.0, 2.0, 12.0, 12.001])
    monkeypatch.setattr(quick.time, "monotonic", lambda: next(times))
    made: list[bytes] = []
    ordinary = os.pwrite
    monkeypatch.setattr(quick.os, "pwrite", lambda fd, data, at: made.append(data) or ordinary(fd, data, at))
    writer = QuickWriter()

    with (tmp_path / "file").open("wb", 0) as file:
        for at, data in enumerate((b"a", b"b", b"c")):
            writer.write(file.fileno(), data, at)

    assert made == [b"b"]


def test_another_library_is_written_with_in_the_ordinary_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr(quick.ctypes, "PyDLL", none)
    with (tmp_path / "file").open("wb", 0) as file:
        assert QuickWriter().write(file.fileno(), b"ab", 0) == 2
    assert (tmp_path / "file").read_bytes() == b"ab"
