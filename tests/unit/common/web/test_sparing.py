"""Of what is refused some is recorded, and how much was left out."""

from __future__ import annotations

from common.web.sparing import EACH, MOST, Sparing, with_count


def test_one_refusal_of_a_client_is_recorded_in_a_minute_and_the_next_counts_the_others() -> None:
    clock = [1000.0]
    sparing = Sparing.alone(lambda: clock[0])

    assert [sparing.more("often", "192.0.2.1") for _ in range(1000)] == [0, *[None] * 999]
    assert sparing.more("often", "192.0.2.2") == 0, "another client has its own"
    assert sparing.more("unknown", "192.0.2.1") == 0, "another kind as well"
    clock[0] += EACH - 0.1
    assert sparing.more("often", "192.0.2.1") is None
    clock[0] += 0.2
    assert sparing.more("often", "192.0.2.1") == 1000
    assert sparing.more("often", "192.0.2.1") is None


def test_all_clients_together_do_not_fill_the_trail() -> None:
    clock = [5.0]  # just started: nothing was told of yet
    sparing = Sparing.alone(lambda: clock[0])

    for minute in range(3):
        clock[0] = 5.0 + minute * (EACH + 1)
        told = [sparing.more("often", f"2001:db8::{number:x}") for number in range(20_000)]
        assert sum(each is not None for each in told) == MOST


def test_what_was_left_out_is_told() -> None:
    assert with_count("No.", 0) == "No."
    assert with_count("No.", 7) == "No. (7 more like it since the last record)"
