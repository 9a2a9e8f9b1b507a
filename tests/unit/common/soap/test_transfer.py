"""Transfer encodings: exact for what encoders make, refused otherwise, and the same wherever they are cut."""

import base64
import binascii
import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.soap.content_type import MimeError
from common.soap.transfer import decoder_for
from tests.unit.common.soap.messages import cut


def decode(encoding: str, data: bytes, size: int | None = None) -> bytes:
    decoder = decoder_for(encoding)
    pieces = [bytes(decoder.feed(piece)) for piece in cut(data, size or len(data) or 1)]
    return b"".join(pieces) + decoder.close()


@given(st.binary(max_size=300), st.integers(1, 100))
def test_base64_comes_back(data: bytes, size: int) -> None:
    for encoded in (base64.b64encode(data), base64.encodebytes(data), base64.encodebytes(data).replace(b"\n", b"\r\n")):
        assert decode(" Base64 ", encoded, size) == data


@given(st.binary(max_size=300), st.integers(1, 100))
def test_quoted_printable_comes_back(data: bytes, size: int) -> None:
    encoded = binascii.b2a_qp(data, quotetabs=True, istext=False)  # as text it would make all line ends one kind

    assert decode("quoted-printable", encoded, size) == data


@pytest.mark.parametrize("encoding", ["", "binary", "8bit", "7BIT"])
@given(data=st.binary(max_size=300))
def test_plain_encodings_change_nothing(encoding: str, data: bytes) -> None:
    assert decode(encoding, data, 7) == data


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("base64", b"QUJ"),
        ("base64", b"QQ="),
        ("base64", b"QQ==QQ=="),
        ("base64", b"QQ==\r\nQ"),
        ("base64", b"Q==="),
        ("base64", b"===="),
        ("base64", b"QU*D"),
        ("base64", b"QU\0D"),
        ("base64", b"QUJD-QUJD__"),
        ("quoted-printable", b"=4"),
        ("quoted-printable", b"=XY"),
        ("quoted-printable", b"caf\xe9"),
        ("quoted-printable", b"a\0b"),
        ("quoted-printable", b"a=\rb"),
        ("quoted-printable", b"x" * 70_000),
        ("quoted-printable", b"x" * 70_000 + b"\n"),
        ("x-gzip", b""),
    ],
)
def test_damage_is_refused_wherever_it_is_cut(encoding: str, data: bytes) -> None:
    for size in (1, 3, 4, len(data) or 1):
        if size * 5000 > len(data):
            with pytest.raises(MimeError):
                decode(encoding, data, size)


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
@given(data=st.binary(max_size=60), size=st.integers(1, 20))
def test_garbage_has_one_outcome(encoding: str, data: bytes, size: int) -> None:
    outcomes = []
    for cut_at in (size, None):
        outcome = None
        with contextlib.suppress(MimeError):
            outcome = decode(encoding, data, cut_at)
        outcomes.append(outcome)

    assert outcomes[0] == outcomes[1]


def test_white_space_added_on_the_way_is_dropped() -> None:
    assert decode("quoted-printable", b"a= \t\r\nb  \r\nc=20  \nd =\n", 2) == b"ab\r\nc \nd "
    assert decode("quoted-printable", b"end=  ") == b"end"


def test_masses_of_spaces_take_linear_time() -> None:
    begun = time.perf_counter()

    decode("quoted-printable", (b"x" + b" " * 60_000 + b"x\n") * 20, 65536)

    assert time.perf_counter() - begun < 1
