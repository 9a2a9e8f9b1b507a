"""Tables, sizes and times for people."""

from __future__ import annotations

import pytest

from console.output import print_table, safe, shown_bytes, shown_time, spaced_nhs_number


def test_control_characters_of_others_do_not_reach_a_terminal() -> None:
    assert safe("a\x1b[31mb\nc") == "a [31mb c"
    assert safe(None) == ""


def test_plain_columns_are_not_cut_off(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "n"), [("x" * 300, 1), ("[bold]", 22)])

    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "x" * 300 + "  1"
    assert lines[2].split() == ["[bold]", "22"]


def test_on_a_terminal_markup_of_others_is_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.output.is_terminal", lambda: True)

    print_table(("name", "n"), [("[bold]title[/bold]", 1)], right=("n",))

    assert "[bold]title[/bold]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (999, "999 B"), (3400, "3.4 kB"), (120_000, "120 kB"), (5 * 10**9, "5.0 GB")]
)
def test_sizes(count: int, shown: str) -> None:
    assert shown_bytes(count) == shown


@pytest.mark.parametrize(
    ("dtm", "shown"), [("20260311142000", "2026-03-11 14:20"), ("202603", "2026-03"), ("2026", "2026"), (None, "")]
)
def test_times(dtm: str | None, shown: str) -> None:
    assert shown_time(dtm) == shown


def test_nhs_numbers_are_spaced_and_other_ids_left() -> None:
    assert spaced_nhs_number("9990001006") == "999 000 1006"
    assert spaced_nhs_number("4711") == "4711"
