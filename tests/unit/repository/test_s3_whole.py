"""An object that holds a small document whole: what was written is read, and what was changed is found out."""

from __future__ import annotations

import json
import zlib
from hashlib import sha1

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repository.storage import Blob, Buried, Damaged, Tombstone
from repository.storage.s3_keys import arrived_key, as_settled, document_key, read, read_tomb, written, written_tomb
from repository.storage.s3_whole import is_cut, is_whole, read_line, whole

CONTENTS = [b"", b" ", b"\n", b"{}", b"\r\n\r\n", b"PORTOLAN-DOCUMENT-1 00000000 {}\n", bytes(range(256))]


def a_blob(content: bytes, unique_id: str = "1.2.3") -> Blob:
    """A small document that has arrived."""
    digest = sha1(content, usedforsecurity=False).hexdigest()
    locator = arrived_key(unique_id, "0" * 32)
    return Blob(unique_id, "text/plain", digest, len(content), zlib.crc32(content), True, 1.5, locator)


@given(st.binary(max_size=300), st.text(max_size=300))
def test_what_was_written_is_read(content: bytes, unique_id: str) -> None:
    blob = a_blob(content, unique_id)
    written_whole = whole(blob, content)

    for wanted in (blob, as_settled(blob)):
        found = read(written_whole, wanted.locator)
        assert (found, found.content) == (wanted, content)
        assert read_tomb(written_whole) is None


@given(st.binary(max_size=100), st.data())
def test_any_byte_that_changed_is_found_out(content: bytes, data: st.DataObject) -> None:
    blob = a_blob(content)
    changed = bytearray(whole(blob, content))
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))

    try:
        found = read(bytes(changed), blob.locator)
    except Damaged:
        return
    assert (found, found.content) == (blob, None)


@given(st.binary(max_size=100), st.integers(0, 400))
def test_an_object_that_was_cut_or_grew_is_found_out(content: bytes, length: int) -> None:
    blob = a_blob(content)
    right = whole(blob, content)
    for wrong in (right[: min(length, len(right) - 1)], right + b"\0" * (length + 1)):
        try:
            found = read(wrong, blob.locator)
        except Damaged:
            continue
        assert (found, found.content) == (blob, None)


@pytest.mark.parametrize("content", CONTENTS)
def test_d13_a_release_that_reads_json_takes_it_for_damaged(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the kinds of ValueError differ by content
        json.loads(whole(a_blob(content), content))


def test_a_form_of_a_later_release_is_not_guessed_at() -> None:
    later = whole(a_blob(b"x"), b"x").replace(b"DOCUMENT-1 ", b"DOCUMENT-2 ", 1)
    assert is_whole(later)
    with pytest.raises(Damaged, match="this release does not know"):
        read(later, document_key("1.2.3"))


def test_its_line_can_be_read_without_the_rest() -> None:
    blob = a_blob(b"some bytes")
    right = whole(blob, b"some bytes")
    start = right.index(b"\n") + 1

    assert [is_cut(right[:length]) for length in (0, 30, start - 1, start)] == [True, True, True, False]
    assert read_line(right[:start], pending=True, locator=blob.locator) == (blob, start)


def test_what_earlier_releases_wrote_is_told_apart() -> None:
    large = Blob("1.2.3", "text/plain", "0" * 40, 9, 0, False, 1.5, "data/00/" + "0" * 32)
    tombstone = Tombstone.of(large, 2.5, "a message")

    assert read(written(large), document_key("1.2.3")) == large
    assert read_tomb(written(large)) is None
    assert read_tomb(written_tomb(tombstone)) == tombstone
    with pytest.raises(Buried):
        read(written_tomb(tombstone), document_key("1.2.3"))


NO_DESCRIPTIONS = [b"", b"{", b"[]", b'"x"', b"\xff", b"{}", b'{"data": "x"}', b'{"data": "x", "blob": {}}']


@pytest.mark.parametrize("data", NO_DESCRIPTIONS)
def test_what_is_no_description_is_damage(data: bytes) -> None:
    with pytest.raises(Damaged):
        read(data, document_key("1.2.3"))
