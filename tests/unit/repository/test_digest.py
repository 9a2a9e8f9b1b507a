"""Sums of a document's bytes are the same however large it is and however it comes, and no thread outlives it."""

from __future__ import annotations

import hashlib
import threading
import zlib

import pytest

from repository.storage.digest import LARGE, Digest


def helpers() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "digest"]


@pytest.mark.parametrize("size", [0, 1, LARGE - 1, LARGE, LARGE + 1, 2 * LARGE + 12_345])
@pytest.mark.parametrize("piece", [100_000, 3 * 2**20])
def test_sums_are_right_at_any_size(size: int, piece: int) -> None:
    content = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    digest = Digest()

    for start in range(0, size, piece):
        digest.update(memoryview(content)[start : start + piece])

    assert digest.sha1() == hashlib.sha1(content).hexdigest()
    assert digest.crc32 == zlib.crc32(content)
    assert digest.size == size
    assert helpers() == []


def test_sums_so_far_may_be_asked_for_in_between() -> None:
    first, second = b"a" * (LARGE + 5), b"b" * 70_000
    digest = Digest()

    digest.update(first)
    assert digest.sha1() == hashlib.sha1(first).hexdigest()
    digest.update(second)

    assert digest.sha1() == hashlib.sha1(first + second).hexdigest()
    assert digest.crc32 == zlib.crc32(first + second)


def test_bytes_that_change_afterwards_count_as_they_were() -> None:
    buffer, expected = bytearray(LARGE), hashlib.sha1()
    digest = Digest()

    for number in range(6):
        buffer[:] = bytes([number]) * len(buffer)
        digest.update(memoryview(buffer))
        expected.update(buffer)

    assert digest.sha1() == expected.hexdigest()


def test_what_is_given_up_leaves_no_thread() -> None:
    digest = Digest()
    digest.update(b"x" * (LARGE + 1))
    assert helpers() != []

    digest.close()

    assert helpers() == []


def test_a_slice_that_cannot_be_added_is_told_and_nobody_waits_for_ever() -> None:
    digest = Digest()
    digest.update(b"x" * LARGE)
    broken = memoryview(bytes(range(200)) * 2)[::2]  # not contiguous, which no sum can take

    for _ in range(40):
        digest.update(broken)

    with pytest.raises(BufferError):
        digest.sha1()
    assert helpers() == []
