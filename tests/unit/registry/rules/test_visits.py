"""Stays by the events of a visit: whichever order they arrive in, they come to the same."""

from __future__ import annotations

from itertools import permutations

import pytest

from registry.rules.visits import EFFECTS, VisitEvent, later, stays

HOSPITAL, OTHER = "ZT901", "ZT902"
NOW = "20260401000000"


def at(hour: int) -> str:
    return f"202603{1 + hour // 24:02}{hour % 24:02}0000"


def an_event(event: str, hour: int, organisation: str = HOSPITAL, **more: str) -> VisitEvent:
    values = {"recorded_at": at(hour), "happened_at": at(hour), "arrived_at": NOW, **more}
    return VisitEvent(event, organisation, message=f"PAS|NBG|{event}{hour}", **values)


def spans(*events: VisitEvent, grace: int = 0) -> list[tuple[str, str, str]]:
    return [(each.organisation, each.begins, each.ends) for each in stays(events, grace)]


CASES = {
    "admitted": ([an_event("A01", 1)], [(HOSPITAL, at(1), "")]),
    "registered": ([an_event("A04", 1)], [(HOSPITAL, at(1), "")]),
    "pre-admitted, and admitted": ([an_event("A05", 1), an_event("A01", 5)], [(HOSPITAL, at(1), "")]),
    "discharged": ([an_event("A01", 1), an_event("A03", 9)], [(HOSPITAL, at(1), at(9))]),
    "discharged, place unknown": ([an_event("A01", 1), an_event("A03", 9, "")], [(HOSPITAL, at(1), at(9))]),
    "transferred within": ([an_event("A01", 1), an_event("A02", 3)], [(HOSPITAL, at(1), "")]),
    "transferred": (
        [an_event("A01", 1), an_event("A02", 3, OTHER)],
        [(HOSPITAL, at(1), at(3)), (OTHER, at(3), "")],
    ),
    "transfer cancelled": (
        [an_event("A01", 1), an_event("A02", 3, OTHER), an_event("A12", 4)],
        [(HOSPITAL, at(1), at(3)), (OTHER, at(3), at(4)), (HOSPITAL, at(4), "")],
    ),
    "transferred to a place that is not known": (
        [an_event("A01", 1), an_event("A02", 3, "")], [(HOSPITAL, at(1), at(3))],
    ),
    "admission cancelled": ([an_event("A01", 1), an_event("A11", 2)], [(HOSPITAL, at(1), NOW)]),
    "pre-admission cancelled": ([an_event("A05", 1), an_event("A38", 2)], [(HOSPITAL, at(1), NOW)]),
    "nothing to cancel": ([an_event("A11", 2)], []),
    "discharge cancelled": (
        [an_event("A01", 1), an_event("A03", 9), an_event("A13", 10)], [(HOSPITAL, at(1), "")],
    ),
    "discharged twice": (
        [an_event("A01", 1), an_event("A03", 9), an_event("A13", 10), an_event("A03", 12)],
        [(HOSPITAL, at(1), at(12))],
    ),
    "no discharge to cancel": ([an_event("A13", 10)], [(HOSPITAL, at(10), "")]),
    "discharge cancelled, as goes on": ([an_event("A01", 1), an_event("A13", 10)], [(HOSPITAL, at(1), "")]),
    "admission unknown": ([an_event("A03", 9)], [(HOSPITAL, at(9), at(9))]),
    "admission cancelled, discharge not": (
        [an_event("A01", 1), an_event("A11", 2), an_event("A13", 3, OTHER)],
        [(HOSPITAL, at(1), NOW), (OTHER, at(3), "")],
    ),
    "back again": (
        [an_event("A01", 1), an_event("A03", 9), an_event("A01", 20)],
        [(HOSPITAL, at(1), at(9)), (HOSPITAL, at(20), "")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("events", "expected"), CASES.values(), ids=CASES)
def test_events_come_to_the_same_stays_in_any_order(
    events: list[VisitEvent], expected: list[tuple[str, str, str]]
) -> None:
    for order in permutations(events):
        assert spans(*order) == expected


def test_every_event_has_a_case() -> None:
    assert {each.event for events, _ in CASES.values() for each in events} == set(EFFECTS)


def test_after_a_discharge_or_a_transfer_it_goes_on_for_the_days_of_grace() -> None:
    events = an_event("A01", 1), an_event("A02", 3, OTHER), an_event("A03", 9)
    assert spans(*events, grace=30) == [(HOSPITAL, at(1), later(at(3), 30)), (OTHER, at(3), later(at(9), 30))]
    assert later(at(3), 30) == "20260331030000"
    assert spans(an_event("A01", 1), an_event("A11", 9), grace=30)[0][2] == NOW


def test_no_clock_but_ours_says_when_something_is() -> None:
    ahead = an_event("A01", 1, happened_at="20270101000000"), an_event("A03", 9, happened_at="20270102000000")
    assert spans(*ahead, grace=1) == [(HOSPITAL, NOW, later(NOW, 1))]
    assert spans(an_event("A01", 1, recorded_at="", happened_at="")) == [(HOSPITAL, NOW, "")]


def test_an_end_is_not_before_its_beginning_nor_after_the_last_day() -> None:
    assert spans(an_event("A01", 5), an_event("A03", 9, happened_at=at(1))) == [(HOSPITAL, at(5), at(5))]
    assert later("99991231000000", 30) == "99991231235959"


def test_whoever_reads_it_sees_which_messages_it_comes_from() -> None:
    [stay] = stays([an_event("A01", 1), an_event("A03", 9)], 0)
    assert stay.source == f"ADT A01 {at(1)} PAS|NBG|A011; ADT A03 {at(9)} PAS|NBG|A039"
