"""Compressed messages: whole and within bounds, or refused."""

import contextlib
import gzip
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.soap.content_type import MimeError
from common.soap.inflate import PIECE, Inflater
from tests.unit.common.soap.messages import cut


def inflate(data: bytes, size: int, inflater: Inflater) -> bytes:
    pieces = [piece for part in cut(data, size) for piece in inflater.feed(part)]
    inflater.close()
    assert max(map(len, pieces), default=0) <= PIECE
    return b"".join(pieces)


@given(st.binary(max_size=500), st.integers(1, 100))
def test_what_was_compressed_comes_back(data: bytes, size: int) -> None:
    assert inflate(gzip.compress(data), size, Inflater(10_000)) == data


@pytest.mark.parametrize("size", [1, 1000, 10**7])
def test_large_data_comes_back_in_pieces(size: int) -> None:
    data = random.Random(1).randbytes(20_000) * 20

    assert inflate(gzip.compress(data), size, Inflater(10**6)) == data


@pytest.mark.parametrize("size", [1, 7, 10**6])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not gzip",
        gzip.compress(b"abc")[:-1],
        gzip.compress(b"abc")[:10],
        gzip.compress(b"abc") + b"x",
        gzip.compress(b"abc") * 2,
        gzip.compress(b"abc")[:-8] + b"\0" * 8,
    ],
    ids=["empty", "other", "cut", "head only", "garbage", "two members", "checksum"],
)
def test_damage_is_refused(data: bytes, size: int) -> None:
    with pytest.raises(MimeError):
        inflate(data, size, Inflater(10_000))


@pytest.mark.parametrize("size", [100, 10**6])
def test_x8_a_bomb_is_refused_early(size: int) -> None:
    bomb = gzip.compress(bytes(50 * 2**20))
    made = 0
    inflater = Inflater(100 * 2**20)

    with pytest.raises(MimeError, match="100 times"):  # noqa: PT012 - what was made before the refusal counts
        for part in cut(bomb, size):
            for piece in inflater.feed(part):
                made += len(piece)

    assert made <= max(PIECE, 100 * len(bomb))


def test_x8_output_is_bounded() -> None:
    with pytest.raises(MimeError, match="1000 bytes"):
        inflate(gzip.compress(random.Random(1).randbytes(2000)), 5000, Inflater(1000))


@given(st.binary(max_size=200))
def test_garbage_ends_in_a_refusal(data: bytes) -> None:
    for message in (data, gzip.compress(b"x" * 50)[:12] + data):
        with contextlib.suppress(MimeError):
            inflate(message, 10, Inflater(1000))
