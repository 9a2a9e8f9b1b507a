"""MLLP's framing: cut anywhere, the events are the same; whatever comes, it is bounded and never a crash."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.hl7.framing import MOST_GARBAGE, Broken, Frame, FrameEvent, FrameReader, framed

MOST = 64
STREAM = st.lists(
    st.one_of(
        st.binary(max_size=MOST + 8),
        st.sampled_from([b"\x0b", b"\x1c", b"\r", b"\x1c\r", b"\x0bMSH|\x1c\r", b"x" * (MOST_GARBAGE + 1)]),
    ),
    max_size=12,
).map(b"".join)


def events(*slices: bytes, ends: bool = True) -> list[FrameEvent]:
    reader = FrameReader(MOST)
    found = [event for each in slices for event in reader.feed(each)]
    return [*found, *reader.close()] if ends else found


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(edges)]


@given(STREAM, st.lists(st.integers(0, 10_000), max_size=20))
def test_w8_however_a_stream_is_cut_the_events_are_the_same(data: bytes, places: list[int]) -> None:
    assert events(*cut(data, places)) == events(data) == events(*[data[at : at + 1] for at in range(len(data))])


@given(STREAM)
def test_w8_only_the_last_event_is_that_something_broke_and_no_frame_is_too_long(data: bytes) -> None:
    found = events(data)

    assert all(isinstance(each, Frame) and len(each.data) <= MOST for each in found[:-1])


@given(
    st.lists(st.binary(max_size=MOST).filter(lambda data: b"\x0b" not in data and b"\x1c\r" not in data), max_size=5)
)
def test_what_is_framed_is_found_again(messages: list[bytes]) -> None:
    if any(each.endswith(b"\x1c") for each in messages):
        return
    assert events(b"\r\n".join(map(framed, messages))) == [Frame(each) for each in messages]


def test_garbage_between_blocks_is_passed_over_within_bounds() -> None:
    assert events(b"\r\n" + framed(b"A") + b"noise" + framed(b"B")) == [Frame(b"A"), Frame(b"B")]


@pytest.mark.parametrize(
    ("stream", "told"),
    [
        (b"x" * (MOST_GARBAGE + 1), "not within a block"),
        (b"\x0b" + b"x" * (MOST + 2), f"more than {MOST} bytes"),
        (b"\x0b" + b"x" * (MOST + 1) + b"\x1c\r", f"more than {MOST} bytes"),
        (b"\x0bMSH|\x0bMSH|\x1c\r", "within another"),
        (b"\x0bMSH|", "ended within"),
    ],
)
def test_what_breaks_the_framing_ends_the_conversation(stream: bytes, told: str) -> None:
    *_, last = events(stream + (b"" if "ended" in told else framed(b"after")))

    assert isinstance(last, Broken)
    assert told in last.reason


def test_a_message_may_be_as_long_as_the_bound() -> None:
    assert events(framed(b"x" * MOST)) == [Frame(b"x" * MOST)]


def test_an_endless_block_is_not_kept() -> None:
    reader = FrameReader(MOST)
    assert not list(reader.feed(b"\x0b"))
    found = [event for _ in range(100) for event in reader.feed(b"y" * 10)]
    assert len(found) == 1
