"""Answers are read whole and strictly, however they come in pieces."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.http.answer import Answer, BadAnswer, Receive, Unanswered, read_answer

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\n"


def coming(pieces: Iterable[bytes]) -> Receive:
    """Pieces as a socket gives them, and the end."""
    waiting = iter([*pieces, b"", b""])
    return lambda _: next(waiting)


def answer(*pieces: bytes, most: int = 1000) -> Answer:
    return read_answer(coming(pieces), most)


WHOLE = {
    "length": HEAD + b"Content-Length: 4\r\n\r\nbody",
    "chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2;a=b\r\ndy\r\n0\r\nX: y\r\n\r\n",
    "end": HEAD + b"\r\nbody",
    "interim": b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 4\r\n\r\nbody",
    "without a phrase": b"HTTP/1.1 200\r\nContent-Type: application/soap+xml\r\nContent-Length: 4\r\n\r\nbody",
}


@pytest.mark.parametrize("way", WHOLE)
@given(st.data())
def test_a_body_comes_whole_wherever_it_is_cut(way: str, data: st.DataObject) -> None:
    whole = WHOLE[way]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=5)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]

    found = answer(*pieces)

    assert (found.status, found.body, found.fields["content-type"]) == (200, b"body", "application/soap+xml")
    assert found.keep is (way != "end")


@pytest.mark.parametrize(
    ("whole", "keep"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200", False),
    ],
    ids=["204", "close", "1.0", "more than was asked for"],
)
def test_a_connection_is_kept_only_when_it_can_be_used_again(whole: bytes, keep: bool) -> None:
    found = answer(whole)

    assert (found.body, found.keep) == (b"", keep)


@pytest.mark.parametrize(
    ("whole", "told"),
    [
        (b"HTTP/2 200 OK\r\n\r\n", "first line"),
        (b"SSH-2.0-x\r\n\r\n", "first line"),
        (b"HTTP/1.1 200 OK\r\nnot a field\r\n\r\n", "malformed"),
        (HEAD + b"Content-Length: x\r\n\r\n", "not a number"),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "more than once"),
        (HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding"),
        (HEAD + b"Content-Length: 5\r\n\r\nbody", "breaks off"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nbody", "breaks off"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nx\r\n", "chunk"),
        (HEAD[:-2], "breaks off in its head"),
        (HEAD + b"X: " + b"y" * 40_000, "does not end"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 20, "interim"),
        (HEAD + b"Content-Length: 1001\r\n\r\n", "too large"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1001, "too large"),
        (HEAD + b"\r\n" + b"x" * 10, "too large"),
    ],
)
def test_what_cannot_be_used_is_refused(whole: bytes, told: str) -> None:
    with pytest.raises(BadAnswer, match=told):
        answer(whole, b"x" * 995 if whole.endswith(b"x" * 10) else b"")


def test_a_connection_closed_without_a_word_is_told_from_one_that_breaks() -> None:
    with pytest.raises(Unanswered):
        answer()
