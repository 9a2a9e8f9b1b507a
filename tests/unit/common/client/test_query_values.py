"""Values of stored queries are written so that the other side reads them back equal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.client.query_values import MAX_VALUE, slots_of, values
from common.model import AvailabilityStatus, Code
from common.rules.stored_query import parse_value
from common.standard.queries import BY_NAME

FIND = BY_NAME["FindDocuments"]
DE = "$XDSDocumentEntry"
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("'(), \"")).filter(
    lambda text: len(text.replace("'", "''")) <= MAX_VALUE - 4
)


@given(st.lists(TEXTS, max_size=60))
def test_any_list_comes_back_equal_from_values_of_at_most_256_characters(texts: list[str]) -> None:
    written = values(texts)

    assert all(len(value) <= MAX_VALUE for value in written)
    assert [text for value in written for text in parse_value(value)[0]] == texts


@given(TEXTS)
def test_a_single_text_comes_back_equal(text: str) -> None:
    [(_, [value])] = slots_of(FIND, {f"{DE}PatientId": text})

    assert parse_value(value) == ([text], False)


def test_lists_are_filled_before_a_new_one_is_begun() -> None:
    assert [len(value) for value in values(["x" * 10] * 40)] == [248, 248, 27]


@pytest.mark.parametrize("text", ["x" * 253, "'" * 127])
def test_a_text_that_fits_into_no_value_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="more than 256"):
        values([text])
    with pytest.raises(ValueError, match="PatientId"):
        slots_of(FIND, {f"{DE}PatientId": text + "xx"})


def test_values_are_written_as_the_parameter_wants_them() -> None:
    moment = datetime(2026, 3, 11, 15, 15, tzinfo=timezone(timedelta(hours=1)))
    given_ = {
        f"{DE}PatientId": "1^^^&2&ISO",
        f"{DE}Status": AvailabilityStatus.APPROVED,
        f"{DE}ClassCode": [Code("a", "1.2"), "b^^1.2"],
        f"{DE}CreationTimeFrom": moment,
        f"{DE}CreationTimeTo": "202604",
        "$MetadataLevel": 2,
    }

    assert dict(slots_of(FIND, given_)) == {
        f"{DE}PatientId": ("'1^^^&2&ISO'",),
        f"{DE}Status": (f"('{AvailabilityStatus.APPROVED.value}')",),
        f"{DE}ClassCode": ("('a^^1.2','b^^1.2')",),
        f"{DE}CreationTimeFrom": ("20260311141500",),
        f"{DE}CreationTimeTo": ("202604",),
        "$MetadataLevel": ("2",),
    }


def test_lists_of_lists_become_slots_of_their_own() -> None:
    slots = slots_of(FIND, {f"{DE}EventCodeList": [["a^^1", "b^^1"], "c^^1"]})

    assert slots == ((f"{DE}EventCodeList", ("('a^^1','b^^1')",)), (f"{DE}EventCodeList", ("('c^^1')",)))


def test_nothing_is_left_out() -> None:
    assert slots_of(FIND, {f"{DE}ClassCode": (), f"{DE}CreationTimeTo": None, f"{DE}EventCodeList": [[]]}) == ()


def test_a_query_that_is_not_known_has_its_values_written_by_their_type() -> None:
    assert slots_of(None, {"$a": "x", "$b": ["x"], "$c": 7}) == (("$a", ("'x'",)), ("$b", ("('x')",)), ("$c", ("7",)))


def test_several_values_for_a_parameter_that_takes_one_are_sent_for_the_registry_to_refuse() -> None:
    assert slots_of(FIND, {f"{DE}PatientId": ["a", "b"]}) == ((f"{DE}PatientId", ("('a','b')",)),)


@pytest.mark.parametrize("value", [1.5, object(), datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)])
def test_a_value_that_cannot_be_asked_for_is_refused(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        slots_of(FIND, {f"{DE}CreationTimeFrom": [value]})
