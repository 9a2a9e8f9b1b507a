"""The page of audit events is what the table says."""

from __future__ import annotations

from pathlib import Path

from common.audit.reference import reference

PAGE = Path(__file__).parents[4] / "docs/reference/audit-events.md"


def test_the_page_is_what_the_table_says() -> None:
    told = "print it again: python -m common.audit.reference > docs/reference/audit-events.md"

    assert PAGE.read_text(encoding="utf-8") == reference(), told
