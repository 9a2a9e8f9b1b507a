from __future__ import annotations

from pathlib import Path

from common.access.manual import printed

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "access-rules.md"


def test_the_page_of_rules_says_what_the_tables_say() -> None:
    """``python -m common.access.manual > docs/reference/access-rules.md`` writes it."""
    assert PAGE.read_text(encoding="utf-8") == printed()
