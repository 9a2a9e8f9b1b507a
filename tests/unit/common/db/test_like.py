"""SQL LIKE without escape, as stored queries have it, against a simple reference."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.db.statement import joined, like, sqlite_matches_any

LETTERS = st.text("ab%_\\.*^'é\n", max_size=12)


def reference(value: str, pattern: str) -> bool:
    wild = {"%": ".*", "_": "."}
    return re.fullmatch("".join(wild.get(sign, re.escape(sign)) for sign in pattern), value, re.DOTALL) is not None


@given(LETTERS, LETTERS)
def test_like_is_what_the_reference_says(value: str, pattern: str) -> None:
    assert like(value, pattern) is reference(value, pattern)


@given(st.text(), st.data())
def test_a_value_is_like_itself_with_any_characters_made_wild(value: str, data: st.DataObject) -> None:
    pattern = "".join(data.draw(st.sampled_from([sign, "_", "%"])) for sign in value)

    assert like(value, pattern)


@pytest.mark.parametrize(
    ("value", "pattern", "good"),
    [
        ("Okafor", "okafor", False),
        ("Okafor", "Okafor", True),
        ("Okafor", "Oka", False),
        ("Okafor", "%for", True),
        ("50%", "50\\%", False),
        ("50\\x", "50\\%", True),
        ("", "", True),
        ("", "%%", True),
        ("", "_", False),
        ("a", "", False),
    ],
)
def test_case_counts_and_a_backslash_is_a_backslash(value: str, pattern: str, good: bool) -> None:
    assert like(value, pattern) is good


def test_no_pattern_makes_it_slow() -> None:
    started = time.process_time()
    assert not like("a" * 256, "%a" * 120 + "%b")

    assert time.process_time() - started < 1


@given(st.lists(st.text("ab_%", min_size=1, max_size=4), max_size=4), st.text("ab_%", max_size=4))
def test_one_of_several_values_has_to_match(values: list[str], pattern: str) -> None:
    assert sqlite_matches_any(joined(values), pattern) is any(reference(value, pattern) for value in values)


def test_nothing_matches_nothing() -> None:
    assert joined([]) is None
    assert not sqlite_matches_any(None, "%")
    assert not sqlite_matches_any("x", None)
