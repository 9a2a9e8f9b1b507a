"""Heads are read strictly: what could be read in two ways is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.http.chunked import BadChunk, ChunkedDecoder
from common.http.head import BadHead, bodiless, read_head, write_head


def test_a_head_is_read() -> None:
    head = read_head(
        b"POST /registry?a=b HTTP/1.1\r\nHost: x:8010\r\nContent-Length: 12\r\nX-One:  two \r\nx-one: three"
    )

    assert (head.method, head.path, head.query, head.length) == ("POST", "/registry", "a=b", 12)
    assert head.fields["x-one"] == "two,three"
    assert head.keep_alive


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /x HTTP/1.1", 400),  # no Host
        (b"POST /x HTTP/1.1\r\nHost: a\r\nHost: b", 400),
        (b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1", 400),
        (b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: +1", 400),
        (b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1", 400),
        (b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: \xb2", 400),
        (b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", 400),
        (b"POST /x HTTP/1.0\r\nTransfer-Encoding: chunked", 400),
        (b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked", 501),
        (b"POST /x HTTP/1.1\r\nHost : a", 400),
        (b"POST /x HTTP/1.1\r\nHost: a\r\n folded: b", 400),
        (b"POST /x HTTP/1.1\r\nHost: a\nX: b", 400),
        (b"POST /x HTTP/1.1\r\nHost: a\rX: b", 400),
        (b"POST /x HTTP/1.1\r\nHost: a\x00", 400),
        (b"POST /x HTTP/2.0\r\nHost: a", 400),
        (b"POST  /x HTTP/1.1\r\nHost: a", 400),
        (b"POST x HTTP/1.1\r\nHost: a", 400),
        (b"POST /x HTTP/1.1\r\nHost: a" + b"\r\nX: y" * 101, 431),
    ],
)
def test_what_is_malformed_is_refused(head: bytes, status: int) -> None:
    with pytest.raises(BadHead) as refused:
        read_head(head)

    assert refused.value.status == status


@given(st.binary(max_size=200))
def test_whatever_stands_there_is_read_or_refused(junk: bytes) -> None:
    try:
        head = read_head(b"POST /x HTTP/1.1\r\nHost: a\r\n" + junk)
    except BadHead:
        return
    assert all("\r" not in value and "\n" not in value for value in head.fields.values())


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        (b"GET / HTTP/1.1\r\nHost: a", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Close", False),
        (b"GET / HTTP/1.0", False),
    ],
)
def test_a_connection_is_kept_as_its_version_has_it(head: bytes, kept: bool) -> None:
    assert read_head(head).keep_alive is kept


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [("/a%20b?c%20d", "/a b", "c%20d"), ("http://x:1/a", "/a", ""), ("http://x", "/", ""), ("*", "*", "")],
)
def test_a_target_is_taken_apart(target: str, path: str, query: str) -> None:
    head = read_head(f"GET {target} HTTP/1.1\r\nHost: a".encode())

    assert (head.path, head.query) == (path, query)


def test_an_answers_head_is_written() -> None:
    head = write_head(200, [("Content-Type", "text/plain")], keep_alive=False, length=3).decode()

    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert head.endswith("\r\n\r\n")
    assert {"Content-Type: text/plain", "Content-Length: 3", "Connection: close"} <= set(head.split("\r\n"))


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\rb"])
def test_no_field_of_an_answer_can_end_its_line(value: str) -> None:
    with pytest.raises(ValueError, match="end of a line"):
        write_head(200, [("X-Told", value)], keep_alive=True, length=0)


@pytest.mark.parametrize(("method", "status", "none"), [("HEAD", 200, True), ("GET", 304, True), ("GET", 200, False)])
def test_some_answers_have_no_body(method: str, status: int, none: bool) -> None:
    assert bodiless(method, status) is none


def coded(pieces: list[bytes]) -> bytes:
    """Content in chunks."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n\r\n"


@given(st.lists(st.binary(max_size=40), max_size=5), st.lists(st.integers(1, 30), max_size=20))
def test_chunks_come_out_the_same_however_they_are_cut(pieces: list[bytes], cuts: list[int]) -> None:
    decoder, data, out = ChunkedDecoder(), coded(pieces) + b"GET / next", b""
    for cut in cuts:
        out += decoder.feed(data[:cut]) if not decoder.ended else b""
        if decoder.ended:
            break
        data = data[cut:]
    else:
        out += decoder.feed(data)

    assert out == b"".join(pieces)
    assert decoder.ended
    assert b"GET / next".startswith(decoder.rest)


@pytest.mark.parametrize(
    "data",
    [
        b"x\r\n",
        b"-1\r\n",
        b"0x1\r\na",
        b"1\r\nab\r\n",
        b"1;\x00\r\na\r\n",
        b" 1\r\n",
        b"1" * 2000,
        b"0\r\n" + b"x:y\r\n" * 2000,
    ],
)
def test_broken_chunks_are_refused(data: bytes) -> None:
    with pytest.raises(BadChunk):
        ChunkedDecoder().feed(data)
