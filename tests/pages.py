"""Pages that tests print: what follows a line of theirs is what was seen."""

from __future__ import annotations

import os
from pathlib import Path


def held(page: Path, printed: str) -> None:
    """A page says what was seen now, or, with PORTOLAN_WRITE_PAGES=1, is written anew."""
    mark = "<!-- printed -->\n"
    written, found, old = page.read_text().partition(mark)
    assert found
    if os.environ.get("PORTOLAN_WRITE_PAGES"):
        page.write_text(written + mark + printed)
    else:
        assert old == printed
