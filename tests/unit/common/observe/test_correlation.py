"""Correlation ids: bounded on the way in, bound to one request."""

import contextvars
import threading

import pytest

from common.observe.correlation import accepted, bind, current, new


def test_a_new_id_is_32_hexadecimal_digits() -> None:
    assert len(new()) == 32
    assert int(new(), 16)
    assert new() != new()


@pytest.mark.parametrize("incoming", ["abcdefgh", "A-1-b-2-c", "x" * 64, "6f0d3a52-1c9e-4f0b-9b1e-9990001006aa"])
def test_a_good_id_is_kept(incoming: str) -> None:
    assert accepted(incoming) == incoming


@pytest.mark.parametrize("incoming", [None, "", "short", "x" * 65, "with space", "line\nbreak", "naïve-id", "a;b;c;d;"])
def test_w11_an_odd_id_is_replaced(incoming: str | None) -> None:
    assert accepted(incoming) != incoming
    assert len(accepted(incoming)) == 32


@pytest.mark.parametrize("incoming", ["9990001006", "patient-9990001006", "999-000-1006"])
def test_s15_a_patient_s_number_is_no_id(incoming: str) -> None:
    assert accepted(incoming) != incoming


def test_an_id_is_bound_for_a_block() -> None:
    assert current() == ""
    with bind("outer-request") as outer:
        with bind("inner-request"):
            assert current() == "inner-request"
        assert current() == outer
    assert current() == ""


def test_a_thread_has_the_id_only_with_the_context() -> None:
    seen: list[str] = []
    with bind("some-request"):
        context = contextvars.copy_context()
        for work in (lambda: seen.append(current()), lambda: context.run(lambda: seen.append(current()))):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()

    assert seen == ["", "some-request"]
