"""The same sums whichever library makes them."""

from __future__ import annotations

import runpy
import sys
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repository.storage import crc


@given(st.lists(st.binary(max_size=2000)))
def test_the_sum_is_that_of_the_standard_library_however_it_is_cut(pieces: list[bytes]) -> None:
    found = 0
    for piece in pieces:
        found = crc.crc32(memoryview(piece), found)

    assert found == zlib.crc32(b"".join(pieces))


def test_where_the_faster_library_is_not_built_the_ordinary_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zlib_ng", None)
    monkeypatch.setitem(sys.modules, "zlib_ng.zlib_ng", None)

    assert runpy.run_path(crc.__file__)["crc32"] is zlib.crc32
