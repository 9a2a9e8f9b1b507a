"""What the pages about security say of tests and of risks is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.test_survival_table import TESTS, functions

PAGES = TESTS.parent / "docs" / "security"
NAMED = sorted(
    {
        (page.name, file, test)
        for page in PAGES.glob("*.md")
        for file, test in re.findall(r"`([\w/]+\.py)::(test_\w+)`", page.read_text())
    }
)
HAZARDS = [line for line in (PAGES / "hazard-log.md").read_text().splitlines() if re.match(r"\| H\d+ \|", line)]


@pytest.mark.parametrize(("page", "file", "test"), NAMED)
def test_a_test_that_is_named_is_there(page: str, file: str, test: str) -> None:
    assert test in functions(TESTS / file), f"{page} names a test of {file} that is not there"


def test_the_risk_of_each_hazard_is_that_of_the_matrix() -> None:
    text = (PAGES / "hazard-log.md").read_text()
    matrix = {
        likelihood: [int(cell) for cell in cells.split("|")]
        for likelihood, cells in re.findall(r"^\| (\d) [a-z ]+\| ([\d |]+) \|$", text, re.MULTILINE)
    }
    assert len(HAZARDS) == 12
    for line in HAZARDS:
        *_, severity, likelihood, risk = (cell.strip() for cell in line.strip("| ").split("|"))
        assert matrix[likelihood][int(severity) - 1] == int(risk), line[:60]


def test_each_hazard_has_evidence() -> None:
    for line in HAZARDS:
        evidence = line.strip("| ").split("|")[5]
        assert "::test_" in evidence or "](" in evidence, line[:60]


def test_the_page_of_contents_names_each_page() -> None:
    told = (PAGES / "README.md").read_text()
    assert all(f"({page.name})" in told for page in PAGES.glob("*.md") if page.name != "README.md")


def test_pages_are_there() -> None:
    assert {Path(name).stem for name in ("threat-model.md", "hazard-log.md", "data-protection.md", "evidence.md")} <= {
        page.stem for page in PAGES.glob("*.md")
    }
