"""The manual cannot drift from the tables, nor name files that are not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from common.standard.manual import PAGES, main

ROOT = Path(__file__).parents[2]
PAGES_OF_THE_MANUAL = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_reference_page_says_what_the_tables_say(name: str) -> None:
    written = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")

    assert written == PAGES[name](), "print it again: python -m common.standard.manual docs/reference"


def test_the_reference_can_be_printed_again(tmp_path: Path) -> None:
    main(tmp_path)

    assert {page.name for page in tmp_path.iterdir()} == set(PAGES)


@pytest.mark.parametrize("page", PAGES_OF_THE_MANUAL, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


@pytest.mark.parametrize("page", PAGES_OF_THE_MANUAL, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    known = ("common/", "registry/", "repository/", "console/", "tests/", "bench/", "deploy/", "migrations/", "docs/")
    for named in re.findall(rf"`((?:{'|'.join(known)})[\w./-]+)`", page.read_text(encoding="utf-8")):
        assert (ROOT / named).exists(), f"{page.name} names {named}, which is not there"
