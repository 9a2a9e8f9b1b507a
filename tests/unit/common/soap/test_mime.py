"""Multiparts: the same parts however the bytes are cut, and nothing from what is malformed or too large."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.soap.mime import MimeError, MimeLimits, MultipartDecoder
from tests.unit.common.soap.messages import Part, a_multipart, cut, decode

BOUNDARIES = st.text("abAB09'()+_,-./:=? ", min_size=1, max_size=70).filter(lambda text: not text.endswith(" "))
# Contents that come as near to a boundary as they can.
NEAR = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"-", b"--", b"b", b"\r\n--", b"\n--b", b"\r\n--bx", b"x", b" ", b"\0\xff"])
).map(b"".join)


def refusal(data: bytes, limits: MimeLimits | None = None, boundary: str = "b") -> str:
    reasons = set()
    for size in (1, 7, len(data) or 1):
        with pytest.raises(MimeError) as caught:
            decode(cut(data, size), boundary, limits)
        reasons.add(caught.value.reason)
    [reason] = reasons
    return reason


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4), BOUNDARIES, st.integers(1, 300))
def test_m7_what_was_encoded_is_decoded_wherever_it_is_cut(contents: list[bytes], boundary: str, size: int) -> None:
    parts: list[Part] = [({"content-id": f"<{n}>"}, content) for n, content in enumerate(contents)]
    if any(b"--" + boundary.encode() in content for content in contents):
        return

    assert decode(cut(a_multipart(parts, boundary), size), boundary) == parts


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
@given(contents=st.lists(NEAR, min_size=1, max_size=3), size=st.integers(1, 40))
def test_m7_near_boundaries_are_content(newline: str, contents: list[bytes], size: int) -> None:
    parts: list[Part] = [({}, b"<root/>"), *(({"a": "1"}, content) for content in contents)]
    whole = a_multipart(parts, newline=newline)

    assert _outcome(cut(whole, size)) == _outcome([whole])


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
@given(content=NEAR.filter(lambda data: b"--b" not in data), size=st.integers(1, 40))
def test_content_is_exact_with_either_line_end(newline: str, content: bytes, size: int) -> None:
    parts: list[Part] = [({}, b"<root/>"), ({"a": "1"}, content), ({}, b"")]

    assert decode(cut(a_multipart(parts, newline=newline), size)) == parts


@given(st.binary(max_size=300), st.integers(1, 50))
def test_x15_garbage_ends_in_a_refusal_however_it_is_cut(data: bytes, size: int) -> None:
    for message in (data, b"--b\r\n" + data, a_multipart([({}, data)])):
        assert _outcome(cut(message, size)) == _outcome([message])


@given(st.data())
def test_m7_a_message_cut_short_is_never_whole(data: st.DataObject) -> None:
    whole = a_multipart([({"a": "1"}, b"<root/>"), ({}, b"text\r\n--bits")])
    end = data.draw(st.integers(0, len(whole) - 5))

    assert "closing boundary" in refusal(whole[:end])


def _outcome(slices: object) -> object:
    try:
        return decode(slices)  # type: ignore[arg-type]
    except MimeError:
        return MimeError


@pytest.mark.parametrize(
    "data",
    [
        b"preamble\r\n--bother\r\n--b\r\nA: 1\r\n\r\nx\r\n--b--\r\nepilogue\r\n--b\r\n",
        b"--b \t \r\nA: 1\r\n\r\nx\r\n--b-- \r\n",
        b"--b\r\nA: 1\r\n\r\nx\r\n--b--",
        b"--b\r\nA: 1\r\n\r\nx\r\n--b-- \t",
        b"\r\n--b\nA: 1\n\nx\r\n--b--\n",
        b"--b\nA: 1\n\nx\n--b--",
        b"--b\r\nA:\r\n 1\r\n\r\nx\r\n--b--\r\n",
    ],
    ids=["preamble and epilogue", "padding", "no last line end", "padded end", "mixed", "LF only", "folded"],
)
def test_tolerated_forms_are_read(data: bytes) -> None:
    for size in range(1, len(data) + 1):
        assert decode(cut(data, size)) == [({"a": "1"}, b"x")]


def test_headers_are_lower_case_and_repeated_ones_are_joined() -> None:
    [(headers, _)] = decode([b"--b\r\nX-A: 1\r\nCONTENT-ID: <q>\r\nx-a: 2\r\n\r\n\r\n--b--"])

    assert headers == {"x-a": "1, 2", "content-id": "<q>"}


def test_a_part_may_be_empty_or_have_no_headers() -> None:
    assert decode([b"--b\r\n\r\nx\r\n--b\r\nA: 1\r\n\r\n--b\r\n\r\n\r\n--b--"]) == [
        ({}, b"x"),
        ({"a": "1"}, b""),
        ({}, b""),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"--b",
        b"--b--\r\n",
        b"\n--b--",
        b"no boundary at all",
        b"--b\r\nA: 1\r\n",
        b"--b\r\nA: 1\r\n--b\r\nB: 2\r\n\r\n\r\n--b--",
        b"--b\r\n--b\r\n\r\n\r\n--b--",
        b"--b\r\nno colon\r\n\r\nx\r\n--b--",
        b"--b\r\nA : 1\r\n\r\nx\r\n--b--",
        b"--b\r\n: 1\r\n\r\nx\r\n--b--",
        b"--b\r\nA: \xff\r\n\r\nx\r\n--b--",
        b"--b\r\nA: 1\x002\r\n\r\nx\r\n--b--",
        b"--b\r\nA: 1\r2\r\n\r\nx\r\n--b--",
        b"--b\r\nContent-ID: 1\r\ncontent-id: 1\r\n\r\nx\r\n--b--",
        b"--b\r\n\r\nx--b--",
        b"--b\r\n\r\nx\r\n--b--x",
        b"--b\r\n\r\nx\r\n--b--" + b" " * 300 + b"\r\n",
    ],
)
def test_malformed_multiparts_are_refused(data: bytes) -> None:
    refusal(data)


@pytest.mark.parametrize("boundary", ["", "b ", "é", "b\r\n", "b" * 201])
def test_malformed_boundaries_are_refused(boundary: str) -> None:
    with pytest.raises(MimeError):
        MultipartDecoder(boundary)


def test_m1_part_headers_are_bounded() -> None:
    limits = MimeLimits(max_header_bytes=100, max_headers=3)

    assert "100 bytes" in refusal(b"--b\r\nA: " + b"x" * 200, limits)
    assert "100 bytes" in refusal(b"--b\r\nA: " + b"x" * 200 + b"\r\n\r\n\r\n--b--", limits)
    assert "3 headers" in refusal(b"--b\r\n" + b"A: 1\r\n" * 4 + b"\r\n\r\n--b--", limits)


def test_m2_parts_are_bounded() -> None:
    limits = MimeLimits(max_parts=3)

    assert len(decode([a_multipart([({}, b"")] * 3)], limits=limits)) == 3
    assert "3 parts" in refusal(a_multipart([({}, b"")] * 4), limits)


def test_preamble_and_epilogue_are_bounded() -> None:
    limits = MimeLimits(max_preamble_bytes=50, max_epilogue_bytes=50)

    assert "50 bytes" in refusal(b"x" * 51 + b"\r\n" + a_multipart([({}, b"")]), limits)
    assert "50 bytes" in refusal(a_multipart([({}, b"")]) + b"x" * 51, limits)


def test_nothing_but_a_possible_boundary_is_held() -> None:
    decoder = MultipartDecoder("b" * 70)
    list(decoder.feed(b"--" + b"b" * 70 + b"\r\n\r\n"))
    for piece in (b"\r\n--" + b"b" * 70 + b" " * 200, b"x" * 10_000, b"\r", b"\n", b"--", b"x" * 10_000):
        list(decoder.feed(piece))
        assert len(decoder._held) < 400


def test_m7_masses_of_near_boundaries_take_linear_time() -> None:
    data = b"--b\r\n\r\n" + b"\r\n--bx" * 300_000 + b"\r\n--b--"
    begun = time.perf_counter()

    decode(cut(data, 65536))

    assert time.perf_counter() - begun < 10  # looking again from each would take minutes


def test_memoryviews_are_taken_too() -> None:
    decoder = MultipartDecoder("b")
    with contextlib.suppress(MimeError):
        list(decoder.feed(memoryview(b"--b\r\nA: 1\r\n\r\nx\r\n--b--")))
    assert len(list(decoder.close())) == 2
