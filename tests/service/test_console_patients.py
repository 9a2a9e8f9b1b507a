"""`portolan patients`: merge, list merges and undo them, as an administrator does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.console.running import Place

FENWICK, THISTLEWOOD, OTHER = "9990001006", "9990001014", "9990001022"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A database that is migrated."""
    made = Place(tmp_path)
    made.run("migrate")
    return made


def test_a_merge_is_done_listed_and_undone_where_that_is_allowed(place: Place) -> None:
    assert "999 000 1022 was merged into 999 000 1006" in place.run("patients", "merge", OTHER, "999 000 1006").stdout
    [merge] = place.json("patients", "merges", "--json")
    assert (merge["subsumed"][:10], merge["survivor"][:10], merge["undone_at"]) == (OTHER, FENWICK, None)
    assert merge["message_id"].startswith("command line|")
    assert "999 000 1022" in place.run("patients", "merges").stdout

    assert "PORTOLAN_PATIENT_UNMERGE" in place.run("patients", "unmerge", OTHER, code=1).stderr
    place.environ["PORTOLAN_PATIENT_UNMERGE"] = "true"
    assert "was undone" in place.run("patients", "unmerge", OTHER).stdout
    assert place.json("patients", "merges", "--json")[0]["undone_at"]
    assert "No merge" in place.run("patients", "unmerge", OTHER, code=1).stderr


def test_what_cannot_be_merged_is_told_in_a_sentence_that_names_no_number(place: Place) -> None:
    for pair in ((FENWICK, FENWICK), (FENWICK, "9990001007"), ("1", FENWICK)):
        told = place.run("patients", "merge", *pair, code=1).stderr
        assert "Nothing was changed." in told
        assert "9990001" not in told
    place.run("patients", "merge", FENWICK, THISTLEWOOD)
    assert "merged into another" in place.run("patients", "merge", OTHER, FENWICK, code=1).stderr
    assert place.json("patients", "list", "--json") == []  # nobody came through a feed
