"""docs/scale.md says what follows from the figures that are kept, and the sums are right."""

from __future__ import annotations

import pytest

from bench import scale, scale_sums

COSTS = {
    "log": 5000.0,
    "relations": {"entry": 3000.0, "entry_pkey": 200.0},
    "tables": {"entry": 3000.0},
    "cpu": {
        name: {"service": 0.001, "database": 0.0005}
        for name in ("ITI-41, 100 KiB", "FindDocuments, 10", "GetDocuments", "ITI-43, 100 KiB")
    },
}


def test_the_page_says_what_the_figures_say() -> None:
    """``python -m bench.scale page`` writes it."""
    page = scale.PAGE.read_text()

    assert page == scale.written(page, scale.printed(scale_sums.Region(), scale.kept()))


def test_every_table_of_the_registry_is_weighed_and_listed() -> None:
    page = scale.PAGE.read_text()

    for name in ("entry", "submission_set", "association", "identifier"):
        assert scale.kept()["costs"]["relations"][name] > 0
        assert f"| `{name}` |" in page


def test_sums_follow_the_assumptions() -> None:
    region = scale_sums.Region(patients=1e6, documents_each=10, years=1, peak=2, finds=3, fetches=1)
    [provide, find, *_] = scale_sums.needs(region, COSTS)

    assert region.documents == 1e7
    assert region.rate == pytest.approx(1e7 / (365.25 * 86400))
    assert provide.rate == pytest.approx(2 * region.rate)
    assert find.rate == pytest.approx(6 * region.rate)
    assert find.database == pytest.approx(find.rate * 0.0005)


@pytest.mark.parametrize(
    ("assumed", "worst"),
    [
        ({"patients": 65e6}, "bytes of a database"),
        ({"patients": 65e6, "restore_hours": 1.0}, "hours to restore a database from a copy"),
        ({"patients": 1e6, "finds": 1e6}, "cores of a database at the peak"),
    ],
)
def test_what_breaks_first_comes_first(assumed: dict[str, float], worst: str) -> None:
    found = scale_sums.limits(scale_sums.Region(**assumed), COSTS)

    assert found[0].name == worst
    assert [each.machines for each in found] == sorted((each.machines for each in found), reverse=True)


def test_a_page_without_a_place_for_a_part_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for keys"):
        scale.written("# A page\n", {"keys": "| table |"})
