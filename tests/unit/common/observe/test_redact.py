"""No text that leaves through the log holds an NHS Number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.observe.redact import REDACTED, redacted


@pytest.mark.parametrize("number", ["9990001006", "999 000 1006", "999-000-1006", "9990001014", "9990001022"])
@pytest.mark.parametrize("around", ["{}", "patient {}.", "{}^^^&2.16.840.1.113883.2.1.4.1&ISO", "NHS{}x", "'{}', 5"])
def test_s15_a_number_is_taken_out(number: str, around: str) -> None:
    assert redacted(around.format(number)) == around.format(REDACTED)


@pytest.mark.parametrize(
    "text", ["9990001007", "99900010061", "19990001006", "999000100", "20260311142000", "2.16.840.1.113883.2.1.4.1"]
)
def test_other_digits_stay(text: str) -> None:
    assert redacted(text) == text


@given(st.text(), st.sampled_from(["9990001006", "999 000 1014"]), st.text())
def test_s15_whatever_stands_around_it(before: str, number: str, after: str) -> None:
    text = f"{before}|{number}|{after}"

    assert number not in redacted(text)
    assert redacted(redacted(text)) == redacted(text)
