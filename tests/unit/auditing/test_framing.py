"""Frames of syslog: cut anywhere they are the same, and what is none is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditing.receiving.framing import Broken, Frames
from tests.unit.auditing.kit import framed

MESSAGES = st.lists(st.binary(min_size=1, max_size=300), max_size=6)


@given(MESSAGES, st.lists(st.integers(0, 2_000), max_size=8))
def test_messages_come_out_as_they_went_in_however_they_are_cut(messages: list[bytes], cuts: list[int]) -> None:
    data = b"".join(map(framed, messages))
    frames, found, start = Frames(1_000), [], 0
    for end in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
        found += list(frames.feed(data[start:end]))
        start = end

    assert found == messages
    assert not frames.is_within


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b" 5 hello",
        b"05 hello",
        b"0 ",
        b"5",
        b"-1 a",
        b"99999999999",
        b"11 hello world",
        b"5\nhello",
        b"\x16\x03\x01",
    ],
)
def test_what_is_no_frame_is_told_at_once_or_waited_for(data: bytes) -> None:
    frames = Frames(10)
    found = list(frames.feed(data))

    if data == b"5":
        assert not found
        assert frames.is_within
    else:
        assert len(found) == 1
        assert isinstance(found[0], Broken)
        assert not list(frames.feed(b"5 hello"))


def test_endless_digits_are_not_kept() -> None:
    frames = Frames(1_000)

    [broken] = frames.feed(b"1" * 1_000_000)

    assert isinstance(broken, Broken)


@given(st.binary(max_size=200))
def test_garbage_never_raises(data: bytes) -> None:
    list(Frames(100).feed(data))
