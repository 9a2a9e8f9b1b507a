"""Answers are packed by whichever library is there, into what any reader of gzip unpacks."""

from __future__ import annotations

import gzip
import runpy
import sys
import zlib

import pytest

from common.web import packing

DATA = b"<rim:Slot name='creationTime'/>" * 5000


def test_what_was_packed_is_unpacked_to_the_same() -> None:
    found = packing.packed(DATA)

    assert gzip.decompress(found) == DATA
    assert len(found) < len(DATA) / 10


def test_where_the_faster_library_is_not_built_the_ordinary_one_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zlib_ng", None)
    monkeypatch.setitem(sys.modules, "zlib_ng.zlib_ng", None)
    module = runpy.run_path(packing.__file__)

    assert module["zlib"] is zlib
    assert gzip.decompress(module["packed"](DATA)) == DATA
